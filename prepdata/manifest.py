"""The manifest beside the data: what was built, from what, and what was left out and why."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import fingerprint, read_json, write_json
from tuneproof.formats.example import FILES, Split
from tuneproof.prepdata import registry
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.sources.opening import local_files
from tuneproof.versions import versions_of

NAME = "manifest.json"
SCHEMA = "tuneproof/data@1"
PACKAGES = ("tuneproof", "datasets", "rensa")
"""Their versions are noted: they decide what is read, and what counts as a near-duplicate."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counts:
    """How many records there are."""

    records: dict[Split, Counter[str]]
    """By split and source."""
    labels: dict[str, dict[str, Counter[Split]]]
    """By source, label and split; classification tasks only."""

    @classmethod
    def of(cls, records: Iterable[tuple[str, Split | None, str]]) -> Counts:
        """Count records, each given as source, split and label (empty where it has none)."""
        totals: dict[Split, Counter[str]] = {split: Counter() for split in FILES}
        labels: dict[str, dict[str, Counter[Split]]] = defaultdict(lambda: defaultdict(Counter))
        for source, split, label in records:
            assert split is not None
            totals[split][source] += 1
            if label:
                labels[source][label][split] += 1
        return cls(records=totals, labels=labels)

    def as_text(self, dropped: Mapping[str, Mapping[str, int]]) -> str:
        """Return where each source's records are: ``dolly: 12 in test, 3 empty answer``."""
        parts = []
        for source, reasons in dropped.items():
            held = [f"{c[source]:,} in {split}" for split, c in self.records.items() if c[source]]
            parts.append(f"{source}: " + ", ".join([*held, *_listed(reasons)]))
        return "; ".join(parts)


def check_folder(folder: Path) -> None:
    """Raise InputError when a build would replace files that another program wrote."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; --out names a folder")
    strangers = [name for name in (*FILES.values(), NAME) if (folder / name).exists()]
    if strangers and not _is_ours(folder):
        raise InputError(
            f"{folder} holds {', '.join(strangers)} that `prepdata build` did not write; "
            "choose another folder with --out"
        )


def write(
    folder: Path,
    config: BuildConfig,
    sources: Mapping[str, Path | None],
    counts: Counts,
    dropped: Mapping[str, Counter[str]],
    noted: Mapping[str, Counter[str]],
) -> dict[str, Any]:
    """Write the manifest of a folder whose data files are already there; return it.

    `notes` stands only where a source has some: they are of all rows that were read.
    """
    value = {
        "schema": SCHEMA,
        "seed": config.seed,
        "config": dataclasses.asdict(config) | {"out": str(config.out)},
        "sources": {
            name: {
                "from": str(path) if path else registry.find(name).hub_id or "embedded",
                "licence": registry.find(name).licence,
                "files": _fingerprints(path),
                "records": {split: counts.records[split][name] for split in FILES},
                "dropped": dict(sorted(dropped[name].items())),
                **({"notes": dict(sorted(noted[name].items()))} if noted[name] else {}),
            }
            for name, path in sources.items()
        },
        "labels": {
            task: list(registry.find(task).labels or sorted(counts.labels[task]))
            for task in sorted(counts.labels)
        },
        "label_counts": {
            task: {
                label: {split: by_split[split] for split in FILES}
                for label, by_split in sorted(counts.labels[task].items())
            }
            for task in sorted(counts.labels)
        },
        "files": {
            name: {
                "records": counts.records[split].total(),
                "sha256": fingerprint(folder / name),
            }
            for split, name in FILES.items()
        },
        "versions": versions_of(PACKAGES),
    }
    write_json(folder / NAME, value)
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


def is_intact(folder: Path, built: Mapping[str, Any]) -> bool:
    """Return whether the data files are those that the build wrote, byte for byte."""
    return all(
        (folder / name).is_file() and fingerprint(folder / name) == facts["sha256"]
        for name, facts in built["files"].items()
    )


def data_fingerprint(built: Mapping[str, Any]) -> str:
    """Return what identifies a build's data: the beginnings of its three files' hashes."""
    return " ".join(built["files"][name]["sha256"][:16] for name in FILES.values())


def drops_as_text(reasons: Mapping[str, int]) -> str:
    """Return what was left out of one source as text: ``3 empty answer, 5 empty text``."""
    return ", ".join(_listed(reasons)) or "it is empty"


def _listed(reasons: Mapping[str, int]) -> list[str]:
    return [f"{count:,} {reason}" for reason, count in sorted(reasons.items())]


def _is_ours(folder: Path) -> bool:
    try:
        read(folder)
    except InputError:
        return False
    return True


def _fingerprints(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    return {file.name: fingerprint(file) for file in local_files(path)}
