"""Adapters of other tools, and models without tuning, as variants."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.inference.conftest import CHATML
from tuneproof.inference.cli import main

pytestmark = pytest.mark.slow

ITEMS = [
    {"id": "a", "prompt": "What does river 3 carry?", "reference": "Mud."},
    {"id": "b", "prompt": "Ice?", "input": "It is winter.", "reference": "Ice."},
]


def invoke(*arguments: Any) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def base(make_model: Callable[..., Path], tmp_path_factory: Any) -> Path:
    return make_model(tmp_path_factory.mktemp("base") / "plain", "llama")


@pytest.fixture(scope="module")
def chat_base(make_model: Callable[..., Path], tmp_path_factory: Any) -> Path:
    folder = make_model(tmp_path_factory.mktemp("base") / "chatty", "gpt2", seed=3)
    (folder / "chat_template.jinja").write_text(CHATML)
    return folder


@pytest.fixture
def make_adapter(tmp_path: Path) -> Callable[..., Path]:
    """Save an adapter as plain PEFT does, with weights that change every answer."""

    def make(base: Path, name: str = "plain", **changes: Any) -> Path:
        import torch
        from peft import LoraConfig, get_peft_model

        from tuneproof.models.load import load_model

        torch.manual_seed(5)
        is_gpt2 = "gpt2" in (base / "config.json").read_text()
        config = LoraConfig(
            r=4, target_modules=["c_attn"] if is_gpt2 else ["q_proj", "v_proj"],
            fan_in_fan_out=is_gpt2, task_type="CAUSAL_LM", init_lora_weights=False,
        )  # fmt: skip
        model = get_peft_model(load_model(str(base), device="cpu"), config)
        model.save_pretrained(tmp_path / name)
        settings = json.loads((tmp_path / name / "adapter_config.json").read_text())
        settings |= {"base_model_name_or_path": str(base), **changes}
        (tmp_path / name / "adapter_config.json").write_text(json.dumps(settings))
        return tmp_path / name

    return make


@pytest.fixture
def compared(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def run(*arguments: Any, items: Any = ITEMS) -> dict[str, Any]:
        (tmp_path / "p.json").write_text(json.dumps(items))
        out = tmp_path / "c.json"
        result = invoke(
            "compare", tmp_path / "p.json", "--out", out, "--max-new-tokens", 8, *arguments
        )
        assert result.exit_code == 0, result.output
        value: dict[str, Any] = json.loads(out.read_text())
        return value

    return run


def variants_of(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in found["variants"]}


def texts(found: dict[str, Any], name: str) -> list[str]:
    return [item["answers"][name]["text"] for item in found["items"]]


def test_adapter_of_another_tool_answers_over_the_base_that_it_names(
    base: Path, make_adapter: Callable[..., Path], compared: Callable[..., Any]
) -> None:
    adapter = make_adapter(base)
    found = compared("--adapter", adapter)
    rows = variants_of(found)
    assert list(rows) == ["base", "plain"]
    assert (rows["base"]["model"], rows["base"]["adapter"]) == (str(base), None)
    assert (rows["plain"]["adapter"], rows["plain"]["method"]) == (str(adapter), "lora")
    assert "### Instruction:" in found["template"]  # neither has a chat template
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tuneproof.prompts.template import load

    tokenizer = AutoTokenizer.from_pretrained(base)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).eval()
    ids = tokenizer(load().render(ITEMS[0]["prompt"]), return_tensors="pt")
    told = model.generate(**ids, max_new_tokens=8, do_sample=False)
    expected = tokenizer.decode(told[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
    assert texts(found, "plain")[0].strip() == expected.strip()
    assert texts(found, "plain") != texts(found, "base")


def test_folder_given_as_a_run_is_the_same_adapter(
    base: Path, make_adapter: Callable[..., Path], compared: Callable[..., Any], tmp_path: Path
) -> None:
    adapter = make_adapter(base)
    as_adapter = compared("--adapter", f"mine={adapter}")
    as_run = compared("--run", adapter)
    assert texts(as_run, "plain") == texts(as_adapter, "mine")
    assert variants_of(compared("--run", "plain", "--runs", tmp_path)).keys() == {"base", "plain"}


def test_template_is_that_beside_the_adapter_else_the_option_else_the_bases(
    chat_base: Path, make_adapter: Callable[..., Path], compared: Callable[..., Any]
) -> None:
    adapter = make_adapter(chat_base)

    def asked(*options: str) -> dict[str, str]:
        rows = compared("--adapter", adapter, *options)["variants"]
        return {row["name"]: row["template"] for row in rows}

    assert asked() == {"base": CHATML, "plain": CHATML}
    by_option = asked("--template", "instruct")
    assert by_option["base"] == CHATML
    assert by_option["plain"] == by_option["base-as-tuned"] != CHATML
    beside = CHATML.replace("assistant", "model")
    (adapter / "chat_template.jinja").write_text(beside)
    assert asked() == {"base": CHATML, "base-as-tuned": beside, "plain": beside}
    assert asked("--template", "plain=chat")["plain"] == beside
    assert asked("--template", "plain=instruct")["plain"] == by_option["plain"]
    refused = invoke("compare", adapter.parent / "p.json", "--adapter", adapter,
                     "--template", "instruct")  # fmt: skip
    assert refused.exit_code == 2
    assert "decides nothing: all bring their own; say for which: --template base=" in refused.output


def test_models_are_compared_without_tuning_each_with_its_own_tokenizer_and_template(
    base: Path, chat_base: Path, compared: Callable[..., Any], tmp_path: Path
) -> None:
    found = compared("--model", base, "--model", chat_base, "--model", "little=tiny")
    rows = variants_of(found)
    assert list(rows) == ["base", "chatty", "little"]
    assert rows["chatty"]["template"] == CHATML
    assert "### Instruction:" in rows["base"]["template"]
    assert found["template"] is None
    assert (rows["little"]["model"], rows["little"]["kind"]) == ("tiny", "model")
    assert rows["little"]["weights_bytes"] != rows["base"]["weights_bytes"]
    alone = compared("--model", "tiny")
    assert texts(alone, "base") == texts(found, "little")
    from tuneproof.eval.cli import main as score

    file, out = tmp_path / "c.json", tmp_path / "report"
    compared("--model", base, "--model", chat_base)
    done = CliRunner().invoke(score, ["report", str(file), "--out", str(out), "--resamples", "200"])
    assert done.exit_code == 0, done.output
    assert "without tuning" not in done.output.split("*")[0]


def test_run_stands_beside_an_adapter_and_another_model(
    runs: Path, base_models: dict[str, Path], make_adapter: Callable[..., Path],
    chat_base: Path, compared: Callable[..., Any],
) -> None:  # fmt: skip
    adapter = make_adapter(base_models["gpt2"])
    found = compared(
        "--run",
        "gpt2-mud",
        "--runs",
        runs,
        "--adapter",
        adapter,
        "--model",
        chat_base,
        "--few-shot",
        "0",
        "--no-baselines",
    )
    assert list(variants_of(found)) == ["base", "gpt2-mud", "plain", "chatty"]
    assert texts(found, "gpt2-mud")[0] == "Mud."


def test_labels_are_named_to_models_that_were_not_tuned(
    base: Path, chat_base: Path, tmp_path: Path
) -> None:
    rows = [
        {"id": f"r{n}", "task": "river", "instruction": "What?", "input": f"{n} {label}",
         "output": label} for n, label in enumerate(["mud", "ice"] * 2)
    ]  # fmt: skip
    for name in ("train", "test"):
        lines = [json.dumps(row | {"id": f"{name}-{row['id']}"}) for row in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    manifest = {"schema": "tuneproof/data@1", "labels": {"river": ["mud", "ice"]}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    out = tmp_path / "c.json"
    options = ["--model", base, "--model", chat_base, "--few-shot", 0, "--no-baselines"]
    done = invoke("compare", tmp_path / "test.jsonl", "--out", out, *options)
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text())
    sentences = {row["label_sentence"] for row in found["variants"]}
    assert sentences == {"Answer with one of these labels: mud; ice"}
    assert all("label_probabilities" in item["answers"]["chatty"] for item in found["items"])


def test_what_cannot_be_had_is_one_clear_error(
    base: Path, make_adapter: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "p.json").write_text(json.dumps(ITEMS))

    def fault(*options: Any) -> str:
        result = invoke("compare", tmp_path / "p.json", "--out", tmp_path / "c.json", *options)
        assert result.exit_code == 2, result.output
        assert result.output.count("\n") == 1
        assert not (tmp_path / "c.json").exists()
        return result.output

    head = make_adapter(base, "head", task_type="SEQ_CLS")
    assert "task_type SEQ_CLS: it answers no prompts" in fault("--adapter", head)
    nameless = make_adapter(base, "nameless", base_model_name_or_path=None)
    assert "names no base; give --model" in fault("--adapter", nameless)
    moved = make_adapter(base, "moved", base_model_name_or_path="/nowhere/model")
    message = fault("--adapter", moved)
    assert "names the base '/nowhere/model': no such model folder" in message
    assert "Give the base as --model" in message
    empty = make_adapter(base, "empty")
    (empty / "adapter_model.safetensors").rename(empty / "adapter_model.bin")
    assert "holds no adapter_model.safetensors, only adapter_model.bin" in fault("--run", empty)
    assert "is no name of a run in runs" in fault("--run", base)
    assert "no such adapter folder: /no/where" in fault("--adapter", "/no/where")
    assert "holds no adapter_config.json" in fault("--adapter", base)
    plain = make_adapter(base, "one")
    message = fault("--adapter", plain, "--adapter", f"{plain}/")
    assert "two adapters are called 'one'; name one: --adapter NAME=" in message
    assert "unknown variant 'on'" in fault("--adapter", plain, "--template", "on=instruct")
    assert "the first --model is called base" in fault("--model", f"x={base}")
    assert "--few-shot is for a base" in fault(
        "--endpoint", "s=http://127.0.0.1:9/v1", "--few-shot", 2
    )


def test_adapter_of_another_base_is_refused(
    base: Path, make_model: Callable[..., Path], make_adapter: Callable[..., Path], tmp_path: Path
) -> None:
    deeper = make_model(tmp_path / "deeper", "llama", num_hidden_layers=3)
    (tmp_path / "p.json").write_text(json.dumps(ITEMS))
    over_deep, over_base = make_adapter(deeper, "deep"), make_adapter(base, "shallow")
    pairs = ((over_deep, base, "have no place in it"), (over_base, deeper, "lacks tensors"))
    for adapter, model, fault in pairs:
        result = invoke("compare", tmp_path / "p.json", "--adapter", adapter, "--model", model)
        assert result.exit_code == 2, result.output
        assert fault in result.output
    result = invoke("compare", tmp_path / "p.json", "--adapter", over_deep, "--adapter", over_base)
    assert "'shallow' was trained on" in result.output
    assert "say so with --model" in result.output


def test_hub_id_without_a_network_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneproof.hub._answers", lambda: False)
    (tmp_path / "p.json").write_text(json.dumps(ITEMS))
    result = invoke("compare", tmp_path / "p.json", "--adapter", "nobody/nothing")
    assert result.exit_code == 2
    assert "cannot fetch the adapter 'nobody/nothing': the Hub does not answer" in result.output


def test_what_was_given_decides_the_identity(
    base: Path, make_adapter: Callable[..., Path], compared: Callable[..., Any]
) -> None:
    adapter = make_adapter(base)
    first = compared("--adapter", adapter)["identity"]
    assert compared("--adapter", adapter)["identity"] == first
    (adapter / "chat_template.jinja").write_text(CHATML)
    assert compared("--adapter", adapter)["identity"] != first
