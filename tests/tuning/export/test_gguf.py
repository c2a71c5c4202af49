from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.models import load as models
from tuneproof.models.gguf import SPLITS, convert
from tuneproof.tuning.export.gguf import FILE_TYPES, write_gguf
from tuneproof.tuning.export.vocabulary import splitter_of

pytest.importorskip("gguf")
ROWS = 3


def written(folder: Path, out: Path, quantization: Any = "f32") -> tuple[Path, dict[str, Any]]:
    """Write a file and read it back into a folder; return that, and the weights as rounded."""
    rounded: dict[str, Any] = {}
    see = lambda one: rounded.update({one.name: one.rounded})  # noqa: E731
    write_gguf(folder, out / "a.gguf", quantization, name="a", see=see)
    (out / "again").mkdir()
    convert(out / "a.gguf", out / "again")
    return out / "again", rounded


def logits(folder: Path, weights: dict[str, Any] | None = None) -> Any:
    import torch

    model = models.load_model(str(folder), device="cpu").eval()
    with torch.no_grad():
        for key, value in model.state_dict().items():
            if weights and key in weights:
                value.copy_(torch.from_numpy(weights[key]))
        return model(torch.arange(3, 27).reshape(ROWS, 8)).logits


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral", "qwen2", "qwen3"])
def test_file_in_float32_gives_the_logits_of_the_model(
    folders: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    import torch

    again, _ = written(folders[kind], tmp_path)
    torch.testing.assert_close(logits(again), logits(folders[kind]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("quantization", sorted(set(FILE_TYPES) - {"f32"}))
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_rounded_file_holds_the_rounded_weights_and_nothing_else(
    folders: dict[str, Path], kind: str, quantization: str, tmp_path: Path
) -> None:
    import torch

    again, rounded = written(folders[kind], tmp_path, quantization)
    ours = logits(folders[kind])
    torch.testing.assert_close(logits(again), logits(folders[kind], rounded), rtol=0, atol=1e-3)
    difference = float((logits(again) - ours).abs().max())
    assert 1e-4 < difference < {"f16": 0.2, "bf16": 1.0, "q8_0": 2.0}.get(quantization, 50)


def test_matrices_are_stored_as_asked_and_vectors_in_float32(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    from gguf import GGUFReader

    written(folders["gpt2"], tmp_path, "q8_0")
    kinds = {one.name: one.tensor_type.name for one in GGUFReader(tmp_path / "a.gguf").tensors}
    assert kinds["token_embd.weight"] == kinds["blk.0.attn_qkv.weight"] == "Q8_0"
    assert kinds["blk.0.attn_norm.weight"] == kinds["blk.1.ffn_up.bias"] == "F32"
    assert kinds["position_embd.weight"] == "F32"
    assert "output.weight" not in kinds  # it is the embeddings


def test_tokenizer_and_template_come_back_as_they_were(
    make_model: Any, chat_tokenizer: Any, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = make_model(tmp_path / "model", "llama")
    config = AutoConfig.from_pretrained(folder)
    config.vocab_size = len(chat_tokenizer) + 5  # rows that no token has
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    chat_tokenizer.save_pretrained(folder)
    ours = models.load_tokenizer(str(folder))
    theirs = models.load_tokenizer(str(written(folder, tmp_path)[0]))
    assert theirs.chat_template == ours.chat_template == chat_tokenizer.chat_template
    assert theirs.eos_token_id == ours.eos_token_id
    turns = [{"role": "user", "content": "Hello 12  Ünlü\n\n's"}]
    text = ours.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert theirs(text)["input_ids"] == ours(text)["input_ids"]
    assert ours.convert_tokens_to_ids("<|im_end|>") in theirs(text)["input_ids"]


def state(*before: dict[str, Any], kind: str = "BPE") -> dict[str, Any]:
    whole = before[0] if len(before) == 1 else {"type": "Sequence", "pretokenizers": [*before]}
    return {"model": {"type": kind}, "pre_tokenizer": whole}


def test_ways_of_splitting_have_the_names_of_llama_cpp() -> None:
    bytes_ = {"type": "ByteLevel", "use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    assert splitter_of(state(bytes_)) == "gpt-2"
    assert splitter_of(state(digits, bytes_)) == "smollm"
    for name, regex in SPLITS.items():
        assert splitter_of(state({"type": "Split", "pattern": {"Regex": regex}}, bytes_)) == name
    for other in (
        state({"type": "Split", "pattern": {"Regex": "a+"}}, bytes_),
        state({"type": "Digits", "individual_digits": False}, bytes_),
    ):
        with pytest.raises(InputError, match="has no name for"):
            splitter_of(other)
    with pytest.raises(InputError, match="is a Unigram model over Metaspace; only byte-level BPE"):
        splitter_of(state({"type": "Metaspace"}, kind="Unigram"))


def test_models_of_other_kinds_are_refused_in_one_line(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    import shutil

    for change, message in (
        ({"model_type": "gpt_neox"}, "gpt_neox models are not written to GGUF here, only gpt2"),
        (
            {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}},
            "rope_type 'linear' is not written to GGUF",
        ),
    ):
        shutil.copytree(folders["llama"], tmp_path / "other", dirs_exist_ok=True)
        config = json.loads((folders["llama"] / "config.json").read_text())
        (tmp_path / "other" / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(InputError, match=message):
            write_gguf(tmp_path / "other", tmp_path / "a.gguf", "f16", name="a")


DECIDED_BY_NAME = ("GGUF.", "general.")
"""What says where a file comes from, and nothing of how it is read."""


@pytest.mark.slow
def test_file_is_that_of_llama_cpps_own_converter(smollm2: Path, tmp_path: Path) -> None:
    import numpy as np
    from gguf import GGUFReader
    from gguf.quants import dequantize

    write_gguf(smollm2, tmp_path / "a.gguf", "f16", name="a")
    theirs = GGUFReader(next(smollm2.glob("*.gguf")))  # in 4 bits; the folder was made from it
    ours = GGUFReader(tmp_path / "a.gguf")
    for key, field in theirs.fields.items():
        if not key.startswith(DECIDED_BY_NAME):
            assert ours.fields[key].contents() == field.contents(), key
    by_name = {one.name: one for one in theirs.tensors}
    assert by_name.keys() == {one.name for one in ours.tensors}
    for one in ours.tensors:
        other = by_name[one.name]
        values = dequantize(other.data, other.tensor_type)
        assert np.allclose(dequantize(one.data, one.tensor_type), values, rtol=1e-3, atol=1e-4)
