from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.formats.run_names import finished_run
from tuneproof.inference.classifier import load_head
from tuneproof.models.head import tokenize_texts

pytestmark = pytest.mark.slow

LABELS = ["mud", "ice", "sand"]


def prompt(text: str, instruction: str = "What is in it?") -> Example:
    return Example(id=text, task="river", instruction=instruction, input=text, group=text)


PROMPTS = [
    prompt("the river carries ice to sea"),
    prompt("sand"),
    prompt("", "the slow and wide river carries mud to sea"),
    prompt("the river is slow " * 20),
]


@pytest.fixture(scope="module")
def head_runs(base_models: dict[str, Path], tmp_path_factory: Any) -> Path:
    """Runs lora, head and full of three labels, and one that generates."""
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    folder: Path = tmp_path_factory.mktemp("heads")
    rows = [
        {
            "id": f"r{number}",
            "task": "river",
            "instruction": "What is in it?",
            "input": f"the river carries {LABELS[number % 3]} to sea",
            "output": LABELS[number % 3],
        }
        for number in range(24)
    ]
    (folder / "data").mkdir()
    (folder / "data" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    manifest = {"schema": "tuneproof/data@1", "labels": {"river": LABELS}}
    (folder / "data" / "manifest.json").write_text(json.dumps(manifest))
    for method in ("lora", "head", "full", "generate"):
        config = TuneConfig(
            data=folder / "data", model=str(base_models["gpt2"]), name=method,
            runs=folder / "runs", max_length=32, num_train_epochs=4, learning_rate=1e-2, lora_r=2,
            method="lora" if method == "generate" else method,
            objective="generate" if method == "generate" else "classify",
        )  # fmt: skip
        finetune(config)
    return folder / "runs"


@pytest.fixture
def spoiled(head_runs: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy a run, for a test to spoil, without the hashes that would tell."""

    def copy(name: str) -> Path:
        shutil.copytree(head_runs / name, tmp_path / "runs" / name)
        edit(tmp_path / "runs" / name / "run.json", lambda facts: facts.pop("weights_sha256"))
        return tmp_path / "runs"

    return copy


def edit(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(file.read_text())
    change(value)
    file.write_text(json.dumps(value))


def refused(runs: Path, name: str, labels: list[str] = LABELS) -> str:
    with pytest.raises(InputError) as caught:
        load_head(finished_run(runs, name), labels)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["lora", "head", "full"])
def test_answers_are_those_of_the_model_one_by_one(head_runs: Path, name: str) -> None:
    import torch

    head = load_head(finished_run(head_runs, name), LABELS, dtype="float32")
    answers = head.answer(PROMPTS)
    texts = [item.text for item in PROMPTS]
    for text, answer in zip(texts, answers, strict=True):
        given = head.tokenizer(text, truncation=True, max_length=32, return_tensors="pt")
        with torch.no_grad():
            expected = head.model(**given).logits[0].softmax(-1).tolist()
        found = answer["label_probabilities"]
        assert list(found) == LABELS
        assert list(found.values()) == pytest.approx(expected, abs=1e-5)
        assert sum(found.values()) == pytest.approx(1, abs=1e-12)
        assert answer["text"] is None
        assert answer["label"] == max(found, key=found.__getitem__)


def test_order_of_the_prompts_and_of_the_labels_is_kept(head_runs: Path) -> None:
    head = load_head(finished_run(head_runs, "lora"), LABELS)
    turned = load_head(finished_run(head_runs, "lora"), LABELS[::-1])
    assert turned.labels == ("sand", "ice", "mud")
    answers, others = head.answer(PROMPTS), turned.answer(PROMPTS[::-1])[::-1]
    for one, other in zip(answers, others, strict=True):
        assert list(other["label_probabilities"]) == ["sand", "ice", "mud"]
        assert one["label_probabilities"] == pytest.approx(other["label_probabilities"], abs=1e-6)
        assert one["label"] == other["label"]
    assert head.answer([]) == []


def test_head_is_described(head_runs: Path, base_models: dict[str, Path]) -> None:
    lora = load_head(finished_run(head_runs, "lora"), LABELS).described
    full = load_head(finished_run(head_runs, "full"), LABELS).described
    assert lora["name"] == "lora"
    assert lora["kind"] == "head"
    assert lora["model"] == str(base_models["gpt2"])
    assert lora["adapter"] == str(head_runs / "lora" / "adapter")
    assert full["adapter"] is None
    keys = {"method", "parameters", "training_seconds", "peak_memory_bytes"}
    assert keys <= lora.keys() == full.keys()
    result = json.loads((head_runs / "lora" / "run.json").read_text())["result"]
    assert lora["training"]["flops"] == result["flops"] > 0


def test_half_precision_gives_nearly_the_same(head_runs: Path) -> None:
    import torch

    exact = load_head(finished_run(head_runs, "lora"), LABELS, dtype="float32")
    half = load_head(finished_run(head_runs, "lora"), LABELS, dtype="bfloat16")
    assert half.model.get_base_model().transformer.wte.weight.dtype == torch.bfloat16
    for one, other in zip(exact.answer(PROMPTS), half.answer(PROMPTS), strict=True):
        assert one["label_probabilities"] == pytest.approx(other["label_probabilities"], abs=0.1)


def test_other_labels_and_other_runs_are_refused(head_runs: Path) -> None:
    assert refused(head_runs, "lora", ["mud", "ice", "clay"]) == (
        "run 'lora' was trained on other labels: it does not know 'clay'; it knows 'sand' as well"
    )
    assert refused(head_runs, "generate").startswith("run 'generate' has no classification head")
    assert "unknown run 'lorra'. Did you mean 'lora'?" in refused(head_runs, "lorra")


def test_base_that_was_changed_is_refused(
    spoiled: Callable[..., Path], make_model: Callable[..., Path], tmp_path: Path
) -> None:
    runs = spoiled("lora")
    other = str(make_model(tmp_path / "model", "gpt2", seed=3))
    edit(runs / "lora" / "run.json", lambda facts: facts["base"].update(model=other))
    assert "are not those that 'lora' was trained on" in refused(runs, "lora")


@pytest.mark.parametrize("name", ["lora", "head", "full"])
def test_head_that_is_not_the_trained_one_is_refused(
    spoiled: Callable[..., Path], name: str
) -> None:
    from safetensors.torch import load_file, save_file

    runs = spoiled(name)
    [file] = (runs / name).glob("[am]*/*.safetensors")
    weights = load_file(file)
    [key] = [key for key in weights if key.endswith("score.weight")]
    save_file(weights | {key: weights[key] + 1e-3}, file, metadata={"format": "pt"})
    message = refused(runs, name)
    assert message.startswith(f"the head of run {name!r} is not the one that was trained: score.we")
    assert message.endswith("left out of modules_to_save, so that it is random at loading")


def test_head_that_was_left_out_of_the_file_is_refused(spoiled: Callable[..., Path]) -> None:
    from safetensors.torch import load_file, save_file

    runs = spoiled("lora")
    file = runs / "lora" / "adapter" / "adapter_model.safetensors"
    weights = {key: value for key, value in load_file(file).items() if "score" not in key}
    save_file(weights, file, metadata={"format": "pt"})
    assert "lacks the head's" in refused(runs, "lora")
    edit(  # as if the run had not been one of classification: PEFT adds the head's names to those
        file.parent / "adapter_config.json",
        lambda told: told.update(task_type=None, modules_to_save=None),
    )
    assert "random at loading" in refused(runs, "lora")
    file.unlink()
    assert refused(runs, "lora").endswith("holds no adapter_model.safetensors")


@pytest.mark.parametrize("name", ["lora", "full"])
def test_labels_that_are_turned_round_are_refused(spoiled: Callable[..., Path], name: str) -> None:
    runs = spoiled(name)
    [config] = (runs / name).glob("[am]*/config.json")
    turned = {"0": "ice", "1": "mud", "2": "sand"}
    edit(config, lambda told: told.update(id2label=turned))
    message = refused(runs, name)
    assert message.startswith(f"{config}: the labels are ['ice', 'mud', 'sand'], but run.json has")
    assert message.endswith("the mapping would be turned round")


def test_texts_are_cut_at_the_end_and_counted(tokenizer: Any) -> None:
    tokenizer.pad_token = tokenizer.eos_token
    whole = tokenizer("the river is slow")["input_ids"]
    ids, shortened = tokenize_texts(
        ["the river is slow", "the river", ""], tokenizer, len(whole) - 1
    )
    assert ids[0] == whole[:-1]
    assert ids[2] == [tokenizer.pad_token_id]
    assert shortened == [True, False, False]
    assert tokenize_texts([], tokenizer, 5) == ([], [])
