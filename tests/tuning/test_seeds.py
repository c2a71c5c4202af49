from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from tuneproof.errors import InputError
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import report
from tuneproof.formats.run_names import runs_called
from tuneproof.inference.compare import compare
from tuneproof.inference.config import CompareConfig
from tuneproof.inference.sources import with_seeds as with_seeds_of
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.doctor import examine
from tuneproof.tuning.seeds import finetune_seeds, with_seeds


@pytest.mark.slow
def test_seeds_are_runs_of_the_same_settings_and_judged_together(
    settings: Callable[..., TuneConfig], tmp_path: Path
) -> None:
    config = settings(max_steps=2)
    runs = finetune_seeds(config, 2)
    assert [run.name for run in runs] == ["short-seed42", "short-seed43"]
    assert [run.seed for run in runs] == [42, 43]
    assert runs[0].settings_hash == runs[1].settings_hash
    written = (runs[0].folder / "run.json").stat().st_mtime_ns
    more = finetune_seeds(config, 3)  # goes on with what is not there
    assert len(more) == 3
    assert (runs[0].folder / "run.json").stat().st_mtime_ns == written
    other = finetune_seeds(settings(max_steps=1, name="other"), 2)
    assert other[0].settings_hash != runs[0].settings_hash

    prompts = tmp_path / "prompts.json"
    asked = [{"prompt": f"What does river {n} carry?", "reference": "mud"} for n in range(6)]
    prompts.write_text(json.dumps(asked))
    compared = compare(
        prompts,
        CompareConfig(
            run=("short",), runs=config.runs, out=tmp_path / "out.json", max_new_tokens=4,
            no_baselines=True,
        ),
    )  # fmt: skip
    assert [v.name for v in compared.variants if v.seed] == [run.name for run in more]
    codes = {found.code for found in examine(comparison=tmp_path / "out.json")}
    assert "decoding-differs" not in codes  # the seed of a training is none of the answers
    (seeds,) = report([tmp_path / "out.json"], tmp_path / "report", ReportConfig()).seeds
    assert (seeds.name, len(seeds.variants)) == ("short", 3)


def test_a_run_is_known_by_its_folder_too(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/run.json").write_text("{}")
    config = CompareConfig(run=(f"{tmp_path}/a/",), runs=tmp_path)
    assert with_seeds_of(config).run == ("a",)


def test_a_run_of_the_name_itself_goes_before_its_seeds(tmp_path: Path) -> None:
    for name in ("a", "a-seed2", "a-seed10", "a-seed1x", "b-seed1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
    assert runs_called(tmp_path, "a") == ["a"]
    (tmp_path / "a/run.json").unlink()
    assert runs_called(tmp_path, "a") == ["a-seed2", "a-seed10"]
    assert runs_called(tmp_path, "c") == ["c"]


@pytest.mark.parametrize("seeds", [[1], [1, 1], []])
def test_seeds_are_two_or_more_each_once(seeds: list[int]) -> None:
    with pytest.raises(InputError, match="two or more, each once"):
        with_seeds(TuneConfig(name="a"), seeds)


@pytest.mark.slow
def test_overwriting_goes_on_with_the_seed_that_was_cut_off(
    settings: Callable[..., TuneConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(max_steps=2)
    earlier = [run.folder / "run.json" for run in finetune_seeds(config, 2)]
    anew = replace(config, overwrite=True)

    def cut_off(name: str) -> None:
        class Sender(TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if name in args.output_dir:
                    os.kill(os.getpid(), signal.SIGINT)

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr("tuneproof.tuning.train.TimedCheckpoints", lambda *_: Sender())
            finetune_seeds(anew, 2)

    cut_off("seed43")
    first = earlier[0].stat().st_mtime_ns
    runs = finetune_seeds(anew, 2)
    assert [run.state for run in runs] == ["finished", "finished"]
    assert earlier[0].stat().st_mtime_ns == first
    second = earlier[1].stat().st_mtime_ns
    cut_off("seed42")  # the second is still that of the call before
    finetune_seeds(anew, 2)
    assert earlier[1].stat().st_mtime_ns > second
