from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import DataFolder
from tuneproof.models import load as models
from tuneproof.prompts import template as templates
from tuneproof.tuning import runs
from tuneproof.tuning.config import TuneConfig

FACTS: dict[str, Any] = {
    "state": "finished",
    "config": {"model": "tiny", "method": "lora"},
    "data": {"train": {"examples": 1200}},
    "parameters": {"trainable": 5, "total": 1000},
    "result": {"last_loss": 1.25, "best_validation_loss": None, "wall_seconds": 90},
}


def test_table_has_a_line_per_run(tmp_path: Path) -> None:
    runs.write(tmp_path / "b", FACTS)
    runs.write(tmp_path / "a", FACTS | {"state": "interrupted", "result": None})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.json").write_text('{"schema": "somebody/else@1"}')
    lines = runs.table(list(runs.all_runs(tmp_path))).splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["run", "state"], ["a", "interrupted"], ["b", "finished"],
    ]  # fmt: skip
    assert lines[2].split()[2:] == [
        "tiny",
        "generate",
        "lora",
        "1,200",
        "0.50%",
        "1.250",
        "1.5",
        "min",
    ]


def test_unknown_run_gives_the_nearest(tmp_path: Path) -> None:
    runs.write(tmp_path / "dolly", FACTS)
    with pytest.raises(InputError, match=r"unknown run 'doly'\. Did you mean 'dolly'"):
        runs.open_run(tmp_path / "doly")


def test_run_of_another_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(InputError, match="not a run of schema tuneproof/run@1"):
        runs.open_run(tmp_path)


def test_settings_that_are_newer_than_a_run_had_their_defaults(
    write_data: Callable[..., Path], base_models: dict[str, Path], tmp_path: Path
) -> None:
    config = TuneConfig(
        data=write_data(tmp_path / "data"), model=str(base_models["gpt2"]), runs=tmp_path, name="a"
    )
    told = {name: value for name, value in runs.recorded(config).items() if name != "objective"}
    runs.write(
        tmp_path / "a",
        {
            "state": "finished",
            "config": told,
            "data": {"fingerprint": DataFolder(config.data).fingerprint},
            "template": {"text": templates.load().text},
            "base": {"weights_sha256": models.weights_hash(config.model)},
        },
    )
    assert runs.standing(config).state == "finished"
    other = dataclasses.replace(config, objective="classify")
    assert runs.standing(other).differing == ("objective",)
