from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.run import Base, Run
from tuneproof.models.weights import weights_hash
from tuneproof.prompts import template as templates
from tuneproof.tuning import runs
from tuneproof.tuning.config import TuneConfig

MakeRun = Callable[..., Run]


def test_table_has_a_line_per_run(make_run: MakeRun) -> None:
    made = [make_run("a", state="interrupted", result=None), make_run("b")]
    lines = runs.table(made).splitlines()
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


def test_settings_that_are_newer_than_a_run_had_their_defaults(
    write_data: Callable[..., Path], base_models: dict[str, Path], tmp_path: Path,
    make_run: MakeRun,
) -> None:  # fmt: skip
    config = TuneConfig(
        data=write_data(tmp_path / "data"), model=str(base_models["gpt2"]), runs=tmp_path, name="a"
    )
    older = {name: value for name, value in runs.recorded(config).items() if name != "lora_r"}
    run = make_run("a", config=older, template=templates.load())
    fingerprint = DataFolder(config.data).fingerprint
    make_run(
        "a",
        config=older,
        template=templates.load(),
        data=dataclasses.replace(run.data, fingerprint=fingerprint),
        base=Base(model="tiny", weights_sha256=weights_hash(config.model)),
    )
    assert runs.status_of(config).state == "finished"
    other = dataclasses.replace(config, lora_r=2)
    assert runs.status_of(other).differing == ("lora_r",)
