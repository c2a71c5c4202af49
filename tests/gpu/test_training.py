"""`tune run` on a CUDA device."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tuneproof.formats.run import Run
from tuneproof.kernels.training import PLAIN, fast_paths
from tuneproof.tuning.config import TuneConfig

pytestmark = pytest.mark.gpu
Tuned = Callable[..., Run]
LABELS = ["mud", "ice", "sand"]


def check_learned(run: Run) -> None:
    """What every finished training on a GPU has recorded."""
    assert run.state == "finished"
    assert run.result is not None and run.speed is not None
    first, last = run.result.first_loss, run.result.last_loss
    assert first is not None and last is not None
    assert math.isfinite(first) and last < first
    assert not run.warnings
    assert run.device == torch.cuda.get_device_name(0)
    assert run.result.peak_gpu_memory_bytes is not None
    assert run.result.peak_gpu_memory_bytes > 0
    assert run.result.gpu_seconds is not None
    assert run.result.flops is not None and run.result.flops > 0
    assert run.speed.matrix_flops_per_second > 5e11
    assert run.speed.tokens_per_second > 0


def saved_dtypes(run: Run) -> set[str]:
    from safetensors.torch import load_file

    tensors = [tensor for file in run.weights for tensor in load_file(file).values()]
    assert all(bool(tensor.isfinite().all()) for tensor in tensors)
    return {str(tensor.dtype) for tensor in tensors}


@pytest.mark.parametrize("model", ["tiny", "llama"])
def test_lora_learns_in_bfloat16_and_saves_float32(tuned: Tuned, llama: Path, model: str) -> None:
    run = tuned(model="tiny" if model == "tiny" else str(llama), num_train_epochs=2)
    check_learned(run)
    is_supported = torch.cuda.is_bf16_supported(including_emulation=False)
    assert run.products == ("bfloat16" if is_supported else "float16")
    assert set(run.fast_paths or {}) == {"head", "linear"}
    assert saved_dtypes(run) == {"torch.float32"}


@pytest.mark.parametrize("weighting", ["example", "token"])
def test_all_weights_are_trained_in_float32(tuned: Tuned, weighting: str) -> None:
    run = tuned(method="full", learning_rate=1e-3, loss_weighting=weighting)
    check_learned(run)
    assert run.is_whole
    assert saved_dtypes(run) == {"torch.float32"}


@pytest.mark.parametrize("method", ["dora", "pissa", "adalora", "prefix-tuning"])
def test_every_method_trains(tuned: Tuned, method: str) -> None:
    run = tuned(method=method, max_steps=4, num_virtual_tokens=4)
    assert run.state == "finished"
    assert saved_dtypes(run) == {"torch.float32"}


def test_frozen_weights_of_qlora_are_not_put_in_float32(
    settings: Callable[..., TuneConfig],
) -> None:
    from tuneproof.formats.data_folder import open_to_train
    from tuneproof.tuning.generate import prepare

    config = settings(method="qlora")
    model = prepare(config, open_to_train(config.data, None)).trainer.model
    kinds = {value.dtype for value in model.parameters() if not value.requires_grad}
    assert torch.float32 not in kinds
    assert torch.uint8 in kinds
    assert {value.dtype for value in model.parameters() if value.requires_grad} == {torch.float32}


@pytest.mark.parametrize("checkpointing", [False, True])
def test_qlora_learns(tuned: Tuned, checkpointing: bool) -> None:
    run = tuned(method="qlora", gradient_checkpointing=checkpointing)
    check_learned(run)
    assert run.quantization is not None


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_float16_with_a_scaler_learns(tuned: Tuned, method: str) -> None:
    run = tuned(mixed_precision="fp16", method=method, num_train_epochs=8)
    check_learned(run)
    assert run.products == "float16"
    assert saved_dtypes(run) == {"torch.float32"}


def test_checkpointing_computes_the_same_in_less_memory(
    tuned: Tuned, gpt2: Path, long_data: Path
) -> None:
    plain = {"model": str(gpt2), "data": long_data, "max_length": 1000, "max_steps": 3}
    whole = tuned(name="whole", **plain)
    again = tuned(name="again", gradient_checkpointing=True, **plain)
    assert whole.result is not None and again.result is not None
    assert again.result.first_loss == pytest.approx(whole.result.first_loss, rel=1e-2)
    assert (again.result.peak_gpu_memory_bytes or 0) < (whole.result.peak_gpu_memory_bytes or 0)


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Have Ctrl-C come during a step."""
    from transformers import TrainerCallback

    def send(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == step:
            os.kill(os.getpid(), signal.SIGINT)

    callback = type("Sender", (TrainerCallback,), {"on_step_end": send})
    monkeypatch.setattr("tuneproof.tuning.train.TimedCheckpoints", lambda *_: callback())


@pytest.mark.parametrize("mixed_precision", ["auto", "fp16"])
def test_interrupted_run_ends_like_one_that_was_not(
    tuned: Tuned,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mixed_precision: str,
) -> None:
    caplog.set_level("INFO")
    plain = {"lora_dropout": 0.1, "mixed_precision": mixed_precision, "learning_rate": 3e-4}
    whole = tuned(name="whole", **plain)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        stop_at(patched, 5)
        tuned(name="cut", **plain)
    assert "going on from" not in caplog.text
    again = tuned(name="cut", **plain)
    assert "going on from checkpoint-" in caplog.text
    assert whole.result is not None and again.result is not None
    assert again.result.steps == whole.result.steps
    assert again.result.last_loss == pytest.approx(whole.result.last_loss, rel=2e-2)
    assert again.result.best_validation_loss == pytest.approx(
        whole.result.best_validation_loss, rel=2e-2
    )


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    folder = tmp_path / "labelled"
    folder.mkdir()
    rows = [
        {"id": f"r{number}", "task": "river", "instruction": "", "output": LABELS[number % 3],
         "input": "the slow river " * (number % 4) + f"carries {LABELS[number % 3]} to sea"}
        for number in range(48)
    ]  # fmt: skip
    for name, part in (("train", rows[:36]), ("val", rows[36:]), ("test", [])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    manifest = {"schema": "tuneproof/data@1", "labels": {"river": LABELS}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("method", ["lora", "qlora", "head"])
def test_classification_head_learns(tuned: Tuned, labelled: Path, method: str) -> None:
    run = tuned(objective="classify", data=labelled, method=method, learning_rate=5e-3)
    check_learned(run)
    assert run.accuracy is not None
    assert run.head is not None and run.head.tensors
    assert saved_dtypes(run) == {"torch.float32"}


def test_labels_are_validated_by_their_accuracy(tuned: Tuned, labelled: Path) -> None:
    run = tuned(data=labelled)
    check_learned(run)
    assert run.result is not None and run.result.best_validation_accuracy is not None


@pytest.fixture(scope="module")
def long_data(write_data: Callable[..., Path], tmp_path_factory: Any) -> Path:
    """128 records of several hundred tokens each."""
    folder: Path = tmp_path_factory.mktemp("long")
    return write_data(folder, "the river carries mud and stones to the sea. " * 20, train=128)


def test_no_memory_is_one_line_that_says_what_to_lower(
    settings: Callable[..., TuneConfig], gpt2: Path, long_data: Path, tmp_path: Path
) -> None:
    from click.testing import CliRunner

    from tuneproof.tuning.cli import main

    leave_gib(16)
    arguments = [
        "run", "--data", str(long_data), "--model", str(gpt2), "--runs", str(tmp_path / "runs"),
        "--per-device-train-batch-size", "128", "--max-length", "1000", "--device", "cuda",
        "--dtype", "float32", "--mixed-precision", "no", "--max-steps", "1",
    ]  # fmt: skip
    outcome = CliRunner().invoke(main, arguments)
    last = outcome.stderr.strip().splitlines()[-1]
    assert outcome.exit_code == 2, outcome.stderr
    assert last.startswith("Error: out of memory; lower --per-device-train-batch-size")


def test_batch_size_is_found_by_trying(tuned: Tuned, gpt2: Path, long_data: Path) -> None:
    leave_gib(16)
    run = tuned(
        data=long_data, model=str(gpt2), max_length=1000, per_device_train_batch_size=128,
        auto_find_batch_size=True, max_steps=1, dtype="float32", mixed_precision="no",
    )  # fmt: skip
    assert run.batch is not None
    assert 1 <= run.batch.per_device_train_batch_size < 128
    assert run.batch.per_device_train_batch_size * run.batch.gradient_accumulation_steps == 128
    assert run.result is not None and run.result.examples_seen == 128


def leave_gib(size: float) -> None:
    """Let this process have so much of the GPU's memory."""
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, size * 2**30 / total))


@pytest.mark.parametrize("options", [{"optim": "adamw_8bit"}, {"attn_implementation": "eager"}])
def test_optimizer_and_attention_can_be_chosen(tuned: Tuned, options: dict[str, Any]) -> None:
    check_learned(tuned(**options))


def batch(device: str) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 300, (4, 60), generator=draw)
    mask, labels = torch.ones_like(ids), ids.clone()
    labels[:, :10] = -100
    for row, length in enumerate((60, 51, 33, 20)):
        mask[row, length:], labels[row, length:] = 0, -100
    values = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    return {name: value.to(device) for name, value in values.items()}


def loss_on(
    device: str, model: Any, is_short: bool, is_bf16: bool, unlikelihood: float, block: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[float, float]:  # fmt: skip
    """Return the mean loss of a batch, and the norm of its gradient."""
    from tuneproof.tuning.losses import completion_losses

    model = model.to(device)
    model.zero_grad()
    if block is not None:
        monkeypatch.setattr("tuneproof.kernels.cross_entropy.block_size", lambda *_: block)
    without = () if device == "cuda" else ("attention", "gelu", "linear", "packing", "head")
    with fast_paths(model, without) as paths:
        used = paths if is_short else PLAIN
        with torch.autocast(device, torch.bfloat16, enabled=is_bf16):
            losses, _ = completion_losses(
                model, batch(device), is_short=is_short, unlikelihood=unlikelihood, paths=used
            )
        losses.mean().backward()
    squares = [
        value.grad.float().pow(2).sum() for value in model.parameters() if value.requires_grad
    ]
    return float(losses.mean()), math.sqrt(float(sum(squares)))


@pytest.mark.parametrize("unlikelihood", [0.0, 1.0])
@pytest.mark.parametrize("is_short", [True, False])
@pytest.mark.parametrize("is_bf16", [False, True])
def test_loss_on_the_gpu_is_that_on_the_cpu(
    llama: Path, monkeypatch: pytest.MonkeyPatch, unlikelihood: float, is_short: bool, is_bf16: bool
) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    adapter = LoraConfig(
        task_type="CAUSAL_LM", target_modules="all-linear", init_lora_weights=False, r=2
    )
    model = get_peft_model(base, adapter).train()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if ".lora_" in name:
                value.mul_(0.1)
    there = loss_on("cpu", model, is_short, False, unlikelihood, None, monkeypatch)
    for block in (None, 7):  # many blocks of the fused head
        here = loss_on("cuda", model, is_short, is_bf16, unlikelihood, block, monkeypatch)
        assert here[0] == pytest.approx(there[0], rel=2e-2 if is_bf16 else 1e-3)
        assert here[1] == pytest.approx(there[1], rel=0.1 if is_bf16 else 1e-2)


def test_float32_logits_of_all_tokens_are_never_there(llama: Path) -> None:
    from tuneproof.kernels.cross_entropy import LOGITS, losses

    tokens, width, vocabulary = 8192, 64, 50_000
    hidden = torch.randn(tokens, width, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    weight = torch.randn(width, vocabulary, device="cuda", dtype=torch.bfloat16)
    targets = torch.randint(vocabulary, (tokens,), device="cuda")
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    losses(hidden, weight, targets).mean().backward()
    held = torch.cuda.max_memory_allocated() - before
    assert held < 14 * LOGITS < 4 * tokens * vocabulary


def test_one_gpu_is_used_without_a_launcher(settings: Callable[..., TuneConfig]) -> None:
    from tuneproof.formats.data_folder import open_to_train
    from tuneproof.tuning.generate import prepare

    config = settings()
    arguments = prepare(config, open_to_train(config.data, None)).trainer.args
    assert arguments.n_gpu == 1
    assert arguments.device == torch.device("cuda:0")
