from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.files import read_json, write_json
from tuneproof.finding import worst_first
from tuneproof.formats.run import Run, read_run
from tuneproof.inference.compare import compare
from tuneproof.inference.config import CompareConfig
from tuneproof.kernels import decoding_attention as attending
from tuneproof.prompts.fit import IGNORED
from tuneproof.tuning import generate
from tuneproof.tuning.checks.run import check_run
from tuneproof.tuning.doctor import examine

pytestmark = pytest.mark.slow

Severities = Callable[[Any], dict[str, str]]
NAME = "gpt2-mud"
SMALL = {"few-test-items", "no-test"}


@pytest.fixture
def severities() -> Severities:
    """Return the worst severity of each code."""
    return lambda findings: {one.code: one.severity for one in reversed(worst_first(findings))}


@pytest.fixture
def run(runs: Path, tmp_path: Path) -> Path:
    """A copy of a healthy run, to be spoiled."""
    folder = tmp_path / "runs" / NAME
    shutil.copytree(runs / NAME, folder)
    return folder


@pytest.fixture
def found(run: Path, severities: Severities) -> Callable[..., dict[str, str]]:
    return lambda **given: severities(examine(run=run, **given))


Found = Callable[..., dict[str, str]]


def change(run: Path, **facts: Any) -> Run:
    write_json(run / "run.json", read_json(run / "run.json") | facts)
    return read_run(run)


def log(run: Path, losses: list[float], validation: list[float] = ()) -> Run:  # type: ignore[assignment]
    rows: list[dict[str, float]] = [{"step": n, "loss": loss} for n, loss in enumerate(losses)]
    rows += [{"step": n, "epoch": n + 1.0, "eval_loss": v} for n, v in enumerate(validation)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_run(run)


def test_healthy_run_is_clean(found: Found, runs: Path, severities: Severities) -> None:
    assert found() == {}
    assert severities(examine(run=runs / "llama-ice")) == {}


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (lambda e: (e.prompt_ids, e.completion_ids[:-1]), "eos-not-trained"),
        (lambda e: (e.prompt_ids, [*e.completion_ids[:-1], IGNORED]), "eos-not-trained"),
        (lambda e: ([], e.prompt_ids + e.completion_ids), "loss-on-prompt"),
        (lambda e: ([*e.prompt_ids, *e.completion_ids[:-1]], e.completion_ids[-1:]),
         "answer-not-trained"),
    ],
)  # fmt: skip
def test_faults_of_the_encoding(
    found: Found, monkeypatch: pytest.MonkeyPatch, row: Any, code: str
) -> None:
    def as_row(encoded: Any) -> dict[str, list[int]]:
        masked, trained = row(encoded)
        return {
            "input_ids": masked + trained,
            "labels": [IGNORED] * len(masked) + trained,
        }

    monkeypatch.setattr(generate, "as_row", as_row)
    assert found() == {code: "error"}


@pytest.mark.parametrize(
    ("losses", "validation", "expected"),
    [
        ([3.0 - 0.05 * n for n in range(30)], [2.0, 1.9, 1.8], {}),
        ([3.0] * 3, [], {}),
        ([2.0 + 0.1 * n for n in range(30)], [], {"loss-diverged": "error"}),
        ([2.0] * 15 + [float("nan")], [], {"loss-diverged": "error"}),
        ([2.0] * 3, [2.0, float("inf")], {"loss-diverged": "error"}),
        ([2.0 + 0.001 * (n % 2) for n in range(30)], [], {"loss-flat": "warning"}),
        ([2.0 + 0.01 * n for n in range(30)], [], {"loss-flat": "warning"}),
        ([3.0 - 0.05 * n for n in range(30)], [2.0, 1.8, 1.9], {"overfitting": "warning"}),
    ],
)
def test_curves(
    run: Path, severities: Severities, losses: list[float], validation: list[float],
    expected: dict[str, str],
) -> None:  # fmt: skip
    assert severities(check_run(log(run, losses, validation))) == expected


def test_weights_kept_for_their_right_answers_are_no_overfitting(
    run: Path, severities: Severities
) -> None:
    result = read_json(run / "run.json")["result"] | {"best_validation_accuracy": 0.9}
    spoilt = log(run, [3.0 - 0.05 * n for n in range(30)], [2.0, 1.8, 1.9])
    for step, expected in ((1, {"overfitting": "warning"}), (10**6, {})):
        kept = change(spoilt.folder, result=result | {"best_step": step})
        assert severities(check_run(kept)) == expected


def test_a_run_without_validation_or_end(run: Path, severities: Severities) -> None:
    data = read_json(run / "run.json")["data"]
    data["validation"]["examples"] = 0
    spoilt = change(run, state="interrupted", data=data)
    assert severities(check_run(spoilt)) == {
        "no-validation": "warning",
        "run-unfinished": "warning",
    }


def test_data_built_anew_is_told(run: Path, severities: Severities) -> None:
    data = read_json(run / "run.json")["data"] | {"fingerprint": "of before"}
    assert severities(check_run(change(run, data=data))) == {"data-changed": "warning"}


def test_another_base_is_found(run: Path, found: Found, base_models: dict[str, Path]) -> None:
    base = read_json(run / "run.json")["base"]
    change(run, base=base | {"weights_sha256": "0" * 64})
    assert found() == {"base-changed": "error"}
    change(run, base={"model": "/nowhere/model", "weights_sha256": base["weights_sha256"]})
    assert found() == {"base-missing": "warning"}
    change(run, base=base)
    config = read_json(run / "adapter" / "adapter_config.json")
    config["base_model_name_or_path"] = str(base_models["llama"])
    write_json(run / "adapter" / "adapter_config.json", config)
    assert found() == {"adapter-wrong-base": "error"}


def test_an_adapter_of_another_shape_is_found(run: Path, runs: Path, found: Found) -> None:
    change(run, weights_sha256=None)
    file = "adapter_model.safetensors"
    shutil.copy(runs / "llama-mud" / "adapter" / file, run / "adapter" / file)
    assert found() == {"adapter-wrong-base": "error"}


def test_an_adapter_of_zeros_is_found(run: Path, found: Found) -> None:
    from safetensors.torch import load_file, save_file

    file = run / "adapter" / "adapter_model.safetensors"
    tensors = load_file(file)
    save_file({k: v * 0 if ".lora_B." in k else v for k, v in tensors.items()}, file)
    assert found() == {"weights-changed": "error"}
    change(run, weights_sha256=None)
    assert found() == {"adapter-zero": "error", "adapter-no-effect": "error"}


@pytest.fixture
def compared(run: Path, tmp_path: Path) -> Callable[..., Path]:
    """Ask base and run some questions of very different lengths."""

    def ask() -> Path:
        items = [{"id": f"{n}", "prompt": f"River {n}? " + "Say it. " * n} for n in range(8)]
        (tmp_path / "prompts.json").write_text(json.dumps(items))
        out = tmp_path / "compared.json"
        config = CompareConfig(
            run=(NAME,),
            runs=run.parent,
            out=out,
            max_new_tokens=8,
            batch_size=8,
            dtype="float32",
            few_shot=0,
            no_baselines=True,
        )
        compare(tmp_path / "prompts.json", config)
        return out

    return ask


def errors(codes: dict[str, str]) -> set[str]:
    return {code for code, severity in codes.items() if severity == "error"}


def test_healthy_comparison_beside_its_run(compared: Callable[..., Path], found: Found) -> None:
    assert errors(found(comparison=compared())) == set()


def test_another_template_is_found(compared: Callable[..., Path], found: Found) -> None:
    file = compared()
    value = read_json(file)
    for row in (value, *value["variants"]):
        row["template"] = "Instruction: {{ instruction }}\nOutput:"
    write_json(file, value)
    assert errors(found(comparison=file)) == {"run-template-differs"}


def test_another_base_in_the_comparison_is_found(
    compared: Callable[..., Path], found: Found
) -> None:
    file = compared()
    value = read_json(file)
    value["variants"][1]["model"] = "gpt2-xl"
    write_json(file, value)
    assert errors(found(comparison=file)) == {"comparison-of-other-base", "base-differs"}


def test_padding_that_is_seen_is_found(
    compared: Callable[..., Path], found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = attending.spans

    def all_of_it(starts: list[int], held: int) -> list[Any]:
        return spans([0] * len(starts), held)

    with monkeypatch.context() as patched:
        patched.setattr(attending, "spans", all_of_it)
        patched.setattr("tuneproof.inference.decode._leaves_padding_out", lambda core: True)
        file = compared()
    assert "batch-differs" in errors(found(comparison=file))


def test_prompts_that_were_trained_on_are_found(
    compared: Callable[..., Path], found: Found
) -> None:
    file = compared()
    value = read_json(file)
    value["items"][0] |= {"prompt": "What does river 6 carry?", "input": ""}
    write_json(file, value)
    assert "prompts-in-train" in errors(found(comparison=file))


def test_heads(
    classified: Callable[..., Any], severities: Severities, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    run: Path = classified(num_train_epochs=3).folder
    assert errors(severities(examine(run=run))) == set()
    with monkeypatch.context() as patched:
        quantised = {"score.weight": torch.zeros(3, dtype=torch.uint8)}
        patched.setattr("tuneproof.models.head.head_tensors", lambda model, head: quantised)
        assert "head-quantised" in errors(severities(examine(run=run)))
    head = read_json(run / "run.json")["head"]
    same = {name: each | {"before": each["after"]} for name, each in head["tensors"].items()}
    change(run, head=head | {"tensors": same})
    assert errors(severities(examine(run=run))) == {"head-untrained"}
    change(run, head=head, weights_sha256=None)
    file = run / "adapter" / "adapter_model.safetensors"
    tensors = load_file(file)
    save_file({k: torch.randn_like(v) if "score" in k else v for k, v in tensors.items()}, file)
    assert errors(severities(examine(run=run))) == {"head-untrained"}
