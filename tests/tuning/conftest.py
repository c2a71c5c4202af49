"""A short training: a data folder, the settings, and a function that runs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuning.config import TuneConfig


@pytest.fixture
def settings(
    base_models: dict[str, Path], write_data: Callable[..., Path], tmp_path: Path
) -> Callable[..., TuneConfig]:
    """Settings of a training of a few steps in the test's own folder."""
    write_data(tmp_path / "data")

    def make(**changes: Any) -> TuneConfig:
        plain = {
            "data": tmp_path / "data", "model": str(base_models["gpt2"]), "name": "short",
            "runs": tmp_path / "runs", "max_length": 96, "num_train_epochs": 1,
            "per_device_train_batch_size": 8, "learning_rate": 1e-2, "lora_r": 2,
        }  # fmt: skip
        return TuneConfig(**{**plain, **changes})

    return make


@pytest.fixture
def tuned(settings: Callable[..., TuneConfig]) -> Callable[..., Any]:
    """Train, and return the run."""
    from tuning.sft import finetune

    return lambda **changes: finetune(settings(**changes), lambda _: None)
