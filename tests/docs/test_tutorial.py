"""The tutorial says what its commands say."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from docs.generate import COMMANDS
from docs.tutorial import COMPARISONS, KEPT, PAGE, Step, masked, new_folder, run, steps, wrapped

STEPS = steps(PAGE.read_text(encoding="utf-8"))
TRAINING = ("tune run", "tune export", "infer compare")
"""What takes more than moments: tried where TUNEPROOF_TUTORIAL=all asks for it."""


def names(step: Step) -> str:
    return " ".join(step.arguments[:2])


def test_the_tutorial_goes_from_a_csv_to_an_export() -> None:
    told = [names(step) for step in STEPS]
    wanted = ["prepdata build", "tune doctor", "tune run", "infer compare", "score report"]
    assert told[:5] == wanted
    assert told[5:] == ["tune export", "infer compare", "score same"]
    assert all(step.output for step in STEPS)


@pytest.mark.slow
def test_data_and_scores_are_those_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but trainings and answers, on the answers that were kept."""
    folder = new_folder(str(tmp_path))
    for file in COMPARISONS:
        (folder / file).parent.mkdir(exist_ok=True)
        shutil.copy(KEPT / Path(file).name, folder / file)
    monkeypatch.chdir(folder)
    for step in STEPS:
        if names(step) not in TRAINING:
            from importlib import import_module

            command, *arguments = step.arguments
            done = CliRunner().invoke(
                import_module(f"tuneproof.{COMMANDS[command]}.cli").main, arguments
            )
            assert done.exit_code == 0, done.output
            assert wrapped(done.output) == step.output, "run `python -m docs.tutorial`"


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("TUNEPROOF_TUTORIAL") != "all", reason="minutes; TUNEPROOF_TUTORIAL=all asks"
)
def test_all_of_it_runs_as_typed_in_less_than_ten_minutes(tmp_path: Path) -> None:
    folder, began = new_folder(str(tmp_path)), time.monotonic()
    for step in STEPS:
        assert masked(run(step, folder)) == masked(step.output), step.command
    assert time.monotonic() - began < 600
