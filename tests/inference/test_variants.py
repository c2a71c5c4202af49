from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.inference.conftest import prompts_of
from tuneproof.errors import InputError
from tuneproof.formats.run_names import finished_run
from tuneproof.inference.variants import load_variants

pytestmark = pytest.mark.slow


@pytest.fixture
def changed(runs: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy the runs of one shape, with one run's facts changed."""

    def change(name: str, edit: Callable[[dict[str, Any]], Any]) -> Path:
        for each in ("gpt2-mud", "gpt2-ice"):
            shutil.copytree(runs / each, tmp_path / "runs" / each)
        file = tmp_path / "runs" / name / "run.json"
        facts = json.loads(file.read_text())
        edit(facts)
        file.write_text(json.dumps(facts))
        return tmp_path / "runs"

    return change


def refused(runs: Path, *names: str) -> str:
    with pytest.raises(InputError) as caught:
        load_variants([finished_run(runs, name) for name in names])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_disabled_adapters_leave_the_base_as_it_is(
    variants: Any, base_models: dict[str, Path], kind: str
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(base_models[kind]).eval()
    [asked] = prompts_of(variants, ["What does river 3 carry?"], 8)
    ids = torch.tensor([asked["base"]])
    with torch.no_grad():
        expected = base(ids).logits
        mixed = variants.model(ids.repeat(3, 1), **variants.routed(variants.names)).logits
    torch.testing.assert_close(mixed[0], expected[0], rtol=0, atol=1e-5)
    assert float((mixed[1] - expected[0]).abs().max()) > 0.1
    assert float((mixed[2] - mixed[1]).abs().max()) > 0.1


def test_unknown_run_gives_the_nearest(runs: Path) -> None:
    assert "unknown run 'gpt2-mut'. Did you mean 'gpt2-mud'?" in refused(runs, "gpt2-mut")


def test_runs_of_different_bases_are_not_compared(runs: Path) -> None:
    message = refused(runs, "gpt2-mud", "llama-mud")
    assert message.startswith("the runs differ in their base model (gpt2-mud: ")


def test_each_run_is_asked_in_its_own_template(changed: Callable[..., Path]) -> None:
    def edit(facts: dict[str, Any]) -> None:
        facts["template"] = {"name": "mine.j2", "text": "{{ instruction }}: {{ input }}"}

    runs = changed("gpt2-ice", edit)
    [variants] = load_variants([finished_run(runs, name) for name in ("gpt2-mud", "gpt2-ice")])
    assert variants.names == ["base", "base-as-gpt2-ice", "gpt2-mud", "gpt2-ice"]
    [asked] = prompts_of(variants, ["Ice?"], 8)
    texts = {name: variants.tokenizer.decode(ids) for name, ids in asked.items()}
    assert texts["gpt2-ice"] == texts["base-as-gpt2-ice"] == "Ice?: "
    assert texts["gpt2-mud"] == texts["base"] != texts["gpt2-ice"]
    rows = {row["name"]: row for row in variants.described}
    assert rows["gpt2-ice"]["template"] == "{{ instruction }}: {{ input }}"
    assert [name for name, row in rows.items() if row.get("kind") == "base"] == [
        "base", "base-as-gpt2-ice"
    ]  # fmt: skip


def test_run_with_a_name_that_the_base_has_is_refused(changed: Callable[..., Path]) -> None:
    runs = changed("gpt2-ice", lambda facts: None)
    (runs / "gpt2-ice").rename(runs / "base")
    assert refused(runs, "base").startswith("'base' is a name that the base has here; rename")


def test_runs_on_different_weights_are_not_compared(changed: Callable[..., Path]) -> None:
    runs = changed("gpt2-ice", lambda facts: facts["base"].update(weights_sha256="0" * 64))
    assert refused(runs, "gpt2-mud", "gpt2-ice").startswith("the runs differ in their base weights")


def test_base_that_was_changed_after_training_is_refused(
    changed: Callable[..., Path], make_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = str(make_model(tmp_path / "model", "gpt2", seed=3))
    runs = changed("gpt2-mud", lambda facts: facts["base"].update(model=model))
    assert "are not those that 'gpt2-mud' was trained on" in refused(runs, "gpt2-mud")


def test_unfinished_run_is_refused(changed: Callable[..., Path]) -> None:
    runs = changed("gpt2-mud", lambda facts: facts.update(state="interrupted"))
    assert "run 'gpt2-mud' is not finished (it is interrupted)" in refused(runs, "gpt2-mud")


def test_run_json_of_somebody_else_is_refused(changed: Callable[..., Path]) -> None:
    runs = changed("gpt2-mud", lambda facts: facts.clear())
    assert "not a run of schema tuneproof/run@1" in refused(runs, "gpt2-mud")


def test_missing_or_broken_adapter_is_one_line(changed: Callable[..., Path]) -> None:
    runs = changed("gpt2-mud", lambda facts: None)
    weights = runs / "gpt2-mud" / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    message = refused(runs, "gpt2-mud")
    assert message.startswith(f"{weights} is not the file that the training of 'gpt2-mud' left")
    weights.rename(weights.with_suffix(".bin"))  # a pickle: never read
    assert "holds no adapter_model.safetensors, only adapter_model.bin" in refused(runs, "gpt2-mud")


@pytest.fixture(scope="module")
def alone(
    base_models: dict[str, Path], write_data: Callable[..., Path], tmp_path_factory: Any
) -> Path:
    """Runs that cannot share the base: one trained its biases, one all of its weights."""
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    folder: Path = tmp_path_factory.mktemp("alone")
    for name, changes in (("biases", {"lora_bias": "all"}), ("whole", {"method": "full"})):
        config = TuneConfig(
            data=write_data(folder / "data"), model=str(base_models["gpt2"]), name=name,
            runs=folder, max_length=96, num_train_epochs=4, per_device_train_batch_size=4,
            learning_rate=1e-2, **changes,
        )  # fmt: skip
        finetune(config)
    return folder


def test_runs_that_changed_the_base_have_a_model_of_their_own(
    alone: Path, base_models: dict[str, Path], tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from tuneproof.formats.run import read_run
    from tuneproof.inference.compare import compare
    from tuneproof.inference.config import CompareConfig
    from tuneproof.tuning.merge import merge_run

    loaded = load_variants(
        [finished_run(alone, name) for name in ["biases", "whole"]], dtype="float32"
    )
    assert [variants.names for variants in loaded] == [["base"], ["biases"], ["whole"]]
    merge_run(read_run(alone / "biases"), tmp_path / "merged")
    folders = [base_models["gpt2"], tmp_path / "merged", alone / "whole" / "model"]
    [asked] = prompts_of(loaded[0], ["What does river 3 carry?"], 8)
    ids = torch.tensor([asked["base"]])
    with torch.no_grad():
        for variants, folder in zip(loaded, folders, strict=True):
            expected = AutoModelForCausalLM.from_pretrained(folder).eval()(ids).logits
            torch.testing.assert_close(variants.model(ids).logits, expected, rtol=0, atol=1e-4)
    (tmp_path / "prompts.json").write_text(json.dumps(["Ice?", "What does river 2 carry?"]))
    config = CompareConfig(
        run=("biases", "whole"),
        runs=alone,
        out=tmp_path / "out.json",
        max_new_tokens=4,
        few_shot=0,
        no_baselines=True,
    )
    value = compare(tmp_path / "prompts.json", config).as_json()
    assert [list(item["answers"]) for item in value["items"]] == [["base", "biases", "whole"]] * 2
