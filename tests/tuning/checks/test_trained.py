"""Every fault of a training, planted, and told by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.log import lines_to
from tuneproof.tuning.config import TuneConfig

pytestmark = pytest.mark.slow

Settings = Callable[..., TuneConfig]


def finetuned(config: TuneConfig) -> tuple[Any, str]:
    from tuneproof.tuning.run import finetune

    said: list[str] = []
    with lines_to(said.append):
        return finetune(config), "\n".join(said)


def plant(monkeypatch: pytest.MonkeyPatch, hook: str, act: Callable[..., Any]) -> None:
    """Do something to the model at a hook of the training."""
    from transformers import TrainerCallback

    def call(self: Any, args: Any, state: Any, control: Any, **given: Any) -> None:
        act(given["model"], state)

    planted = type("Planted", (TrainerCallback,), {hook: call})
    monkeypatch.setattr("tuneproof.tuning.train.TimedCheckpoints", lambda *_: planted())


def test_good_training_has_no_warnings(settings: Settings) -> None:
    run, said = finetuned(settings(num_train_epochs=4))
    assert run.warnings == []
    assert "WARNING" not in said


@pytest.mark.parametrize("steps", [2, 3])
@pytest.mark.parametrize("method", ["lora", "dora"])
def test_good_training_of_few_steps_has_no_warnings(
    settings: Settings, method: str, steps: int
) -> None:
    run, said = finetuned(settings(max_steps=steps, method=method))
    assert run.warnings == []
    assert "WARNING" not in said


def test_training_without_gradients_moves_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, "on_pre_optimizer_step", lambda model, state: model.zero_grad())
    run, said = finetuned(settings())
    names = [warning.split(":")[0] for warning in run.warnings]
    assert {"adapter-zero", "adapter-no-effect"} <= set(names)
    assert "WARNING: adapter-zero: not one of the trained tensors changed. Usually nothing" in said
    assert "**Warning:** adapter-zero" in (run.folder / "README.md").read_text()


def test_layer_that_gets_no_gradient_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(model: Any, state: Any) -> None:
        for name, value in model.named_parameters():
            if "h.1.mlp.c_proj.lora_B" in name:
                value.grad = None

    plant(monkeypatch, "on_pre_optimizer_step", cut)
    [warning] = finetuned(settings(num_train_epochs=2))[0].warnings
    assert warning.startswith("part-not-moved: 2 of 16 trained tensors did not change, ")
    assert "h.1.mlp.c_proj.lora_A" in warning  # it gets its first gradient through lora_B


def test_adapter_that_is_switched_off_has_no_effect(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(
        monkeypatch, "on_train_end", lambda model, state: model.base_model.disable_adapter_layers()
    )
    (settings().data / "val.jsonl").unlink()  # else the best checkpoint is loaded, and it is on
    run = finetuned(settings())[0]
    assert any(warning.startswith("adapter-no-effect: ") for warning in run.warnings)


def test_loss_that_rises_is_told(settings: Settings) -> None:
    from tuneproof.models.load import load_model
    from tuneproof.tuning.checks.trained import as_warning, check_trained, snapshot

    model = load_model(settings().model, device="cpu")
    before = snapshot(model, [1, 2, 3])
    for value in model.parameters():
        value.data += 0.1
    rising = [2 + 0.02 * number for number in range(10)]
    assert not list(check_trained(model, [1, 2, 3], before, rising[::-1], 1e-3, 10))
    assert not list(check_trained(model, [1, 2, 3], before, rising[:9], 1e-3, 9))
    [finding] = check_trained(model, [1, 2, 3], before, rising, 1e-3, 10)
    assert as_warning(finding).startswith("loss-flat: the loss goes from 2.010 to 2.170 in 10 logs")


def test_weights_that_are_no_numbers_end_the_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(model: Any, state: Any) -> None:
        next(value for value in model.parameters() if value.requires_grad).data[0] = float("nan")

    plant(monkeypatch, "on_train_end", spoil)
    config = settings()
    (config.data / "val.jsonl").unlink()
    with pytest.raises(InputError, match=r"not-a-number: .*lora_A.* is not finite after"):
        finetuned(config)
    assert json.loads((config.folder / "run.json").read_text())["state"] == "failed"
