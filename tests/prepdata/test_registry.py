from __future__ import annotations

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.prepdata import registry
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.sources.rows import ReadLog, Row


def test_names_are_in_alphabetical_order() -> None:
    assert list(registry.SOURCES) == sorted(registry.SOURCES)


def test_own_source_is_fitted_to_the_settings() -> None:
    config = BuildConfig(text_field="t", label_field="l")
    source = registry.find("csv", config)
    assert source.labels == ()
    mapper = registry.mapper("csv", source, config, ReadLog())
    found = mapper(Row({"t": "a text", "l": "x"}, "here", None))
    assert isinstance(found, Example)
    assert (found.task, found.output) == ("csv", "x")
    assert registry.find("csv", BuildConfig()).labels is None


def test_settings_change_no_other_source() -> None:
    assert registry.find("dolly", BuildConfig(id_field="x")) is registry.SOURCES["dolly"]


def test_unknown_source_gives_the_nearest_match() -> None:
    with pytest.raises(InputError, match=r"unknown source 'fin-qa'. Did you mean 'finqa'\?"):
        registry.find("fin-qa")
