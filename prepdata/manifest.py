"""The account of a build: how many records there are, from what, and what was left out and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tuneproof.errors import InputError
from tuneproof.files import fingerprint
from tuneproof.formats.data_folder import (
    FILES,
    MANIFEST,
    SPLITS,
    DataFolder,
    FileFacts,
    Manifest,
    SourceFacts,
    Split,
    read_manifest,
)
from tuneproof.plugins import plugin_versions
from tuneproof.prepdata import registry
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.sources.opening import fingerprints
from tuneproof.prepdata.sources.rows import ReadLog
from tuneproof.stamp import Stamp, code_fingerprint, versions_of

PACKAGES = ("tuneproof", "datasets", "rensa")
"""Their versions are noted: they decide what is read, and what counts as a near-duplicate."""

ROOMS = (".", "formats", "prepdata")
"""The folders whose code decides what a build comes to."""
Tally = dict[str, Counter[str]]
"""How many rows, by source and reason or note."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many records there are."""

    records: dict[Split, Counter[str]]
    """By split and source."""
    labels: dict[str, dict[str, Counter[Split]]]
    """By source, label and split; classification tasks only."""

    @classmethod
    def of(cls, records: Iterable[tuple[str, Split | None, str]]) -> Counts:
        """Count records, each given as source, split and label (empty where it has none)."""
        totals: dict[Split, Counter[str]] = {split: Counter() for split in SPLITS}
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
    """Raise InputError where a build would replace files that another program wrote."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; --out names a folder")
    present = [name for name in (*FILES.values(), MANIFEST) if (folder / name).exists()]
    if not present:
        return
    try:
        read_manifest(folder)
    except InputError:
        raise InputError(
            f"{folder} holds {', '.join(present)} that `prepdata build` did not write; "
            "choose another folder with --out"
        ) from None


def manifest_of(
    folder: Path,
    config: BuildConfig,
    sources: Mapping[str, Path | None],
    counts: Counts,
    dropped: Tally,
    noted: Tally,
    logs: Mapping[str, ReadLog],
) -> Manifest:
    """Return the manifest of a folder whose data files are already there."""
    tasks = sorted(counts.labels)
    return Manifest(
        seed=config.seed,
        config=config.as_json(),
        sources={
            name: SourceFacts(
                origin=str(path) if path else registry.find(name).hub_id or "embedded",
                licence=registry.find(name).licence,
                files=fingerprints(path) if path else {},
                records={split: counts.records[split][name] for split in SPLITS},
                dropped=dict(sorted(dropped[name].items())),
                notes=dict(sorted(noted[name].items())),
                read=dict(logs[name].rows),
                remarks=logs[name].remarks,
            )
            for name, path in sources.items()
        },
        labels={
            task: list(registry.find(task).labels or sorted(counts.labels[task])) for task in tasks
        },
        label_counts={
            task: {
                label: {split: by_split[split] for split in SPLITS}
                for label, by_split in sorted(counts.labels[task].items())
            }
            for task in tasks
        },
        files={
            name: FileFacts(
                records=counts.records[split].total(), sha256=fingerprint(folder / name)
            )
            for split, name in FILES.items()
        },
        versions=_versions(),
        code=code_fingerprint(*ROOMS),
    )


def _versions() -> dict[str, str]:
    return versions_of(PACKAGES) | plugin_versions("sources")


def is_up_to_date(config: BuildConfig) -> bool:
    """Return whether a folder holds what these settings, sources and this code would build."""
    folder = DataFolder(config.out)
    if folder.manifest is None or not folder.is_as_built:
        return False
    today = Stamp(
        settings={name: value for name, value in config.as_json().items() if name != "out"},
        inputs={
            f"{name}: {file}": sha256
            for name, _, path in (source.partition("=") for source in config.source)
            for file, sha256 in (fingerprints(Path(path).expanduser()) if path else {}).items()
        },
        code=code_fingerprint(*ROOMS),
        versions=_versions(),
    )
    return folder.manifest.stamp == today


def drops_as_text(reasons: Mapping[str, int]) -> str:
    """Return what was left out of one source as text: ``3 empty answer, 5 empty text``."""
    return ", ".join(_listed(reasons)) or "it is empty"


def _listed(reasons: Mapping[str, int]) -> list[str]:
    return [f"{count:,} {reason}" for reason, count in sorted(reasons.items())]
