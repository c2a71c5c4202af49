from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.log import lines_to
from tuneproof.tuning.config import TuneConfig

pytestmark = pytest.mark.slow

Settings = Callable[..., TuneConfig]
Tuned = Callable[..., Any]


def weights(run: Any) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(run.adapter / "adapter_model.safetensors")


def is_same(one: Any, other: Any) -> bool:
    import torch

    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


def rows(run: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]


def test_loss_falls_and_the_folder_is_complete(runs: Path, kind: str) -> None:
    from tuneproof.formats.training_log import read_metrics

    folder = runs / f"{kind}-mud"
    for name in ("README.md", "loss.png", "metrics.jsonl", "run.json", "checkpoints"):
        assert (folder / name).exists(), name
    assert not list(folder.glob("*/README.md"))  # the drafts of TRL and PEFT
    facts = json.loads((folder / "run.json").read_text())
    losses = [row["loss"] for row in read_metrics(folder / "metrics.jsonl") if "loss" in row]
    assert facts["result"]["first_loss"] == pytest.approx(sum(losses[:8]) / 8)
    assert facts["result"]["last_loss"] == pytest.approx(sum(losses[-8:]) / 8)
    assert facts["result"]["last_loss"] < 0.4 * facts["result"]["first_loss"]
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    card = (folder / "README.md").read_text()
    assert "c_attn" in card if kind == "gpt2" else "q_proj" in card
    assert "\n| steps | 72 (12.0 epochs) |\n| loss (mean of" in card
    assert " |\n| best validation loss | " in card


def test_run_json_says_what_is_needed_to_repeat_and_to_judge(
    runs: Path, kind: str, base_models: dict[str, Path]
) -> None:
    from tuneproof.files import fingerprint
    from tuneproof.models.weights import weights_hash
    from tuneproof.prompts import template as templates

    facts = json.loads((runs / f"{kind}-mud" / "run.json").read_text())
    data = runs.parent / "data-mud"
    hashes = [fingerprint(data / f"{name}.jsonl")[:16] for name in ("train", "val", "test")]
    assert facts["schema"] == "tuneproof/run@1"
    assert facts["state"] == "finished"
    assert facts["made_by"] == "tune run"
    assert facts["config"]["seed"] == 42
    assert facts["config"]["learning_rate"] == 1e-2
    assert facts["data"]["fingerprint"] == " ".join(hashes)
    assert facts["template"] == {"name": "instruct", "text": templates.load().text}
    assert facts["base"]["model"] == str(base_models[kind])
    assert facts["base"]["weights_sha256"] == weights_hash(str(base_models[kind]))
    assert {"torch", "transformers", "peft", "trl", "python"} <= facts["versions"].keys()
    assert 0 < facts["parameters"]["trainable"] < 0.2 * facts["parameters"]["total"]
    result, counts = facts["result"], facts["data"]["train"]
    assert (result["steps"], result["epochs"]) == (72, 12)
    assert result["examples_seen"] == 12 * counts["examples"] == 12 * 24
    assert result["tokens_seen"] == 12 * counts["tokens"]
    total = facts["parameters"]["total"]
    assert 0.5 * result["tokens_seen"] < result["positions_seen"] < result["tokens_seen"]
    assert 2 * total < result["flops"] / result["positions_seen"] < 6 * total
    assert 0 < result["head_flops"] < result["flops"]
    assert facts["ended_by"] == "steps"
    assert 0 < result["train_seconds"] <= result["wall_seconds"]
    assert 0 < result["wall_seconds"] < 100
    assert 10**8 < result["peak_memory_bytes"] < 10**10


def test_parameters_are_those_of_adapter_and_base(
    runs: Path, kind: str, base_models: dict[str, Path]
) -> None:
    from safetensors.torch import load_file

    folder = runs / f"{kind}-mud"
    adapter = load_file(folder / "adapter" / "adapter_model.safetensors")
    base = load_file(base_models[kind] / "model.safetensors")
    facts = json.loads((folder / "run.json").read_text())
    trainable, total = facts["parameters"]["trainable"], facts["parameters"]["total"]
    assert trainable == sum(value.numel() for value in adapter.values())
    assert total - trainable == sum(value.numel() for value in base.values())


def test_adapter_can_be_loaded_by_peft_alone(runs: Path, kind: str) -> None:
    import torch
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoTokenizer

    adapter = runs / f"{kind}-mud" / "adapter"
    model = AutoPeftModelForCausalLM.from_pretrained(adapter)
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    text = "### Instruction:\nWhat does river 3 carry?\n\n### Response:\n"
    asked = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        answer = model.generate(**asked, max_new_tokens=8, pad_token_id=0, do_sample=False)
    new = answer[0, asked["input_ids"].shape[1] :]
    assert tokenizer.decode(new) == "Mud.<|endoftext|>"


def test_metrics_hold_loss_learning_rate_and_validation(runs: Path, kind: str) -> None:
    folder = runs / f"{kind}-mud"
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    training = [row for row in found if "loss" in row]
    assert [row["step"] for row in training] == list(range(1, 73))
    assert {"learning_rate", "grad_norm", "epoch", "seconds", "num_tokens"} <= training[0].keys()
    assert [row["step"] for row in found if "eval_loss" in row] == list(range(6, 73, 6))
    seconds = [row["seconds"] for row in found]
    assert seconds == sorted(seconds)


def test_same_seed_gives_the_same_adapter_and_another_does_not(tuned: Tuned) -> None:
    one, again = tuned(name="one", lora_dropout=0.1), tuned(name="again", lora_dropout=0.1)
    other = tuned(name="other", lora_dropout=0.1, seed=7)
    assert is_same(one, again)
    assert not is_same(one, other)


def test_best_checkpoint_is_the_one_saved(tuned: Tuned, tmp_path: Path) -> None:
    validation = (tmp_path / "data" / "val.jsonl").read_text()
    (tmp_path / "data" / "val.jsonl").write_text(validation.replace("Mud.", "tons of ice"))
    run = tuned(num_train_epochs=4, lr_scheduler_type="constant")
    losses = {row["step"]: row["eval_loss"] for row in rows(run) if "eval_loss" in row}
    best = min(losses, key=lambda step: losses[step])
    assert best < max(losses)  # it learns another answer: the validation loss rises
    assert run.result.best_step == best
    assert run.result.best_validation_loss == losses[best]
    checkpoints = {path.name: path for path in (run.folder / "checkpoints").iterdir()}
    assert len(checkpoints) == 2
    assert f"checkpoint-{best}" in checkpoints
    saved = (run.adapter / "adapter_model.safetensors").read_bytes()
    for name, path in checkpoints.items():
        is_the_best = (path / "adapter_model.safetensors").read_bytes() == saved
        assert is_the_best == (name == f"checkpoint-{best}")


def test_without_validation_rows_the_last_step_is_saved(tuned: Tuned, tmp_path: Path) -> None:
    (tmp_path / "data" / "val.jsonl").unlink()
    run = tuned()
    assert run.result.best_validation_loss is None
    assert run.data.validation.examples == 0
    assert "best validation loss" not in (run.folder / "README.md").read_text()
    last = run.folder / "checkpoints" / "checkpoint-3" / "adapter_model.safetensors"
    assert last.read_bytes() == (run.adapter / "adapter_model.safetensors").read_bytes()


def test_limit_and_max_steps(tuned: Tuned) -> None:
    run = tuned(limit=10, max_steps=5)
    assert run.data.train.examples == 10
    assert run.result.steps == 5


def test_checkpointing_and_accumulation_change_nothing_but_the_rounding(tuned: Tuned) -> None:
    import torch

    plain, saving = tuned(name="plain"), tuned(name="saving", gradient_checkpointing=True)
    parts = tuned(name="parts", per_device_train_batch_size=4, gradient_accumulation_steps=2)
    for other in (saving, parts):
        assert other.result.steps == plain.result.steps == 3
        found = weights(other)
        for name, value in weights(plain).items():
            torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)


def test_labels_of_the_manifest_are_in_the_run(tuned: Tuned, tmp_path: Path) -> None:
    manifest = {"schema": "tuneproof/data@1", "labels": {"river": ["Mud.", "Ice."]}}
    (tmp_path / "data" / "manifest.json").write_text(json.dumps(manifest))
    assert tuned(max_steps=1).data.labels == {"river": ["Mud.", "Ice."]}


def test_bfloat16_weights_can_be_tuned(tuned: Tuned) -> None:
    run = tuned(dtype="bfloat16", num_train_epochs=4)
    assert run.result.last_loss < run.result.first_loss


def test_all_weights_can_be_tuned(tuned: Tuned, base_models: dict[str, Path]) -> None:
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run = tuned(method="full", num_train_epochs=12, learning_rate=3e-3)
    assert run.parameters.trainable == run.parameters.total
    assert run.saved == run.folder / "model"
    assert not run.adapter.exists()
    before = load_file(base_models["gpt2"] / "model.safetensors")
    after = load_file(run.saved / "model.safetensors")
    assert all(not before[name].equal(after[name]) for name in before)
    asked = AutoTokenizer.from_pretrained(run.saved)(
        "### Instruction:\nWhat does river 3 carry?\n\n### Response:\n", return_tensors="pt"
    )
    model = AutoModelForCausalLM.from_pretrained(run.saved)
    answer = model.generate(**asked, max_new_tokens=8, pad_token_id=0, do_sample=False)
    new = answer[0, asked["input_ids"].shape[1] :]
    assert AutoTokenizer.from_pretrained(run.saved).decode(new) == "Mud.<|endoftext|>"
    card = (run.folder / "README.md").read_text()
    assert 'AutoModelForCausalLM.from_pretrained("model")' in card
    assert "library_name: transformers\n" in card


def test_biases_can_be_tuned_beside_the_adapter(tuned: Tuned) -> None:
    assert any(name.endswith("ln_1.bias") for name in weights(tuned(lora_bias="all")))
    assert not any(name.endswith("bias") for name in weights(tuned(name="plain")))


def test_target_modules_are_those_adapted(tuned: Tuned) -> None:
    assert tuned(target_modules=("c_attn",)).adapted_layers == ["c_attn"]


@pytest.mark.parametrize("target", ["q_proj", "lm_head", "ln_1", "attn"])
def test_layers_that_cannot_be_adapted_are_refused(settings: Settings, target: str) -> None:
    from tuneproof.tuning.run import finetune

    with pytest.raises(InputError, match=rf"{target}.*c_attn, c_fc, c_proj"):
        finetune(settings(target_modules=(target,)))


def test_all_records_too_long_is_an_error(settings: Settings) -> None:
    from tuneproof.tuning.run import finetune

    with pytest.raises(InputError, match=r"all 24 training records are longer than max_length 9"):
        finetune(settings(max_length=9))


def test_max_length_beyond_the_model_is_an_error(settings: Settings) -> None:
    from tuneproof.tuning.run import finetune

    with pytest.raises(InputError, match=r"max_length 129 is more than the model's 128 tokens"):
        finetune(settings(max_length=129))


def test_overwriting_keeps_the_old_run_until_the_new_one_can_start(
    settings: Settings, tuned: Tuned, tmp_path: Path
) -> None:
    from tuneproof.tuning.run import finetune

    run = tuned(max_steps=1)
    broken = settings(max_steps=2, overwrite=True, target_modules=("nonsense",))
    with pytest.raises(InputError):
        finetune(broken)
    assert (run.adapter / "adapter_model.safetensors").is_file()
    assert tuned(max_steps=2, overwrite=True).result.steps == 2
    assert not (run.folder / "checkpoints" / "checkpoint-1").exists()


def test_what_is_trained_is_announced(settings: Settings) -> None:
    from tuneproof.tuning.run import finetune

    said: list[str] = []
    with lines_to(said.append):
        finetune(settings(max_steps=1))
    text = "\n".join(said)
    assert text.startswith("24 examples, 794 tokens of which 72 are trained on; 0 inputs shortened")
    assert "[[Mud.<|endoftext|>]]" in text
    assert "in c_attn, c_fc, c_proj" in text


def test_loss_that_is_no_number_ends_the_training(settings: Settings) -> None:
    from tuneproof.tuning.run import finetune

    config = settings(learning_rate=1e30, num_train_epochs=4, warmup_steps=0)
    with pytest.raises(InputError, match=r"the loss is nan at step \d+; a lower learning_rate"):
        finetune(config)
    assert json.loads((config.folder / "run.json").read_text())["state"] == "failed"


def test_model_from_the_hubs_cache_needs_no_network(
    settings: Settings, base_models: dict[str, Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import shutil

    from tuneproof.formats.run import Base
    from tuneproof.formats.run_names import finished_run
    from tuneproof.inference.variants import load_variants
    from tuneproof.models.weights import weights_hash
    from tuneproof.tuning.run import finetune

    cache = tmp_path / "hub" / "models--some--thing"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text("0" * 40)
    shutil.copytree(base_models["gpt2"], cache / "snapshots" / ("0" * 40))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("tuneproof.hub._answers", lambda: False)
    run = finetune(settings(model="some/thing", max_steps=1))
    assert run.base == Base(
        model="some/thing", weights_sha256=weights_hash(str(base_models["gpt2"]))
    )
    assert load_variants([finished_run(tmp_path / "runs", "short")])[0].names == ["base", "short"]
