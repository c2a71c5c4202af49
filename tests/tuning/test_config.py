from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.tuning.config import TuneConfig


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": -1.0}, "learning_rate must be positive, got -1.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive, got nan"),
        ({"num_train_epochs": float("inf")}, "num_train_epochs must be positive, got inf"),
        ({"limit": 0}, "limit must be at least 1, got 0"),
        ({"max_steps": 0}, "max_steps must be at least 1, got 0"),
        ({"lora_dropout": 1.0}, "lora_dropout must be at least 0 and under 1"),
        ({"warmup_steps": -0.1}, "warmup_steps must not be negative"),
        ({"seed": -1}, "seed must not be negative"),
        ({"method": "lora2"}, "unknown method 'lora2'. Did you mean 'lora'?"),
        (
            {"method": "head"},
            "method 'head' is for --objective classify only; to generate, use",
        ),
        ({"method": "full", "dtype": "bfloat16"}, "dtype is of frozen weights, and method 'full'"),
        ({"objective": "clasify"}, "unknown objective 'clasify'. Did you mean 'classify'?"),
        ({"name": "a/b"}, "name must be a plain folder name"),
        ({"name": "../x"}, "name must be a plain folder name"),
        ({"name": ".."}, "name must be a plain folder name"),
        ({"name": "a\\b"}, "name must be a plain folder name"),
        ({"name": "a\x00b"}, "name must be a plain folder name"),
        ({"name": ""}, "name must be a plain folder name"),
        ({"name": "base"}, "name 'base' is what comparisons call the untuned model"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        TuneConfig(**changes)
    assert str(caught.value).startswith(message)


def test_run_is_named_after_model_and_method() -> None:
    assert TuneConfig(model="org/gpt2-small").folder == Path("runs/gpt2-small-lora")
    assert TuneConfig(model="/models/mine/").folder == Path("runs/mine-lora")
    assert TuneConfig(model="tiny", objective="classify").folder == Path("runs/tiny-lora-classify")
    assert TuneConfig(name="a", runs=Path("r")).folder == Path("r/a")


def test_unknown_fast_path_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"fast path 'atention'. Did you mean 'attention'"):
        TuneConfig(no_fast_path=("atention",))
