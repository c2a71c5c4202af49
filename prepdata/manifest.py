"""The manifest beside the data: what was built, from what, and what was left out and why."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.files import fingerprint, read_json, write_json
from prepdata import registry
from prepdata.config import BuildConfig
from prepdata.records import FILES

NAME = "manifest.json"
SCHEMA = "tuneproof/data@1"


def check_folder(folder: Path) -> None:
    """Raise InputError when the folder holds data files that no manifest speaks of."""
    if folder.is_file():
        raise InputError(f"{folder} is a file; --out names a folder")
    strangers = [name for name in FILES.values() if (folder / name).exists()]
    if strangers and not (folder / NAME).exists():
        raise InputError(
            f"{folder} holds {', '.join(strangers)} that `prepdata build` did not write; "
            "choose another folder with --out"
        )


def write(
    config: BuildConfig,
    sources: Mapping[str, Path | None],
    counts: Mapping[str, Counter[str]],
    labels: Mapping[str, list[str]],
    dropped: Mapping[str, Counter[str]],
) -> dict[str, Any]:
    """Write the manifest of a folder whose data files are already there; return it."""
    value = {
        "schema": SCHEMA,
        "seed": config.seed,
        "config": dataclasses.asdict(config) | {"out": str(config.out)},
        "sources": {
            name: {
                "from": str(path) if path else registry.find(name).hub_id or "embedded",
                "licence": registry.find(name).licence,
                "files": _fingerprints(path),
                "records": {split: counts[split][name] for split in counts},
                "dropped": dict(sorted(dropped[name].items())),
            }
            for name, path in sources.items()
        },
        "labels": {task: labels[task] for task in sorted(labels)},
        "files": {
            name: {
                "records": counts[split].total(),
                "sha256": fingerprint(config.out / name),
            }
            for split, name in FILES.items()
        },
    }
    write_json(config.out / NAME, value)
    return value


def read(folder: Path) -> dict[str, Any]:
    """Read a folder's manifest.

    Raises:
        InputError: There is no such folder, or no manifest in it.
    """
    if not folder.is_dir():
        raise InputError(f"no such folder: {folder}; make one with `prepdata build --out {folder}`")
    if not (folder / NAME).is_file():
        raise InputError(f"{folder} has no {NAME}; make one with `prepdata build --out {folder}`")
    value = read_json(folder / NAME)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise InputError(f"{folder / NAME}: not a manifest of schema {SCHEMA}")
    return value


def drops_as_text(dropped: Mapping[str, Mapping[str, int]]) -> str:
    """Return what was left out as text: ``dolly: 3 empty answer, 5 ...``."""
    parts = [
        f"{source}: " + ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
        for source, reasons in dropped.items()
        if reasons
    ]
    return "; ".join(parts) or "no row was read"


def _fingerprints(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    return {file.name: fingerprint(file) for file in registry.opening.local_files(path)}
