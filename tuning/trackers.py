"""Passing a training's logs on to TensorBoard, Trackio, Weights & Biases or MLflow.

Transformers' own callbacks do it. Only what is named is told anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError

TRACKERS: Mapping[str, str] = {
    "mlflow": "mlflow",
    "none": "",
    "tensorboard": "tensorboard",
    "trackio": "trackio",
    "wandb": "wandb",
}
"""The package that each needs, by transformers' name."""


def tracker_arguments(names: Sequence[str], run: str) -> dict[str, Any]:
    """Return the TrainingArguments that name the trackers; without any, those of none.

    Args:
        names: Keys of `TRACKERS`.
        run: What the run is called there.

    Raises:
        InputError: A package is not installed.
    """
    chosen = [name for name in dict.fromkeys(names) if name != "none"]
    for name in chosen:
        package = TRACKERS[name]
        if find_spec(package) is None:
            raise InputError(
                f"--report-to {name} needs the package {package}: pip install {package}"
            )
    if not chosen:
        return {"report_to": "none"}
    return {
        "report_to": chosen,
        "run_name": run,
        "project": "tuneproof",
        "trackio_static_space_id": False,  # else it may become a page on the Hub at the end
    }


def keep_in(trainer: Any, folder: Path) -> None:
    """Have TensorBoard's files written into the run's folder, where nothing else is said."""
    for callback in trainer.callback_handler.callbacks:
        if type(callback).__name__ == "TensorBoardCallback" and callback.logging_dir is None:
            callback.logging_dir = str(folder / "tensorboard")
