from __future__ import annotations

from typing import Any

import pytest

from tuneproof.prepdata.config import BuildConfig


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"source": ()}, "no source given"),
        ({"val_fraction": 1.0}, "val_fraction must be at least 0 and under 1, got 1.0"),
        ({"test_fraction": -0.1}, "test_fraction must be at least 0"),
        ({"val_fraction": float("nan")}, "val_fraction must be"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, "leave nothing to train on"),
        ({"limit": 0}, "limit must be at least 1, got 0"),
        ({"label_field": "topic"}, "text_field and label_field go together"),
        ({"text_field": "text"}, "text_field and label_field go together"),
        ({"instruction": "Ask"}, "it needs text_field and label_field"),
        ({"text_field": "a", "label_field": "b", "instruction": " "}, "instruction is empty"),
    ],
)
def test_impossible_settings_are_rejected(settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        BuildConfig(**settings)


def test_own_fields_are_noticed() -> None:
    assert not BuildConfig(limit=3).has_own_fields
    assert BuildConfig(id_field="number").has_own_fields
    assert BuildConfig(text_field="a", label_field="b").has_own_fields
