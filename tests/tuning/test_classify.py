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
Classified = Callable[..., Any]
KINDS = ("gpt2", "llama", "distilbert", "bert")
HEADS = {
    "gpt2": ["score"],
    "llama": ["score"],
    "distilbert": ["classifier", "pre_classifier"],
    "bert": ["bert.pooler", "classifier"],
}
LESS = {"mud": "mud", "ice": "ice", "sand": "mud"}
TEXTS = ["the slow river carries ice to sea", "sand", "the river carries mud", "slow ice and mud"]


def refused(config: TuneConfig) -> str:
    from tuneproof.tuning.run import finetune

    with pytest.raises(InputError) as caught:
        finetune(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def logits(model: Any, tokenizer: Any, texts: list[str] = TEXTS) -> Any:
    import torch

    model.eval()
    with torch.no_grad():
        return model(**tokenizer(texts, padding=True, return_tensors="pt")).logits


@pytest.mark.parametrize("method", ["full", "head", "lora"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_method_learns_on_every_kind_of_model_and_is_reloaded_by_its_library(
    classify: Settings, kind: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from peft import AutoPeftModelForSequenceClassification
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from tuneproof.tuning import classify as module
    from tuneproof.tuning.run import finetune

    kept: list[Any] = []
    monkeypatch.setattr(
        module,
        "make_trainer",
        lambda *given, make=module.make_trainer, **named: (
            kept.append(make(*given, **named)) or kept[0]
        ),
    )
    epochs = 1 if method == "lora" else 4
    run = finetune(classify(kind, method=method, num_train_epochs=epochs))
    assert run.state == "finished"
    assert run.template is None
    assert run.head.modules == HEADS[kind]
    assert run.head.labels == ["mud", "ice", "sand"]
    assert all(each.before != each.after for each in run.head.tensors.values())
    assert run.accuracy.on == "validation"
    assert run.result.best_validation_loss is not None
    assert bool(run.adapted_layers) == (method == "lora")
    assert not {"score", "classifier", "pre_classifier"} & set(run.adapted_layers)
    tokenizer = AutoTokenizer.from_pretrained(run.saved)
    if method == "full":
        assert run.is_whole
        again = AutoModelForSequenceClassification.from_pretrained(run.saved)
        assert again.config.id2label == {0: "mud", 1: "ice", 2: "sand"}
    else:
        again = AutoPeftModelForSequenceClassification.from_pretrained(
            run.saved, num_labels=3, pad_token_id=run.head.pad_token_id
        )
        size = sum(path.stat().st_size for path in run.saved.glob("*.safetensors"))
        assert size < 60_000
    assert tokenizer.padding_side == "right"
    assert torch.equal(logits(kept[0].model, tokenizer), logits(again, tokenizer))
    card = (run.folder / "README.md").read_text()
    assert "\n| labels | mud, ice, sand |\n" in card
    asked = '("model")' if method == "full" else '(\n    "adapter",\n    num_labels=3,\n'
    assert f"ForSequenceClassification.from_pretrained{asked}" in card


def test_it_learns_what_the_texts_say(classified: Classified, tmp_path: Path) -> None:
    run = classified("distilbert", num_train_epochs=24, lora_r=8)
    accuracy = run.accuracy
    assert (accuracy.on, accuracy.examples) == ("validation", 12)
    assert accuracy.value > 0.8
    assert run.warnings == []
    assert run.result.last_loss < 0.5 * run.result.first_loss
    for name in ("README.md", "loss.png", "metrics.jsonl", "checkpoints"):
        assert (run.folder / name).exists(), name
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "eval_loss" in row] == [*range(5, 121, 5)]
    assert run.result.tokens_seen == 24 * run.data.train.tokens


def test_head_alone_leaves_the_rest_and_costs_less(classified: Classified) -> None:
    run = classified("distilbert", method="head")
    head = 32 * 32 + 32 + 32 * 3 + 3
    assert run.parameters.trainable == head
    every = classified("distilbert", method="lora", name="every")
    assert run.result.flops < 0.5 * every.result.flops


def test_every_evaluation_says_how_many_are_right_and_what_it_took_until_then(
    classified: Classified,
) -> None:
    run = classified(num_train_epochs=3, per_device_train_batch_size=4)
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    found = [row for row in map(json.loads, lines) if "eval_loss" in row]
    assert len(found) == 3
    assert found[-1]["flops"] == run.result.flops
    assert [row["flops"] for row in found] == sorted({row["flops"] for row in found})
    assert found[-1]["train_seconds"] == run.result.train_seconds
    assert all(12 * row["eval_accuracy"] == round(12 * row["eval_accuracy"]) for row in found)
    best = min(found, key=lambda row: row["eval_loss"])
    assert best["eval_accuracy"] == run.accuracy.value


def test_padding_side_changes_nothing(classified: Classified, base_models: dict[str, Path]) -> None:
    import torch

    from tuneproof.models import load as models
    from tuneproof.models.load import load_tokenizer

    run = classified("llama")
    tokenizer = load_tokenizer(str(base_models["llama"]), purpose="classify")
    pad = tokenizer.pad_token_id
    model, _ = models.load_classifier(str(base_models["llama"]), ["a", "b"], pad_token_id=pad)
    right = logits(model, tokenizer)
    tokenizer.padding_side = "left"
    torch.testing.assert_close(logits(model, tokenizer), right, rtol=0, atol=1e-5)
    alone = torch.cat([logits(model, tokenizer, [text]) for text in TEXTS])
    torch.testing.assert_close(alone, right, rtol=0, atol=1e-5)
    assert run.head.pad_token_id == pad


def test_best_checkpoint_is_the_one_saved(classified: Classified, tmp_path: Path) -> None:
    file = tmp_path / "labelled" / "val.jsonl"
    text = file.read_text()
    swapped = text.replace('"output": "mud"', '"output": "?"').replace(
        '"output": "ice"', '"output": "mud"'
    )
    file.write_text(swapped.replace('"output": "?"', '"output": "ice"'))
    run = classified(num_train_epochs=4, lr_scheduler_type="constant")
    best = run.result.best_step
    assert best < 20  # it learns other labels: the validation loss rises
    saved = (run.adapter / "adapter_model.safetensors").read_bytes()
    folder = run.folder / "checkpoints" / f"checkpoint-{best}"
    assert (folder / "adapter_model.safetensors").read_bytes() == saved


@pytest.mark.parametrize("method", ["lora", "full"])
def test_interrupted_run_ends_like_one_that_was_not(
    classify: Settings, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    import os
    import signal

    from transformers import TrainerCallback

    from tuneproof.tuning.run import finetune

    def send(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 7:
            os.kill(os.getpid(), signal.SIGINT)

    plain = {"kind": "distilbert", "num_train_epochs": 2, "method": method}
    whole = finetune(classify(name="whole", **plain))
    cut = classify(name="cut", **plain)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        sender = type("Sender", (TrainerCallback,), {"on_step_end": send})
        patched.setattr("tuneproof.tuning.train.TimedCheckpoints", lambda *_: sender())
        finetune(cut)
    again = finetune(cut)
    assert again.head == whole.head
    name = "adapter_model.safetensors" if method == "lora" else "model.safetensors"
    assert (again.saved / name).read_bytes() == (whole.saved / name).read_bytes()


def test_checkpointing_changes_nothing_but_the_rounding(classified: Classified) -> None:
    plain = classified(name="plain").result
    saving = classified(name="saving", gradient_checkpointing=True).result
    assert saving.last_loss == pytest.approx(plain.last_loss, rel=1e-4)
    assert saving.best_validation_loss == pytest.approx(plain.best_validation_loss, rel=1e-4)


def test_half_precision_keeps_the_head_in_float32(classified: Classified) -> None:
    from safetensors.torch import load_file

    run = classified(dtype="bfloat16", num_train_epochs=4)
    dtypes = {
        str(each.dtype) for each in load_file(run.adapter / "adapter_model.safetensors").values()
    }
    assert dtypes == {"torch.float32"}
    assert run.result.last_loss < run.result.first_loss


def test_biases_can_be_trained_beside_the_adapter(classified: Classified) -> None:
    from safetensors.torch import load_file

    found = load_file(classified(lora_bias="all").adapter / "adapter_model.safetensors")
    assert any(name.endswith("ln_1.bias") for name in found)


def test_announcement(classify: Settings) -> None:
    from tuneproof.tuning.run import finetune

    said: list[str] = []
    with lines_to(said.append):
        finetune(classify("distilbert", max_steps=2, max_length=8, method="head"))
    assert said[0] == (
        "36 examples, 270 tokens; 27 texts shortened (75.0%); 3 labels: mud 12, ice 12, sand 12"
    )
    assert said[1].startswith("head: 1,155 of ")
    assert "are trained (" in said[1]
    assert "in classifier, pre_classifier; learning rate 0.01" in said[1]
    assert any(line.startswith("memory: about ") for line in said)
    assert said[2] == (
        "--- one example; [[what is trained on]]\n[CLS] carries mud to sea [SEP] -> [[mud]]\n---"
    )


def rewrite(folder: Path, name: str, edit: Callable[[dict[str, Any]], Any]) -> None:
    file = folder / f"{name}.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        edit(row)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_labels_without_a_manifest_are_those_of_train(
    classified: Classified, tmp_path: Path
) -> None:
    (tmp_path / "labelled" / "manifest.json").unlink()
    assert classified(max_steps=2).head.labels == ["ice", "mud", "sand"]


def test_data_that_is_no_classification_is_refused(classify: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "labelled"
    manifest = (folder / "manifest.json").read_text()
    rewrite(folder, "val", lambda row: row.update(output="icy"))
    assert refused(classify()).startswith(
        "unknown label of the validation record 'r36': 'icy'. Did you mean 'ice'? Known: ice, mud"
    )
    rewrite(folder, "val", lambda row: row.update(output="ice", task="lake"))
    assert refused(classify()).startswith("the records are of 2 tasks (lake, river); a class")
    rewrite(folder, "val", lambda row: row.update(task="river"))
    (folder / "manifest.json").write_text(manifest.replace('["mud", "ice", "sand"]', '["mud"]'))
    assert refused(classify()).startswith("there is one label only, 'mud'; a classification")
    (folder / "manifest.json").unlink()
    rewrite(folder, "train", lambda row: row.update(output=row["id"]))
    assert "36 training records have 36 different outputs; these are no" in refused(classify())


def test_encoder_cannot_generate(
    settings: Settings, encoders: dict[str, Path], tokenizer: Any, tmp_path: Path
) -> None:
    import shutil

    from transformers import BertForMaskedLM

    hint = "An encoder (BERT, DistilBERT, ...) is tuned with --objective classify"
    assert refused(settings(model=str(encoders["distilbert"]))).endswith(hint)
    for kind in ("distilbert", "bert"):  # with a tokenizer that has an EOS
        folder = tmp_path / kind
        shutil.copytree(encoders[kind], folder)
        tokenizer.save_pretrained(folder)
        assert refused(settings(model=str(folder))).endswith(hint)
    masked = BertForMaskedLM.from_pretrained(encoders["bert"])
    masked.resize_token_embeddings(len(tokenizer))
    masked.save_pretrained(tmp_path / "bert")
    message = refused(settings(model=str(tmp_path / "bert")))
    assert "is no causal language model: it sees the tokens it is to predict" in message


def test_missing_layers_are_no_head(
    classify: Settings, base_models: dict[str, Path], tmp_path: Path
) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(base_models["gpt2"], tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    del weights["transformer.h.1.mlp.c_fc.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert "GPT2Model: transformer.h.1.mlp.c_fc.weight missing" in refused(
        classify(model=str(folder))
    )


def test_a_classifier_can_be_the_base(classified: Classified, tmp_path: Path) -> None:
    first = classified("distilbert", method="full", name="first")
    same = classified(model=str(first.saved), name="same", method="head")
    assert same.head.modules == ["pre_classifier", "classifier"]
    train = tmp_path / "labelled"
    rewrite(
        train, "train", lambda row: row.update(output="ice" if "ice" in row["input"] else "mud")
    )
    rewrite(train, "val", lambda row: row.update(output="ice" if "ice" in row["input"] else "mud"))
    manifest = train / "manifest.json"
    manifest.write_text(manifest.read_text().replace(', "sand"', ""))
    other = classified(model=str(first.saved), name="other", method="head")
    assert other.head.modules == ["classifier"]


def test_head_that_is_left_out_of_the_training_is_noticed(
    classify: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_head(config: TuneConfig, model: Any, head: Any) -> Any:
        from peft import LoraConfig

        return LoraConfig(target_modules=["c_attn"], fan_in_fan_out=True)

    monkeypatch.setattr("tuneproof.tuning.adapters.peft_config", without_head)
    config = classify()
    assert refused(config).startswith(
        "the head was not trained: score.weight is what it was before the 5 steps. Either it was"
    )
    assert json.loads((config.folder / "run.json").read_text())["state"] == "failed"


def test_head_learns_the_same_from_tokens_on_the_disk(
    classify: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneproof.tuning import rows
    from tuneproof.tuning.run import finetune

    inside = finetune(classify())
    monkeypatch.setattr(rows, "IN_MEMORY", 10)
    outside = finetune(classify(name="from-disk"))
    assert outside.data.train == inside.data.train
    assert outside.weights_sha256 == inside.weights_sha256
    assert outside.accuracy == inside.accuracy


@pytest.mark.parametrize("has_validation", [True, False])
def test_labels_that_are_turned_round_are_told_loudly(
    classify: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_validation: bool
) -> None:
    from tuneproof.tuning.classify import encode
    from tuneproof.tuning.run import finetune

    def turned(records: Any, labels: Any, tokenizer: Any, most: int) -> Any:
        return encode(records, [*labels[1:], labels[0]], tokenizer, most)

    monkeypatch.setattr("tuneproof.tuning.classify.encode", turned)
    if not has_validation:
        (tmp_path / "labelled" / "val.jsonl").unlink()
    said: list[str] = []
    with lines_to(said.append):
        run = finetune(classify("distilbert", num_train_epochs=24, lora_r=8, learning_rate=3e-3))
    assert run.accuracy.on == ("validation" if has_validation else "train")
    [warning] = run.warnings
    assert warning.startswith("the labels seem to be turned round: accuracy is ")
    assert "with 'sand' as 'mud', 'mud' as 'ice', 'ice' as 'sand'; check" in warning
    assert f"WARNING: {warning}" in said
    assert f"**Warning:** {warning}." in (run.folder / "README.md").read_text()


@pytest.mark.parametrize("kind", ["gpt2", "distilbert"])
def test_merged_classifier_is_base_plus_adapter(
    classified: Classified, kind: str, tmp_path: Path
) -> None:
    from transformers import AutoModelForSequenceClassification

    from tuneproof.tuning.merge import merge_run

    assert merge_run(classified(kind), tmp_path / "merged").difference < 1e-4
    merged = AutoModelForSequenceClassification.from_pretrained(tmp_path / "merged")
    assert merged.config.id2label == {0: "mud", 1: "ice", 2: "sand"}


def test_there_is_nothing_to_merge_where_all_weights_were_trained(
    classified: Classified, tmp_path: Path
) -> None:
    from tuneproof.tuning.merge import merge_run

    run = classified(method="full")
    with pytest.raises(InputError, match=r"trained all weights: .*model is the whole model"):
        merge_run(run, tmp_path / "merged")


def test_what_a_head_does_not_use_is_said(classify: Settings) -> None:
    from tuneproof.tuning.run import finetune

    lines: list[str] = []
    with lines_to(lines.append):
        finetune(classify("gpt2", name_labels=True, train_on="last", max_steps=3))
    assert "a classification head does not use name_labels, train_on" in "\n".join(lines)
