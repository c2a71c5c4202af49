from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.log import lines_to
from tuneproof.recipes.recipe import load
from tuneproof.recipes.run import run_recipe

pytestmark = pytest.mark.slow


def stages_run(file: Path, *settings: str, **changes: Any) -> list[str]:
    """Run the recipe; return the stages that had something to do."""
    said: list[str] = []
    recipe = load(str(file), root=file.parent, settings=settings, **changes)
    with lines_to(said.append):
        found = run_recipe(recipe)
    assert set(found.metrics) >= {config.folder.name for config in recipe.runs.values()}
    heads = [line for line in said if line[1:3] == "/4"]
    assert sorted({line[0] for line in heads}) == ["1", "2", "3", "4"]
    return [line.split()[1].strip(":") for line in heads if "is up to date" not in line]


ALL = ["prepdata", "tune", "compare", "score"]


def test_every_stage_runs_once_and_again_from_where_something_changed(recipe_file: Path) -> None:
    assert stages_run(recipe_file) == ALL
    for name in (
        "data/small/train.jsonl", "runs/small/run.json", "reports/small/test_comparison.json",
        "reports/small/report.html",
    ):  # fmt: skip
        assert (recipe_file.parent / name).is_file(), name
    assert stages_run(recipe_file) == []
    report = recipe_file.parent / "reports/small/report.json"
    for name, older in (("versions", {"tuneproof": "0.0.1"}), ("code", "0" * 64), ("schema", "@0")):
        report.write_text(json.dumps(json.loads(report.read_text()) | {name: older}))
        assert stages_run(recipe_file) == ["score"], name
    (report.parent / "report.html").unlink()
    assert stages_run(recipe_file) == ["score"]
    assert stages_run(recipe_file) == []
    assert stages_run(recipe_file, "score.resamples=200") == ["score"]
    assert stages_run(recipe_file, "score.resamples=200", "compare.limit=2") == ALL[2:]
    assert stages_run(recipe_file, "tune.learning_rate=1e-3") == ALL[1:]
    facts = json.loads((recipe_file.parent / "runs/small/run.json").read_text())
    assert facts["config"]["learning_rate"] == 1e-3
    assert facts["made_by"] == "recipe small"
    assert stages_run(recipe_file, "prepdata.limit=30") == ALL
    (recipe_file.parent / "data/small/test.jsonl").unlink()
    assert stages_run(recipe_file, "prepdata.limit=30") == ["prepdata"]


def test_prompts_of_data_and_from_elsewhere_are_scored_together(recipe_file: Path) -> None:
    """With all that the base can be given; it is the same for both."""
    options = ("few_shot=1", "no_baselines=false", "prompts=[test, prompts]")
    assert stages_run(recipe_file, *(f"compare.{text}" for text in options)) == [
        "prepdata", "tune", "compare", "compare", "score"
    ]  # fmt: skip
    report = json.loads((recipe_file.parent / "reports/small/report.json").read_text())
    names = [row["name"] for row in report["variants"]]
    assert {"base", "base-few-shot", "nearest", "small"} <= set(names)


def test_run_that_the_recipe_did_not_make_is_left_alone(recipe_file: Path) -> None:
    stages_run(recipe_file)
    file = recipe_file.parent / "runs/small/run.json"
    file.write_text(file.read_text().replace('"recipe small"', '"tune run"'))
    before = file.read_text()
    with pytest.raises(InputError, match=r"belongs to another run \(it differs in lora_r\)"):
        stages_run(recipe_file, "tune.lora_r=3")
    assert file.read_text() == before
    assert stages_run(recipe_file, "tune.lora_r=3", "tune.overwrite=true") == ALL[1:]


def test_interrupted_training_goes_on(recipe_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import TrainerCallback

    class Sender(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 2:
                os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("tuneproof.tuning.train.TimedCheckpoints", lambda *_: Sender())
        stages_run(recipe_file, "tune.max_steps=4")
    run = recipe_file.parent / "runs/small/run.json"
    assert json.loads(run.read_text())["state"] == "interrupted"
    assert stages_run(recipe_file, "tune.max_steps=4") == ALL[1:]
    lines = (run.parent / "metrics.jsonl").read_text().splitlines()
    steps = [row["step"] for row in map(json.loads, lines) if "loss" in row]
    assert steps == [1, 2, 3, 4]


def test_interrupted_training_of_other_settings_starts_anew(
    recipe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("tuneproof.tuning.callbacks.Progress.on_step_end", stop)
        stages_run(recipe_file)
    assert stages_run(recipe_file, "tune.lora_r=3") == ALL[1:]


def test_run_that_lost_its_base_is_trained_again(
    recipe_file: Path, make_model: Any, tmp_path: Path
) -> None:
    model = str(make_model(tmp_path / "model", "gpt2"))
    stages_run(recipe_file, model=model)
    assert stages_run(recipe_file, model=model) == []
    make_model(tmp_path / "model", "gpt2", seed=4)
    assert stages_run(recipe_file, model=model) == ALL[1:]


@pytest.fixture
def file_of_two(recipe_file: Path) -> Path:
    recipe_file.write_text(recipe_file.read_text() + "runs:\n  low: {}\n  high: {lora_r: 4}\n")
    return recipe_file


def trained(file: Path, *settings: str) -> list[str]:
    """Run the recipe; return what was said of the trainings that were not up to date."""
    said: list[str] = []
    with lines_to(said.append):
        run_recipe(load(str(file), root=file.parent, settings=settings))
    return [line for line in said if line.startswith("2/4") and "is up to date" not in line]


def test_every_run_is_trained_once_and_again_where_it_changed(file_of_two: Path) -> None:
    assert stages_run(file_of_two) == ["prepdata", "tune", "tune", "compare", "score"]
    assert stages_run(file_of_two) == []
    assert stages_run(file_of_two, "runs.high.lora_r=3") == ALL[1:]
    assert trained(file_of_two, "runs.high.lora_r=3") == []
    assert trained(file_of_two, "runs.high.lora_r=5") == ["2/4 tune: high (2 of 2)"]
    assert trained(file_of_two, "runs.high.lora_r=5", "tune.seed=7") == [
        "2/4 tune: low (1 of 2)",
        "2/4 tune: high (2 of 2)",
    ]
    comparison = json.loads((file_of_two.parent / "reports/small/test_comparison.json").read_text())
    names = [variant["name"] for variant in comparison["variants"]]
    assert names[:3] == ["base", "small-low", "small-high"]


def test_run_that_is_left_out_stays_and_is_not_compared(file_of_two: Path) -> None:
    trained(file_of_two)
    assert trained(file_of_two, "runs.high=null") == []
    report = json.loads((file_of_two.parent / "reports/small/report.json").read_text())
    assert "small-high" not in report["metrics"]
    assert (file_of_two.parent / "runs/small-high/run.json").is_file()


def test_interrupted_recipe_goes_on_at_the_run_where_it_stopped(
    file_of_two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneproof.tuning import run as sft

    finetune = sft.finetune

    def stop_at_high(config: Any, *rest: Any, **named: Any) -> Any:
        if config.lora_r == 4:
            raise KeyboardInterrupt
        return finetune(config, *rest, **named)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(sft, "finetune", stop_at_high)
        trained(file_of_two)
    assert trained(file_of_two) == ["2/4 tune: high (2 of 2)"]


def test_interrupted_recipe_that_overwrites_keeps_what_it_has_trained_anew(
    file_of_two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import TrainerCallback

    file_of_two.write_text(file_of_two.read_text() + "  last: {lora_r: 5}\n")
    anew = ("tune.overwrite=true", "tune.max_steps=4")
    names = ["low (1 of 3)", "high (2 of 3)", "last (3 of 3)"]
    every = [f"2/4 tune: {name}" for name in names]
    assert trained(file_of_two, *anew) == every

    class Sender(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 2 and "high" in args.output_dir:
                os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("tuneproof.tuning.train.TimedCheckpoints", lambda *_: Sender())
        trained(file_of_two, *anew)
    low = file_of_two.parent / "runs/small-low/run.json"
    before = low.stat().st_mtime_ns
    assert trained(file_of_two, *anew) == every[1:]
    assert low.stat().st_mtime_ns == before
    assert trained(file_of_two, *anew) == every  # it is finished, so all of it again
