from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tuneproof.errors import InputError
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.cost.plan import GPUS, plan

pytestmark = pytest.mark.slow


@pytest.fixture
def config(base_models: dict[str, Path], kind: str, tmp_path: Path) -> TuneConfig:
    return TuneConfig(model=str(base_models[kind]), data=tmp_path / "none", max_length=96, lora_r=2)


def test_plan_is_the_estimate_of_the_loaded_model(config: TuneConfig, kind: str) -> None:
    import torch

    from tuneproof.formats.run import Counts
    from tuneproof.kernels.training import CPU_ONLY, fast_paths
    from tuneproof.models.load import load_model
    from tuneproof.tuning import adapters, runs
    from tuneproof.tuning.cost.flops import rates_of
    from tuneproof.tuning.cost.kept import kept_by, padded
    from tuneproof.tuning.cost.machine import memory_of

    counts = Counts(examples=1000, tokens=96_000, longest=96, trained_tokens=96_000, shortened=0)
    loaded = load_model(config.model, dtype="bfloat16")
    model = adapters.adapt(config, loaded).model
    adapters.train_in_float32(model)
    with fast_paths(model, tuple(CPU_ONLY)) as paths:
        kept = kept_by(model, "bfloat16")
    load = padded(model, 8, 96, trained=8 * 96)
    own = memory_of(model, runs.recorded(config), kept, load, "bfloat16", paths)
    planned = plan(config, gpus=1, gpu="h100")
    assert planned.counts == counts
    assert planned.is_assumed
    assert planned.parameters == (
        sum(value.numel() for value in model.parameters() if value.requires_grad),
        sum(value.numel() for value in model.parameters()),
    )
    for name in ("weights", "trained"):
        assert getattr(planned.memory, name) == pytest.approx(getattr(own, name), rel=0.02), name
    with torch.no_grad():
        rates = rates_of(model)
    per_example = rates.batch(1, 96) + 96 * rates.per_output
    assert planned.flops == pytest.approx(3 * 1000 * per_example)


def test_what_ends_the_training_first_decides(config: TuneConfig) -> None:
    whole = plan(config, gpus=2, gpu="a100")
    assert whole.epochs == 3
    for ends, epochs in (
        (
            {"max_steps": 100, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 3},
            2.4,
        ),
        ({"max_tokens": 192_000}, 2),
        ({"max_tokens": 480_000}, 5),  # whatever the epochs
        ({"max_flops": whole.flops / 2}, 1.5),
        ({"max_seconds": whole.seconds, "max_tokens": 960_000}, 3),
    ):
        ended = plan(replace(config, **ends), gpus=2, gpu="a100")
        assert ended.epochs == pytest.approx(epochs)
        assert ended.flops == pytest.approx(whole.flops * epochs / 3)
        assert ended.seconds == pytest.approx(whole.seconds * epochs / 3)
    assert any(" 3 epochs of 1,000 examples" in line for line in whole.lines())


def test_more_gpus_take_less_time_and_sharded_less_memory(config: TuneConfig) -> None:
    one, eight = (plan(config, gpus=gpus, gpu="a100") for gpus in (1, 8))
    assert one.seconds == pytest.approx(8 * eight.seconds)
    assert one.memory == eight.memory
    whole = replace(config, method="full")
    full, sharded = (plan(whole, gpus=8, gpu="a100", sharding=how) for how in ("none", "full"))
    assert sharded.memory.trained == pytest.approx(full.memory.trained / 8)
    assert sharded.memory.total < full.memory.total


def test_largest_batch_is_the_last_that_fits(
    config: TuneConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = replace(GPUS["t4"], memory=0.2)
    monkeypatch.setitem(GPUS, "t4", card)
    largest = plan(config, gpus=1, gpu="t4").largest_batch
    assert largest > 1
    limit = 0.92 * card.memory * 2**30
    for batch, fits in ((largest, True), (largest + 1, False)):
        one = replace(config, per_device_train_batch_size=batch)
        assert (plan(one, gpus=1, gpu="t4").memory.total <= limit) == fits
    monkeypatch.setitem(GPUS, "t4", replace(card, memory=0.01))
    assert plan(config, gpus=1, gpu="t4").largest_batch == 0


def test_four_bits_save_weights_alone(config: TuneConfig) -> None:
    whole, quarter = (plan(replace(config, method=m), gpus=1, gpu="l4") for m in ("lora", "qlora"))
    assert quarter.memory.weights < 0.75 * whole.memory.weights
    assert quarter.memory.activations == whole.memory.activations
    assert quarter.flops == whole.flops


def test_data_are_counted_where_there_are_any(config: TuneConfig, write_data: Any) -> None:
    write_data(config.data)
    planned = plan(config, gpus=1, gpu="h100")
    assert not planned.is_assumed
    assert planned.counts.examples == 24


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gpu": "h1000"}, "unknown GPU 'h1000'. Did you mean 'h100'"),
        ({"gpus": 0}, "--gpus must be at least 1"),
        ({"share_of_peak": 2.0}, "--share-of-peak over 0 and at most 1"),
    ],
)
def test_what_cannot_be_planned_is_said(
    config: TuneConfig, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        plan(config, **{"gpus": 1, "gpu": "h100", **changes})


def test_command_says_memory_batch_and_time(config: TuneConfig) -> None:
    from tuneproof.tuning.cli import main

    options = ["--model", config.model, "--data", str(config.data), "--max-length", "96"]
    result = CliRunner().invoke(main, ["plan", *options, "--gpus", "4", "--gpu", "l4"])
    assert result.exit_code == 0, result.output
    for part in (
        "memory per GPU with a batch of 8",
        "fits in 22 GiB",
        "a step: 32 examples",
        "on 4 GPUs",
    ):
        assert part in result.output


def test_records_that_are_all_too_long_are_said(config: TuneConfig, write_data: Any) -> None:
    write_data(config.data)
    with pytest.raises(InputError, match=r"all 24 training records are longer than max_length 5"):
        plan(replace(config, max_length=5, max_steps=10), gpus=1, gpu="h100")


@pytest.mark.parametrize(
    ("precision", "gpu", "message"),
    [("no", "h100", "speed in 16 bits only"), ("bf16", "t4", "a t4 has no bfloat16")],
)
def test_a_precision_of_unknown_speed_is_not_planned(
    config: TuneConfig, precision: Any, gpu: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        plan(replace(config, mixed_precision=precision), gpus=1, gpu=gpu)


def test_labels_in_prompts_are_planned(config: TuneConfig, write_data: Any) -> None:
    write_data(config.data)
    rows = [json.loads(line) for line in (config.data / "train.jsonl").read_text().splitlines()]
    lines = [json.dumps({**row, "output": ("mud", "ice")[n % 2]}) for n, row in enumerate(rows)]
    (config.data / "train.jsonl").write_text("\n".join(lines))
    manifest = {"schema": "tuneproof/data@1", "labels": {rows[0]["task"]: ["mud", "ice"]}}
    (config.data / "manifest.json").write_text(json.dumps(manifest))
    plain, named = (
        plan(replace(config, name_labels=is_named), gpus=1, gpu="h100").counts.tokens
        for is_named in (False, True)
    )
    assert named > plain
