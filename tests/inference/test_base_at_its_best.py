"""The base asked in every way that somebody without a tuned model would try, in one comparison."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.inference.conftest import CHATML
from tuneproof.errors import InputError
from tuneproof.inference import panels
from tuneproof.inference.compare import compare, is_up_to_date
from tuneproof.inference.config import CompareConfig

pytestmark = pytest.mark.slow

NAMES = ["base", "base-as-tuned", "base-few-shot", "base-prompted", "mud", "nearest"]


@pytest.fixture(scope="module")
def chat_model(make_model: Callable[..., Path], tmp_path_factory: Any) -> Path:
    """A minute model with ChatML, whose turns end in a token that is not its EOS."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = make_model(tmp_path_factory.mktemp("chat") / "model", "llama",
                        max_position_embeddings=256)  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(
    chat_model: Path, write_data: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Data with a test file, and a run in `instruct` and one in the model's own template."""
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    folder = write_data(tmp_path_factory.mktemp("asked") / "data")
    rows = [
        {"id": f"t{n}", "task": "river", "instruction": f"What does river {n + 40} carry?",
         "input": "The river is slow and wide." * (n % 2), "output": "Mud."}
        for n in range(5)
    ]  # fmt: skip
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, template in (("mud", "instruct"), ("own", "auto")):
        config = TuneConfig(
            data=folder, model=str(chat_model), name=name, runs=folder / "runs", max_length=96,
            num_train_epochs=8, per_device_train_batch_size=4, learning_rate=1e-2, lora_r=4,
            template=template,
        )  # fmt: skip
        finetune(config)
    return folder


@pytest.fixture
def config(folder: Path, tmp_path: Path) -> CompareConfig:
    return CompareConfig(
        run=("mud",), runs=folder / "runs", out=tmp_path / "c.json", max_new_tokens=8,
        batch_size=2, few_shot=2, system="Be brief.",
    )  # fmt: skip


def turns(*contents: str, system: str = "") -> list[dict[str, str]]:
    roles = ("user", "assistant")
    first = [{"role": "system", "content": system}] if system else []
    return first + [{"role": roles[n % 2], "content": text} for n, text in enumerate(contents)]


def test_every_variant_answers_its_own_prompt(
    folder: Path, config: CompareConfig, chat_model: Path
) -> None:
    """Each answer is that of the model alone, decoded by hand, after the prompt written by hand."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    value = compare(folder / "test.jsonl", config).as_json()
    assert [row["name"] for row in value["variants"]] == NAMES
    tokenizer = AutoTokenizer.from_pretrained(chat_model)
    train = {
        row["id"]: row for row in map(json.loads, (folder / "train.jsonl").read_text().splitlines())
    }
    stops = {tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>")}

    def alone(model: Any, text: str) -> tuple[str, int]:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        new: list[int] = []
        with torch.no_grad():
            while len(new) < 8 and not stops & set(new):
                logits = model(input_ids=torch.tensor([ids + new]), use_cache=False).logits
                new.append(int(logits[0, -1].argmax()))
        return tokenizer.decode(new, skip_special_tokens=True), len(new)

    def chat(*contents: str, system: str = "") -> str:
        text: str = tokenizer.apply_chat_template(
            turns(*contents, system=system), tokenize=False, add_generation_prompt=True
        )
        return text

    base = AutoModelForCausalLM.from_pretrained(chat_model).eval()
    loaded = AutoModelForCausalLM.from_pretrained(chat_model)
    tuned = PeftModel.from_pretrained(loaded, folder / "runs/mud/adapter").eval()
    for item in value["items"][:4]:
        asked = "\n\n".join(filter(None, (item["prompt"], item["input"])))
        shots = [train[name] for name in item["answers"]["base-few-shot"]["shots"]]
        assert len(shots) == 2
        before = [
            text
            for shot in shots
            for text in ("\n\n".join(filter(None, (shot["instruction"], shot["input"]))), "Mud.")
        ]
        context = f"\n\n### Input:\n{item['input']}" if item["input"] else ""
        instruct = f"### Instruction:\n{item['prompt']}{context}\n\n### Response:\n"
        prompts = {
            "base": (base, chat(asked)),
            "base-as-tuned": (base, instruct),
            "base-few-shot": (base, chat(*before, asked)),
            "base-prompted": (base, chat(asked, system="Be brief.")),
            "mud": (tuned, instruct),
        }
        for name, (model, text) in prompts.items():
            answer = item["answers"][name]
            expected, count = alone(model, text)
            assert (answer["text"].strip(), answer["tokens"]) == (expected.strip(), count), name


def test_padding_changes_no_answer(
    folder: Path, config: CompareConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneproof.inference import decode

    unpadded = compare(folder / "test.jsonl", config).as_json()["items"]
    monkeypatch.setattr(decode, "_leaves_padding_out", lambda core: False)
    assert compare(folder / "test.jsonl", config).as_json()["items"] == unpadded


def test_file_says_how_each_was_asked_and_what_an_answer_costs(
    folder: Path, config: CompareConfig
) -> None:
    value = compare(folder / "test.jsonl", config).as_json()
    rows = {row["name"]: row for row in value["variants"]}
    assert value["template"] is None  # they differ
    assert rows["base"]["template"] == rows["base-few-shot"]["template"] == CHATML
    assert rows["base-as-tuned"]["template"] == rows["mud"]["template"] != CHATML
    assert rows["base-few-shot"]["shots"] == {
        "k": 2, "by": "nearest", "file": str(folder / "train.jsonl"), "mean": 2.0
    }  # fmt: skip
    assert rows["base-prompted"]["system"] == "Be brief."
    kinds = {name: row.get("kind") for name, row in rows.items()}
    assert kinds == {
        "base": "base", "base-as-tuned": "base", "base-few-shot": "base", "base-prompted": "base",
        "mud": None, "nearest": "baseline",
    }  # fmt: skip
    for name in NAMES[:-1]:
        row = rows[name]
        tokens = [item["answers"][name]["tokens"] for item in value["items"]]
        assert row["answer_tokens"] == pytest.approx(sum(tokens) / 5, abs=0.05)
        assert row["seconds_per_answer"] > 0
        assert row["tokens_per_second"] > 0
    assert rows["base-as-tuned"]["prompt_tokens"] == rows["mud"]["prompt_tokens"]
    assert rows["base-few-shot"]["prompt_tokens"] > 2 * rows["base"]["prompt_tokens"]
    assert all(item["answers"]["nearest"] == {"text": "Mud."} for item in value["items"])
    assert config.out.is_file()


def test_report_measures_the_run_only(folder: Path, config: CompareConfig, tmp_path: Path) -> None:
    from tuneproof.eval.config import ReportConfig
    from tuneproof.eval.report.build import report

    compare(folder / "test.jsonl", config)
    found = report([config.out], tmp_path / "report", ReportConfig(resamples=100))
    assert found.tuned == ["mud"]
    assert set(found.metrics) == set(NAMES)
    assert found.metrics["nearest"]["exact_match"].value == 1


def test_runs_of_two_templates_answer_in_one_file(folder: Path, config: CompareConfig) -> None:
    both = replace(config, run=("mud", "own"), few_shot=0, system=None, no_baselines=True)
    value = compare(folder / "test.jsonl", both).as_json()
    assert [row["name"] for row in value["variants"]] == ["base", "base-as-mud", "mud", "own"]
    own = compare(folder / "test.jsonl", replace(both, run=("own",))).as_json()
    assert [row["name"] for row in own["variants"]] == ["base", "own"]
    assert own["template"] == CHATML
    for one, other in zip(value["items"], own["items"], strict=True):
        for name in ("base", "own"):
            assert one["answers"][name] == other["answers"][name]


def test_prompt_too_long_for_the_run_is_left_out_and_said_for_whom(
    folder: Path, config: CompareConfig, tmp_path: Path
) -> None:
    from click.testing import CliRunner

    from tuneproof.inference.cli import main

    file = tmp_path / "prompts.json"
    asked = ["Ice?", "What does the river carry? " * 14, "Ice? " * 300]
    file.write_text(json.dumps([{"id": f"p{n}", "prompt": text} for n, text in enumerate(asked)]))
    plain = replace(config, system=None, few_shot=0)
    value = compare(file, plain).as_json()
    assert value["left_out"] == ["p1", "p2"]
    assert value["too_long_for"] == {
        "p1": ["base-as-tuned", "mud"], "p2": ["base", "base-as-tuned", "mud"]
    }  # fmt: skip
    arguments = ["compare", file, "--run", "mud", "--runs", plain.runs, "--out", plain.out,
        "--max-new-tokens", 8, "--few-shot", 0]  # fmt: skip
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert "left out as too long: p1 (for base-as-tuned, mud), p2\n" in result.stderr


def test_prompts_from_elsewhere_go_with_what_the_run_was_trained_on(
    folder: Path, config: CompareConfig, tmp_path: Path
) -> None:
    file = tmp_path / "prompts.json"
    file.write_text('["Ice?"]')
    value = compare(file, config).as_json()
    assert [row["name"] for row in value["variants"]] == NAMES
    assert value["variants"][2]["shots"]["file"] == str(folder / "train.jsonl")
    assert len(value["items"][0]["answers"]["base-few-shot"]["shots"]) == 2


def test_examples_need_training_data(folder: Path, config: CompareConfig, tmp_path: Path) -> None:
    """Those of the run have been changed since."""
    file, runs = tmp_path / "prompts.json", tmp_path / "runs"
    file.write_text('["Ice?"]')
    shutil.copytree(folder / "runs", runs)
    facts = json.loads((runs / "mud" / "run.json").read_text())
    facts["data"]["fingerprint"] = facts["data"]["fingerprint"].replace(" ", "0", 1)
    (runs / "mud" / "run.json").write_text(json.dumps(facts))
    config = replace(config, runs=runs)
    with pytest.raises(InputError, match=r"--few-shot 2 takes its examples from .*train.jsonl"):
        compare(file, config)
    value = compare(file, replace(config, few_shot=None)).as_json()
    assert [row["name"] for row in value["variants"]] == [
        "base", "base-as-tuned", "base-prompted", "mud"
    ]  # fmt: skip
    default = compare(folder / "test.jsonl", replace(config, few_shot=None)).as_json()
    assert {len(item["answers"]["base-few-shot"]["shots"]) for item in default["items"]} <= {3, 4}


def test_drawn_examples_repeat_with_the_seed(folder: Path, config: CompareConfig) -> None:
    def drawn(seed: int) -> list[Any]:
        changed = replace(config, few_shot_by="random", seed=seed)
        value = compare(folder / "test.jsonl", changed).as_json()
        assert value["variants"][2]["shots"]["seed"] == seed
        return [item["answers"]["base-few-shot"]["shots"] for item in value["items"]]

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert first == again != other
    assert len(set(map(tuple, first))) == 1


def test_what_the_base_is_told_decides_what_is_up_to_date(
    folder: Path, config: CompareConfig, tmp_path: Path
) -> None:
    file = folder / "test.jsonl"
    compare(file, config)
    assert is_up_to_date(file, config)
    assert is_up_to_date(file, replace(config, seed=7))  # nothing is drawn
    told = tmp_path / "system.txt"
    told.write_text("Be brief.\n")
    assert is_up_to_date(file, replace(config, system=str(told)))  # the same text
    told.write_text("Be polite.")
    for changes in (
        {"few_shot": 3}, {"few_shot_by": "random"}, {"system": None}, {"system": str(told)}
    ):  # fmt: skip
        assert not is_up_to_date(file, replace(config, **changes)), changes  # type: ignore[arg-type]


def test_another_chat_template_of_the_base_is_another_comparison(
    folder: Path, config: CompareConfig, chat_model: Path
) -> None:
    compare(folder / "test.jsonl", config)
    file = chat_model / "chat_template.jinja"
    before = file.read_text()
    try:
        file.write_text(before + " ")
        assert not is_up_to_date(folder / "test.jsonl", config)
    finally:
        file.write_text(before)
    assert is_up_to_date(folder / "test.jsonl", config)


def test_interrupted_comparison_goes_on(
    folder: Path, config: CompareConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = compare(folder / "test.jsonl", replace(config, out=tmp_path / "whole.json")).as_json()
    ask, calls = panels.answer_batch, []

    def answer(*given: Any) -> Any:
        if len(calls) == 1:
            raise KeyboardInterrupt
        calls.append(given)
        return ask(*given)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(panels, "answer_batch", answer)
        compare(folder / "test.jsonl", config)
    again = compare(folder / "test.jsonl", config).as_json()
    assert again["items"] == whole["items"]
    for one, other in zip(again["variants"], whole["variants"], strict=True):
        changing = ("load_seconds", "tokens_per_second", "seconds_per_answer")
        assert all(one[key] == other[key] for key in one if key not in changing)


def test_answers_end_with_the_turn_or_with_eos(folder: Path) -> None:
    from tuneproof.formats.run_names import finished_run
    from tuneproof.inference.generate import stop_ids
    from tuneproof.inference.variants import load_variants

    [variants] = load_variants([finished_run(folder / "runs", "mud")])
    named = {variants.tokenizer.convert_tokens_to_ids(name) for name in ("<|im_end|>",)}
    assert stop_ids(variants) == {variants.tokenizer.eos_token_id, *named}
    assert len(stop_ids(variants)) == 2
