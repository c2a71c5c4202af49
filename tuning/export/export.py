"""Export a run: merge it, write what a server reads, and check that it is what was measured."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import fingerprint, is_occupied, new_folder, write_json, write_text
from tuneproof.formats.run import Run
from tuneproof.locks import at_work
from tuneproof.models import load as models
from tuneproof.models.adapters import settings_of, shares_base, vllm_rank
from tuneproof.models.device import choose_device
from tuneproof.models.weights import check_saved
from tuneproof.tuning.card import write_card
from tuneproof.tuning.export.config import ExportConfig
from tuneproof.tuning.export.gguf import config_of, stop_ids, write_gguf
from tuneproof.tuning.export.ollama import modelfile, pieces_of
from tuneproof.tuning.export.readback import ReadBack, read_back
from tuneproof.tuning.merge import Merged, merge_run, stored_dtype

SCHEMA = "tuneproof/export@1"
RECORD = "export.json"
"""What says how a folder was made."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written, and how it compares with the run."""

    folder: Path
    """Where it lies."""
    merged: Merged | None
    """How the merged model compares with base and adapter; None where all weights were trained."""
    read: ReadBack | None
    """How the GGUF file compares with the merged model; None where there is none."""
    remarks: tuple[str, ...]
    """How it is served, and what to know."""

    def lines(self) -> list[str]:
        """Return it in words."""
        merged = [] if self.merged is None else self.merged.lines()
        read = [] if self.read is None else self.read.lines()
        return [f"exported: {self.folder}", *merged, *read, *self.remarks]


def export_run(run: Run, config: ExportConfig) -> Exported:
    """Write a run as a server reads it, whole or not at all.

    Args:
        run: A finished run.
        config: What is written, and where.

    Raises:
        InputError: The run is not finished or cannot be merged or written so, the folder is not
            empty, or what was written is not what was measured.
    """
    run.check_finished()
    if config.to != "safetensors" and run.is_classifier:
        raise InputError(
            f"run {run.name!r} trained a classification head, which --to {config.to} has no form "
            "for; --to safetensors writes it for transformers"
        )
    out = (config.out or run.folder / "export" / config.to).absolute()
    device = choose_device(config.device)
    with at_work(out), _empty_folder(out) as folder:
        merged = _merge(run, folder / "merged", device)
        read: ReadBack | None = None
        remarks: list[str] = []
        if config.needs_gguf:
            read, remarks = _as_gguf(run, folder, config, device)
            shutil.rmtree(folder / "merged")
        else:
            for file in (folder / "merged").iterdir():
                file.rename(folder / file.name)
            (folder / "merged").rmdir()
        if config.to == "vllm":
            remarks += _for_vllm(run, folder)
        write_card(run, folder, form="gguf" if config.needs_gguf else "model")
        _record(run, config, folder, merged, read)
    return Exported(folder=out, merged=merged, read=read, remarks=tuple(remarks))


@contextmanager
def _empty_folder(out: Path) -> Iterator[Path]:
    """Yield a folder as `new_folder` does; what is there already stays."""
    if is_occupied(out):
        raise InputError(f"{out} is not empty; choose another --out")
    with new_folder(out) as folder:
        yield folder


def _merge(run: Run, folder: Path, device: str) -> Merged | None:
    """Write the run's whole model into a new folder."""
    if not run.is_whole:
        return merge_run(run, folder, device=device)
    check_saved(run)
    shutil.copytree(run.saved, folder)
    return None


def _as_gguf(
    run: Run, folder: Path, config: ExportConfig, device: str
) -> tuple[ReadBack, list[str]]:
    """Write the GGUF file and, for Ollama, the Modelfile; return the check and remarks."""
    merged = folder / "merged"
    file = folder / f"{run.name}.{config.quantization.upper()}.gguf"
    rounded: dict[str, Any] = {}
    write_gguf(
        merged,
        file,
        config.quantization,
        name=run.name,
        see=lambda one: rounded.update({one.name: one.rounded}),
    )
    read = read_back(file, merged, rounded, run, device)
    if config.to == "gguf":
        return read, [
            f"serve it: llama-server -m {file.name} --jinja",
            _compare_by(run, "llamacpp", 8080),
        ]
    tokenizer = models.load_tokenizer(str(merged))
    context = config_of(merged).max_position_embeddings
    text = modelfile(file.name, tokenizer, stop_ids(merged, tokenizer), context)
    write_text(folder / "Modelfile", text)
    remarks = [f"serve it: ollama create {run.name.lower()} -f Modelfile"]
    if pieces_of(tokenizer) is None:
        remarks.append(
            "the chat template has rules that the Modelfile's template does not: it passes prompts "
            "on as they are, so ask by /api/generate with prompts that are rendered already"
        )
    return read, remarks


def _for_vllm(run: Run, folder: Path) -> list[str]:
    """Write the command that serves the merged model; return it, and that of the adapter alone."""
    command = f"vllm serve . --served-model-name {shlex.quote(run.name)}"
    command += f" --dtype {stored_dtype(str(folder))} --generation-config auto"
    script = folder / "vllm.sh"
    write_text(script, f'#!/bin/sh\ncd "$(dirname "$0")" && exec {command}\n')
    script.chmod(0o755)
    remarks = [f"serve it: {command}"]
    if not run.is_whole and shares_base(run.adapter):
        rank = settings_of(run.adapter).get("r", 16)
        remarks.append(
            f"or the adapter alone: vllm serve {shlex.quote(run.base.model)} --enable-lora "
            f"--max-lora-rank {vllm_rank(rank)} --lora-modules "
            f"{shlex.quote(f'{run.name}={run.adapter}')} --chat-template "
            f"{shlex.quote(str(run.adapter / 'chat_template.jinja'))}"
        )
    return [*remarks, _compare_by(run, "vllm", 8000)]


def _compare_by(run: Run, server: str, port: int) -> str:
    """Return the command that asks the run and a server of it the same."""
    endpoint = f"{run.name}-{server}={run.name}@http://localhost:{port}/v1"
    return f"compare it: infer compare PROMPTS --run {run.name} --endpoint {endpoint}"


def _record(
    run: Run, config: ExportConfig, folder: Path, merged: Merged | None, read: ReadBack | None
) -> None:
    """Write export.json: of which run it is, and the hash of every file."""
    files = {file.name: fingerprint(file) for file in sorted(folder.iterdir())}
    row = {
        "schema": SCHEMA,
        "run": run.name,
        "base": asdict(run.base),
        "to": config.to,
        "quantization": config.quantization if config.needs_gguf else None,
        "merged": None if merged is None else asdict(merged),
        "read_back": None if read is None else asdict(read),
        "files": files,
    }
    write_json(folder / RECORD, row)
