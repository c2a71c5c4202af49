"""A base whose files are in 4 bits already: recorded as such, trained on, and not merged into."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.files import read_json, write_json
from tuneproof.formats.run import FourBit, Run
from tuneproof.inference.compare import compare
from tuneproof.inference.config import CompareConfig
from tuneproof.models.four_bit import quantized_modules
from tuneproof.models.load import load_model, stored_four_bit
from tuneproof.tuning.merge import merge_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stored(make_model: Callable[..., Path], tmp_path_factory: Any) -> Path:
    """A minute Llama whose weights are saved in nf4."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    folder: Path = tmp_path_factory.mktemp("stored")
    whole = make_model(folder / "whole", "llama", hidden_size=64, intermediate_size=128)
    four = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32
    )
    model = AutoModelForCausalLM.from_pretrained(whole, quantization_config=four)
    model.save_pretrained(folder / "small4")
    AutoTokenizer.from_pretrained(whole).save_pretrained(folder / "small4")
    return folder / "small4"


@pytest.fixture
def run(tuned: Callable[..., Run], stored: Path) -> Run:
    return tuned(model=str(stored), max_steps=1)


def test_run_and_comparison_say_that_the_base_is_in_4_bits(run: Run, tmp_path: Path) -> None:
    assert run.quantization is not None
    assert run.quantization.bnb_4bit_quant_type == "nf4"
    prompts = tmp_path / "prompts.json"
    prompts.write_text('["What is ice?", "What is mud?"]')
    config = CompareConfig(
        run=(run.name,), runs=run.folder.parent, out=tmp_path / "out.json", max_new_tokens=4
    )
    variants = {variant.name: variant for variant in compare(prompts, config).variants}
    for name in ("base", run.name):
        assert variants[name].details["quantization"]["bnb_4bit_quant_type"] == "nf4"
        assert variants[name].details["weights_bytes"] < 400_000


def test_products_are_what_the_machine_has_whatever_the_files_say(
    stored: Path, base_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    shutil.copytree(stored, tmp_path / "base")
    config = read_json(stored / "config.json")
    config["quantization_config"]["bnb_4bit_compute_dtype"] = "bfloat16"
    write_json(tmp_path / "base" / "config.json", config)
    asked = load_model(str(base_models["llama"]), device="cpu", four_bit=FourBit())
    for model in (load_model(str(tmp_path / "base"), device="cpu"), asked):
        layers = [model.get_submodule(name) for name in quantized_modules(model)]
        assert {layer.compute_dtype for layer in layers} == {torch.float32}


def test_base_in_4_bits_twice_is_refused(run: Run, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.json"
    prompts.write_text('["What is ice?"]')
    config = CompareConfig(
        run=(run.name,), runs=run.folder.parent, out=tmp_path / "out.json", quantized="base"
    )
    with pytest.raises(InputError, match="is in 4 bits already; leave out --quantized base"):
        compare(prompts, config)


def test_merge_says_what_it_needs_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"stored in 4 bits.*base in full precision"):
        merge_run(run, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_all_weights_of_such_a_base_cannot_be_trained(
    tuned: Callable[..., Run], stored: Path
) -> None:
    with pytest.raises(InputError, match="are in 4 bits and cannot be trained; use --method lora"):
        tuned(model=str(stored), method="full")


def test_other_quantisations_are_named(stored: Path, tmp_path: Path) -> None:
    config = read_json(stored / "config.json")
    write_json(tmp_path / "config.json", config | {"quantization_config": {"quant_method": "gptq"}})
    with pytest.raises(InputError, match=r"quantised \(gptq\)"):
        load_model(str(tmp_path))


def test_whole_base_is_not_taken_for_one_in_4_bits(base_models: dict[str, Path]) -> None:
    assert stored_four_bit(str(base_models["gpt2"])) is None
    assert stored_four_bit("tiny") is None
