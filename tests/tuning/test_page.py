"""A run's page holds what its files hold, in whatever state the run is, and no foreign markup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tuneproof.formats.samples import SampleAnswer
from tuneproof.log import lines_to
from tuneproof.tuning.page import FILE, charts, facts, render, settings_of, smoothed, speeds

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def log(*losses: float) -> list[dict[str, Any]]:
    return [
        {"step": n, "epoch": n / 4, "loss": loss, "num_tokens": 100 * n, "train_seconds": 0.5 * n}
        for n, loss in enumerate(losses, 1)
    ]


def sample(step: int, answer: str = "Mud.", name: str = "r1") -> SampleAnswer:
    return SampleAnswer(
        step=step, epoch=1.0, id=name, instruction="What does it carry?", input="",
        reference="Mud.", answer=answer, tokens=2, finish_reason="eos",
    )  # fmt: skip


def test_speed_is_that_of_the_steps_between_two_logs() -> None:
    assert speeds(log(3, 2, 1)) == [(2.0, 200.0), (3.0, 200.0)]
    assert speeds(log(3)) == []


def test_smoothing_keeps_the_number_and_the_mean_of_a_line() -> None:
    points = [(float(n), 2.0 * n) for n in range(100)]
    means = smoothed(points)
    assert [x for x, _ in means] == [x for x, _ in points]
    assert means[50] == points[50]
    assert smoothed([(1.0, 5.0)]) == [(1.0, 5.0)]


def test_training_and_validation_are_drawn() -> None:
    rows = [*log(3, 2), {"step": 2, "eval_loss": 1.5}]
    (loss, speed) = charts(rows)
    assert loss.count("<polyline") == 3  # the logs, their mean, the validation
    assert "validation 1.5 at 2" in loss
    assert "Tokens per second" in speed
    assert charts([]) == []


def test_run_without_a_result_has_a_page(make_run: Callable[..., Any]) -> None:
    run = make_run("begun", state="running", result=None)
    page = render(run, [], [])
    assert "Under way when this page was written" in page
    assert [fact.name for fact in facts(run)] == ["trained parameters"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ended_by": "early-stopping"}, "Finished: evaluations became no better."),
        ({"state": "interrupted"}, "Interrupted; the same command goes on"),
        ({"state": "pruned"}, "Given up by a sweep."),
    ],
)
def test_page_says_how_the_run_ended(
    make_run: Callable[..., Any], changes: dict[str, Any], words: str
) -> None:
    assert words in render(make_run("one", **changes), [], [])


def test_figures_are_those_of_run_json(make_run: Callable[..., Any]) -> None:
    run = make_run("one")
    result = replace(run.result, peak_memory_bytes=3 * 2**30, best_validation_loss=0.5, best_step=2)
    shown = {fact.name: fact.value for fact in facts(replace(run, result=result))}
    assert shown == {
        "trained parameters": "5", "validation loss": "0.500", "training loss": "1.250",
        "time": "90 s", "memory": "3 GiB",
    }  # fmt: skip


def test_changed_settings_stand_apart(make_run: Callable[..., Any]) -> None:
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.runs import recorded

    run = make_run("one", config=recorded(TuneConfig(lora_r=3, model="tiny")))
    changed, others = settings_of(run)
    assert changed == {"lora_r": 3, "model": "tiny"}
    assert others["lora_alpha"] == 32


def test_no_text_from_outside_is_markup(make_run: Callable[..., Any]) -> None:
    run = make_run(
        "one", config={"model": EVIL, "method": "lora", "objective": "generate"}, warnings=[EVIL]
    )
    page = render(run, log(2, 1), [replace(sample(1, EVIL), instruction=EVIL, reference=EVIL)])
    assert EVIL not in page
    assert "<script>" not in page
    assert re.search(r"https?://|<img", page) is None
    assert "default-src &#39;none&#39;" in page


def test_answers_stand_under_their_prompt_in_order(make_run: Callable[..., Any]) -> None:
    samples = [sample(1, "one"), sample(1, "other", "r2"), sample(2, "two")]
    page = render(make_run("one"), [], samples)
    places = [page.index(f">{text}<") for text in ("one", "two", "other")]
    assert places == sorted(places)


@pytest.mark.slow
def test_page_is_written_at_the_end_and_on_interruption(
    settings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneproof.tuning.run import finetune

    def interrupt(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 2:
            raise KeyboardInterrupt

    config = settings(per_device_train_batch_size=4, sample_prompts=3)
    said: list[str] = []
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("tuneproof.tuning.checkpoints.TimedCheckpoints.on_step_end", interrupt)
        finetune(config)
    assert "Interrupted; the same command" in (config.folder / FILE).read_text()
    with lines_to(said.append):
        finetune(config)
    page = (config.folder / FILE).read_text()
    assert "Finished: all planned steps were taken." in page
    assert "What does river 24 carry?" in page
    assert said[-1] == f"page: {config.folder / FILE}"
    facts = json.loads((config.folder / "run.json").read_text())
    assert f"{facts['result']['best_validation_loss']:.3f}" in page
