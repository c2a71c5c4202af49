"""Weight files: which they are, what their hashes are, and whether they are whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tuneproof.errors import InputError
from tuneproof.files import fingerprint, read_json
from tuneproof.formats.run import Run
from tuneproof.models import gguf
from tuneproof.models.load import location

ADAPTER_WEIGHTS = "adapter_model.safetensors"
"""The file of an adapter's weights."""


def weights_hash(model: str) -> str:
    """Return one SHA-256 over the model's weight files, whatever dtype they are loaded in.

    That of a GGUF file is the file's own.
    """
    if gguf.is_gguf(model):
        return gguf.weights_hash(Path(model).expanduser().resolve())
    digest = hashlib.sha256()
    for file in weight_files(model):
        digest.update(f"{file.name} {fingerprint(file)}\n".encode())
    return digest.hexdigest()


def weight_files(model: str) -> list[Path]:
    """Return the files that transformers reads the weights from, and no others of the folder."""
    from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME

    source = location(model)
    folder = Path(source)
    if not folder.is_dir():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError

        try:
            kept = snapshot_download(
                source,
                allow_patterns=["*.safetensors", SAFE_WEIGHTS_INDEX_NAME],
                local_files_only=True,
            )
        except HFValidationError as error:
            raise InputError(
                f"{source!r} is no folder, and no name of a model on the Hub"
            ) from error
        folder = Path(kept)
    if (folder / SAFE_WEIGHTS_NAME).is_file():
        return [folder / SAFE_WEIGHTS_NAME]
    if not (folder / SAFE_WEIGHTS_INDEX_NAME).is_file():
        raise InputError(f"{source} holds no {SAFE_WEIGHTS_NAME}")
    shards = read_json(folder / SAFE_WEIGHTS_INDEX_NAME)["weight_map"].values()
    return [folder / name for name in sorted(set(shards))]


def check_base(run: Run) -> None:
    """Raise InputError where the base's weights are not those that the run was trained on."""
    check_weights(run.name, run.base.model, run.base.weights_sha256)


def check_weights(name: str, base: str, sha256: str) -> None:
    """Raise InputError where a base's weights are not those that something was trained on."""
    if weights_hash(base) != sha256:
        raise InputError(
            f"the weights of {base!r} are not those that {name!r} was trained on; "
            "an adapter means nothing on other weights"
        )


def check_files(adapter: Path) -> None:
    """Raise InputError where the weights of an adapter are missing; PEFT would ask the Hub."""
    if (adapter / ADAPTER_WEIGHTS).is_file():
        return
    other = next((file.name for file in sorted(adapter.glob("adapter_model.*"))), None)
    hint = f", only {other}; save it again with safe_serialization=True" if other else ""
    raise InputError(f"{adapter} holds no {ADAPTER_WEIGHTS}{hint}")


def check_saved(run: Run) -> None:
    """Raise InputError where a run's weights are not, byte for byte, those that it was left with.

    The files are read once, which takes about a second per gigabyte. Of older runs, whose run.json
    has no hashes, only values that are no numbers are found.
    """
    if not run.is_whole:
        check_files(run.adapter)
    recorded = run.weights_sha256
    if recorded is None:
        for file in run.weights:
            if fault := fault_in(file):
                raise InputError(f"{file}: {fault}; train again with `tune run --overwrite`")
        return
    for name, sha256 in recorded.items():
        file = run.saved / name
        if not file.is_file():
            raise InputError(f"{run.saved} holds no {name}")
        if fingerprint(file) != sha256:
            fault = fault_in(file) or "it holds other numbers"
            raise InputError(
                f"{file} is not the file that the training of {run.name!r} left, whose SHA-256 "
                f"begins with {sha256[:12]}: {fault}. Put that file back, or train again with "
                "`tune run --overwrite`"
            )


def fault_in(file: Path) -> str | None:
    """Return what is wrong with a file of weights in itself, or None."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - the handle is no mapping
                value = tensors.get_tensor(name)
                if value.is_floating_point() and not bool(value.isfinite().all()):
                    return f"{name} has values that are no numbers (NaN or infinite)"
    except (SafetensorError, OSError) as error:
        return f"it cannot be read ({error})"
    return None
