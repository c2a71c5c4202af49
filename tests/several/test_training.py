"""Two processes that train together do what one does alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.formats.run import read_run
from tuneproof.formats.training_log import read_metrics

pytestmark = pytest.mark.slow

Together = dict[str, list[dict[str, Any]]]


def curve(run: Path, name: str = "loss") -> list[float]:
    return [row[name] for row in read_metrics(run / "metrics.jsonl") if name in row]


def test_processes_hear_each_other(together: Together) -> None:
    first, second = together["collected"]
    assert first.pop("is_main")
    assert not second.pop("is_main")
    assert first == second
    assert first == {
        "from_main": [3.5], "gathered": [3.5, 4.5], "summed": [8.0, 2**41], "largest": 4.5,
    }  # fmt: skip


@pytest.mark.parametrize("scene", ["examples", "tokens", "head", "sharded"])
def test_same_batch_gives_the_same_losses_as_one_process(
    together: Together, alone: Callable[..., Any], folder: Path, scene: str
) -> None:
    """Batches that do not come out even, accumulated, by example and token, of a head, by FSDP2."""
    one = alone(scene)
    two = folder / "runs" / scene
    for name in ("loss", "eval_loss", "grad_norm"):
        assert curve(two, name) == pytest.approx(curve(one.folder, name), rel=1e-4), name
    results = [seen["run"]["result"] for seen in together[scene]]
    for name in ("steps", "tokens_seen", "examples_seen", "epochs", "best_step"):
        assert {result[name] for result in results} == {getattr(one.result, name)}, name


def test_adapter_is_that_of_one_process(
    together: Together, alone: Callable[..., Any], folder: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    file = "adapter/adapter_model.safetensors"
    two = load_file(folder / "runs" / "tokens" / file)
    one = load_file(alone("tokens").folder / file)
    assert two.keys() == one.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-5)


def test_logits_are_computed_where_something_is_trained_and_counted_over_all(
    together: Together, alone: Callable[..., Any]
) -> None:
    first, second = together["examples"]
    assert first["is_short"]
    assert second["is_short"]
    one = alone("examples")
    result = first["run"]["result"]
    assert second["run"]["result"]["flops"] == result["flops"]
    assert result["head_flops"] == one.result.head_flops
    # what a batch's texts share, and their order, is another
    assert result["flops"] == pytest.approx(one.result.flops, rel=0.1)


def test_all_choose_the_checkpoint_by_the_accuracy_over_all(
    together: Together, alone: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr("tuneproof.tuning.generate.ENOUGH", 5)
    one = alone("chosen")
    for seen in together["chosen"]:
        result = seen["run"]["result"]
        assert result["best_step"] == one.result.best_step
        assert result["best_validation_accuracy"] == one.result.best_validation_accuracy
    assert curve(folder / "runs/chosen", "eval_accuracy") == curve(one.folder, "eval_accuracy")


def test_model_of_dealt_out_weights_is_saved_whole(
    together: Together, alone: Callable[..., Any], folder: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    assert together["sharded"][0]["run"]["state"] == "finished"
    two = load_file(folder / "runs/sharded/model/model.safetensors")
    one = load_file(alone("sharded").saved / "model.safetensors")
    assert two.keys() == one.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("scene", ["flops", "seconds"])
def test_budget_ends_all_at_the_same_step_with_the_same_weights(
    together: Together, folder: Path, scene: str
) -> None:
    first, second = together[scene]
    assert first["weights"] == second["weights"]
    assert first["run"]["ended_by"] == second["run"]["ended_by"] == "budget"
    assert first["run"]["result"]["steps"] == second["run"]["result"]["steps"]
    if scene == "flops":  # of seconds nobody knows how many steps they are
        rates = curve(folder / "runs" / scene, "learning_rate")
        assert max(rates) == pytest.approx(1e-2, rel=0.1)
        assert rates[-1] < 0.3 * max(rates)


def test_operations_of_both_are_the_budget(together: Together) -> None:
    result = together["flops"][0]["run"]["result"]
    step = result["flops"] / result["steps"]
    assert abs(result["flops"] - 2.5e8) <= 0.75 * step


def test_first_process_alone_writes(together: Together, folder: Path) -> None:
    assert together
    for name in ("examples", "tokens", "head", "chosen"):
        run = folder / "runs" / name
        logged = [row["step"] for row in read_metrics(run / "metrics.jsonl") if "loss" in row]
        assert logged == list(range(1, len(logged) + 1)), name
        assert json.loads((run / "run.json").read_text())["processes"] == 2
        assert not list(run.parent.glob(".*.lock"))


def test_signal_to_one_stops_all_and_one_process_goes_on_with_the_same_curve(
    together: Together, scenes: dict[str, Any], alone: Callable[..., Any], folder: Path
) -> None:
    from tuneproof.options import from_mapping
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    assert together["stopped"] == [{"stopped": "Terminated"}] * 2
    stopped = read_run(folder / "runs/stopped")
    assert (stopped.state, stopped.outcome.steps) == ("interrupted", 3)
    resumed = finetune(from_mapping(TuneConfig, scenes["stopped"]["settings"], "scene"))
    assert (resumed.state, resumed.processes) == ("finished", 2)
    whole = alone("stopped")
    assert curve(resumed.folder) == pytest.approx(curve(whole.folder), rel=1e-4)
    assert resumed.outcome.tokens_seen == whole.outcome.tokens_seen
