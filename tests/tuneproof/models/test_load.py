from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tuneproof import hub
from tuneproof.errors import InputError
from tuneproof.models import load as models
from tuneproof.models.weights import weights_hash


@pytest.fixture
def folder(base_models: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of a minute model that a test may spoil."""
    return Path(shutil.copytree(base_models["gpt2"], tmp_path / "model"))


def test_embedded_folder_and_hub_id_are_found(
    folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    assert models.location("tiny") == str(models.TINY)
    assert models.location(str(folder)) == str(folder)
    assert models.location("org/name") == "org/name"
    monkeypatch.chdir(tmp_path)
    assert models.location("model") == str(folder)
    assert models.stable_name("model") == str(folder)
    assert models.stable_name("tiny") == "tiny"
    assert models.stable_name("org/name") == "org/name"


@pytest.mark.parametrize("name", ["/nowhere", "./nowhere", "~/nowhere", "a/b/c"])
def test_paths_that_are_not_there_are_no_hub_ids(name: str) -> None:
    with pytest.raises(InputError, match=f"no such model folder: {name}"):
        models.location(name)


def test_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no model: config\.json is missing"):
        models.location(str(tmp_path))


def test_pad_becomes_eos(folder: Path) -> None:
    tokenizer = models.load_tokenizer(str(folder))
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == 0


def test_tokenizer_without_eos_is_refused(folder: Path) -> None:
    file = folder / "tokenizer_config.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({name: told[name] for name in told if name != "eos_token"}))
    with pytest.raises(InputError, match="has no EOS token; nothing could teach it to stop"):
        models.load_tokenizer(str(folder))


def test_dtype_of_the_weights(folder: Path) -> None:
    import torch

    assert models.load_model(str(folder), device="cpu").dtype == torch.float32
    assert models.load_model(str(folder), dtype="bfloat16", device="cpu").dtype == torch.bfloat16
    assert models.torch_dtype("auto", "cuda") == torch.bfloat16
    assert models.torch_dtype("auto", "mps") == torch.float32


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        models.load_model(str(folder), device="cpu")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_weights_that_cannot_be_used_are_one_line(folder: Path) -> None:
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    assert refused(folder).startswith(f"cannot load the model of '{folder}': ")
    weights.rename(folder / "pytorch_model.bin")  # a pickle: never read
    assert "safetensors" in refused(folder)
    (folder / "config.json").write_text("{")
    assert refused(folder).startswith(f"cannot load the model of '{folder}': ")


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "n_embd": 64}))
    assert refused(folder).startswith(f"cannot load the model of '{folder}': ")


def test_missing_weights_are_not_made_up(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["transformer.h.1.mlp.c_fc.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert "h.1.mlp.c_fc.weight missing" in refused(folder)


def test_hash_is_of_the_weights_that_are_loaded(
    folder: Path, make_model: Callable[..., Path], tmp_path: Path
) -> None:
    before = weights_hash(str(folder))
    (folder / "adapter_model.safetensors").write_bytes(b"not of the model")
    (folder / "README.md").write_text("# changed")
    assert weights_hash(str(folder)) == before
    other = make_model(tmp_path / "other", "gpt2", seed=5)
    assert weights_hash(str(other)) != before
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"holds no model\.safetensors"):
        weights_hash(str(folder))


def test_hash_covers_every_shard(folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="50KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 1
    before = weights_hash(str(folder))
    shards[-1].write_bytes(shards[-1].read_bytes()[:-1] + b"x")
    assert weights_hash(str(folder)) != before


def test_context_length_is_read_from_the_text_config(folder: Path) -> None:
    assert models.context_length(models.load_model(str(folder), device="cpu")) == 128


def test_tokenizer_with_more_tokens_than_the_model_is_refused(folder: Path) -> None:
    model, tokenizer = models.load_model(str(folder)), models.load_tokenizer(str(folder))
    models.check_vocabulary(model, tokenizer)
    tokenizer.add_tokens(["<new>"])
    with pytest.raises(InputError, match=r"335 tokens, its model only 334 embeddings"):
        models.check_vocabulary(model, tokenizer)


def test_tokenizer_is_loaded_from_a_folder(tmp_path: Path, tokenizer: Any) -> None:
    tokenizer.save_pretrained(tmp_path)
    assert (
        models.load_tokenizer(str(tmp_path), purpose="count")("river")["input_ids"]
        == tokenizer("river")["input_ids"]
    )


def test_folder_without_a_tokenizer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no tokenizer"):
        models.load_tokenizer(str(tmp_path), purpose="count")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="cannot load the tokenizer"):
        models.load_tokenizer(str(tmp_path), purpose="count")


def test_unknown_tokenizer_without_a_network_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "_answers", lambda: False)
    with pytest.raises(InputError, match="--tokenizer tiny needs no network"):
        models.load_tokenizer("nobody/has-this", purpose="count")


@pytest.mark.parametrize("purpose", ["count", "generate"])
def test_code_that_lies_beside_a_tokenizer_is_not_run(
    folder: Path, tmp_path: Path, purpose: Any
) -> None:
    ran = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Evil: pass\n")
    for name in ("tokenizer_config.json", "config.json"):
        values = json.loads((folder / name).read_text())
        codes = {"AutoTokenizer": ["evil.Evil", None], "AutoModelForCausalLM": "evil.Evil"}
        values |= {"auto_map": codes, "tokenizer_class": "Evil"}
        (folder / name).write_text(json.dumps(values))
    with suppress(InputError):
        models.load_tokenizer(str(folder), purpose=purpose)
    with suppress(InputError):
        models.load_model(str(folder))
    assert not ran.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(folder: Path, value: float) -> None:
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    tensors = load_file(file)
    tensors["transformer.h.1.attn.c_attn.weight"][3, 4] = value
    save_file(tensors, file, metadata={"format": "pt"})
    fault = r"are no numbers .*h\.1\.attn\.c_attn\.weight"
    with pytest.raises(InputError, match=fault):
        models.load_model(str(folder))
    with pytest.raises(InputError, match=fault):
        models.load_classifier(str(folder), ["a", "b"], pad_token_id=0)


def test_four_bits_of_a_model_of_the_hub_are_read_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = [None, object(), str(tmp_path / "config.json")]
    stored = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": stored}))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: found.pop(0))
    kinds = [models.stored_four_bit("someone/small-4bit") for _ in range(3)]
    assert kinds[:2] == [None, None]  # not looked for yet, and known not to be there
    assert kinds[2] is not None and kinds[2].bnb_4bit_quant_type == "nf4"
