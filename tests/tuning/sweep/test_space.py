from __future__ import annotations

import math
import random
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.tuning.sweep.space import (
    Choices,
    Range,
    WholeRange,
    read_space,
    settings_of,
    size_of,
    untried,
)

FULL = {
    "learning-rate": {"low": "1e-4", "high": 1e-2, "log": True},
    "lora_r": {"low": 4, "high": 64, "step": 4},
    "target_modules": [["c_attn"], "c_proj", ["c_attn", "c_fc"], []],
}


def test_ranges_and_lists_get_the_types_of_their_settings() -> None:
    space = read_space(FULL, "here")
    assert space == {
        "learning_rate": Range(low=1e-4, high=1e-2, log=True),
        "lora_r": WholeRange(low=4, high=64, step=4),
        "target_modules": Choices(samples=(("c_attn",), ("c_proj",), ("c_attn", "c_fc"), ())),
    }
    assert space["target_modules"].labels == ["c_attn", "c_proj", "c_attn, c_fc", "all"]  # type: ignore[union-attr]
    chosen = {"lora_r": 8, "target_modules": "c_attn, c_fc"}
    assert settings_of(space, chosen) == {"lora_r": 8, "target_modules": ("c_attn", "c_fc")}
    assert [each.size for each in space.values()] == [None, 16, 4]
    assert size_of(space) is None
    del space["learning_rate"]
    assert size_of(space) == 64


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (None, "here: settings to search are needed"),
        ({}, "here: settings to search are needed"),
        ({"lerning_rate": [1, 2]}, "here: unknown setting 'lerning_rate'. Did you mean 'learning"),
        ({"name": ["a", "b"]}, "here: name cannot be searched: trials are named after the sweep"),
        ({"train_on": ["all", "last"]}, "here: train_on cannot be searched: it changes what"),
        ({"data": ["a", "b"]}, "here: data cannot be searched: results on different validation"),
        ({"lora_r": [4, 8], "lora-r": [4, 8]}, "here: lora_r is there twice"),
        ({"lora_r": 8}, "here: lora_r: {low, high} or a list of values is needed, found 8"),
        ({"lora_r": {"low": 8}}, "here: lora_r: high missing"),
        (
            {"lora_r": {"low": 8, "hihg": 9}},
            "here: lora_r: unknown setting 'hihg'. Did you mean",
        ),
        ({"lora_r": {"low": 64, "high": 4}}, "here: lora_r: low must be under high, got 64 and 4"),
        (
            {"lora_r": {"low": 4.5, "high": 9}},
            "here: lora_r: low: expected a whole number, found 4",
        ),
        (
            {"learning_rate": {"low": 0, "high": 1, "log": True}},
            "here: learning_rate: low must be positive where log is true, got 0",
        ),
        ({"weight_decay": {"low": 0, "high": math.nan}}, "high must be a finite number, got nan"),
        (
            {"lora_r": {"low": 1, "high": 9, "log": "yes"}},
            "log: expected true or false, found 'yes'",
        ),
        ({"lora_r": {"low": 1, "high": 9, "log": True, "step": 2}}, "log and step do not go toget"),
        (
            {"lora_r": {"low": 1, "high": 9, "step": 0}},
            "here: lora_r: step must be positive, got 0",
        ),
        ({"method": {"low": 1, "high": 2}}, "here: method: a list of values is needed, found {"),
        ({"lora_r": [8]}, "here: lora_r: at least two values are needed; one goes under tune"),
        ({"lora_r": [8, 8]}, "here: lora_r: the same value is there twice"),
        ({"lora_r": [8, "x"]}, "here: lora_r: expected a whole number, found 'x'"),
        ({"lr_scheduler_type": ["linear", "cosin"]}, "here: lr_scheduler_type: unknown value 'cos"),
    ],
)
def test_what_cannot_be_searched_is_refused_by_name(found: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_space(found, "here")
    assert message in str(caught.value)
    assert str(caught.value).startswith("here: ")


@pytest.mark.parametrize("log", [True, False])
def test_numbers_of_a_range_are_drawn_from_all_of_it(log: bool) -> None:
    each, source = Range(low=1e-4, high=1e-2, log=log), random.Random(0)
    drawn = sorted(float(each.draw(source) or 0) for _ in range(200))
    assert 1e-4 <= drawn[0] < drawn[-1] <= 1e-2
    assert drawn[100] == pytest.approx(1e-3 if log else 5e-3, rel=0.3)


def test_every_setting_of_a_countable_space_is_found() -> None:
    space = read_space(
        {"lora_r": {"low": 2, "high": 6, "step": 2}, "dtype": ["auto", "float32"]}, ""
    )
    tried: list[Any] = []
    for _ in range(6):
        tried.append(untried(space, tried, random.Random(0)))
    assert sorted((each["lora_r"], each["dtype"]) for each in tried) == [
        (2, "auto"), (2, "float32"), (4, "auto"), (4, "float32"), (6, "auto"), (6, "float32"),
    ]  # fmt: skip
