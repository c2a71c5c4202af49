from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tuneproof.errors import InputError
from tuneproof.files import fingerprint
from tuneproof.models import gguf
from tuneproof.models import load as models
from tuneproof.models.weights import weights_hash

pytestmark = pytest.mark.usefixtures("cache")


def test_logits_are_those_of_the_model_that_the_file_was_made_of(
    gguf_file: Path, base_models: dict[str, Path]
) -> None:
    import torch

    rows = torch.arange(3, 27).reshape(2, 12)
    ours = models.load_model(str(gguf_file), device="cpu")
    theirs = models.load_model(str(base_models["llama"]), device="cpu")
    with torch.no_grad():
        assert torch.equal(ours(rows).logits, theirs(rows).logits)


def test_model_is_an_ordinary_one(gguf_file: Path, tmp_path: Path) -> None:
    import torch

    model = models.load_model(str(gguf_file), device="cpu")
    assert model.dtype == torch.float32
    assert not hasattr(model.config, "quantization_config")
    assert not getattr(model, "is_quantized", False)
    model.save_pretrained(tmp_path)
    assert models.load_model(str(tmp_path), device="cpu").dtype == torch.float32
    head = models.load_classifier(str(gguf_file), ["a", "b"], pad_token_id=0, device="cpu")[1]
    assert head == ["score"]


def test_tokenizer_has_its_template_marks_and_way_of_cutting(
    gguf_file: Path, tokenizer: Any
) -> None:
    ours = models.load_tokenizer(str(gguf_file))
    assert ours.eos_token == ours.pad_token == "<|endoftext|>"
    turns = [{"role": "user", "content": "Hello"}]
    assert ours.apply_chat_template(turns, tokenize=False) == "<user>Hello"
    text = "What does the river carry?  Ünlü<|endoftext|>"
    assert ours(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert models.load_tokenizer(str(gguf_file), purpose="count")("a")["input_ids"]
    before = ours.backend_tokenizer.pre_tokenizer.pre_tokenize_str("a\n\n12")
    assert [piece for piece, _ in before] == ["a", "ĊĊ", "1", "2"]


def test_unknown_way_of_cutting_is_said(
    gguf_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gguf, "DIGIT_SPLITTERS", ())
    gguf.converted(gguf_file)
    assert "the tokenizer's kind 'smollm' is not known" in caplog.text


def test_file_is_converted_once_and_known_by_its_hash(
    gguf_file: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(models.location(str(gguf_file)))
    assert folder == cache / "gguf" / fingerprint(gguf_file)
    assert weights_hash(str(gguf_file)) == fingerprint(gguf_file)
    assert models.stable_name(str(gguf_file)) == str(gguf_file)
    monkeypatch.setattr(gguf, "convert", None)
    elsewhere = shutil.copy(gguf_file, tmp_path / "other.gguf")
    monkeypatch.chdir(tmp_path)
    assert models.location("other.gguf") == str(folder)
    assert models.stable_name("other.gguf") == str(elsewhere)


def test_nothing_beside_the_file_is_read(gguf_file: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer_config.json", "tokenizer.json"):
        (tmp_path / name).write_text("{")
    shutil.copy(gguf_file, tmp_path / "a.gguf")
    assert models.load_tokenizer(str(tmp_path / "a.gguf")).eos_token_id == 0


def test_what_is_no_model_is_one_line(gguf_file: Path, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file: .*none\.gguf"):
        models.location("none.gguf")
    data = gguf_file.read_bytes()
    (tmp_path / "half.gguf").write_bytes(data[:2000])
    (tmp_path / "most.gguf").write_bytes(data[: len(data) * 3 // 4])
    (tmp_path / "text.gguf").write_text("no model at all" * 10)
    for name in ("half.gguf", "most.gguf", "text.gguf"):
        with pytest.raises(InputError, match=f"cannot read a model from .*{name}: ") as caught:
            models.load_model(str(tmp_path / name))
        assert "\n" not in str(caught.value)
    assert list((cache / "gguf").iterdir()) == []
    with pytest.raises(InputError, match=r"config.json is missing; give .* --model .*half\.gguf"):
        models.location(str(tmp_path))


def test_missing_weights_are_not_made_up(
    gguf_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = gguf_file.read_bytes()
    (tmp_path / "part.gguf").write_bytes(data.replace(b"blk.1.ffn_up", b"blk.1.ffn_xx"))
    with pytest.raises(InputError, match=r"layers\.1\.mlp\.up_proj\.weight missing"):
        models.location(str(tmp_path / "part.gguf"))


def test_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    with pytest.raises(InputError, match=r"pip install 'tuneproof\[gguf\]'"):
        models.load_tokenizer(str(tmp_path / "a.gguf"))


@pytest.mark.slow
def test_run_on_a_file_is_trained_examined_and_merged(
    gguf_file: Path, write_data: Callable[..., Path], tmp_path: Path
) -> None:
    from tuneproof.tuning.cli import main

    data, runs = write_data(tmp_path / "data"), tmp_path / "runs"

    def tune(*arguments: str | Path) -> str:
        done = CliRunner().invoke(main, [str(each) for each in arguments])
        assert done.exit_code == 0, done.output
        return done.output

    tune("run", "--model", gguf_file, "--data", data, "--runs", runs, "--max-length", 96,
         "--max-steps", 4, "--learning-rate", 1e-2)  # fmt: skip
    name = f"{gguf_file.stem}-lora"
    assert "adapter-wrong-base" not in tune("doctor", "--run", name, "--runs", runs, "--json")
    assert "greedy answers that are the same" in tune("merge", name, "--runs", runs)
    fitting = tune("doctor", "--data", data, "--model", gguf_file, "--json")
    assert "too-long" not in fitting
