"""The parts of the benchmarks, as they are named on the command line."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.child import processor_seconds


@pytest.mark.parametrize("part", command.PARTS)
def test_every_part_can_be_run_by_its_name(part: str) -> None:
    assert callable(import_module(f"benchmarks.{part}").measure)


def test_every_module_that_measures_is_a_part_or_belongs_to_one() -> None:
    folder = Path(command.__file__).parent
    measuring = {path.stem for path in folder.glob("*.py") if "\ndef measure(" in path.read_text()}
    assert measuring - {"decoding_memory"} == set(command.PARTS)


def test_processor_time_only_grows() -> None:
    before = processor_seconds()
    assert sum(range(10**5)) and processor_seconds() > before
