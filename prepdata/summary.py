"""What a build came to, as text: from its manifest alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneproof.formats.example import FILES
from tuneproof.prepdata import labels, registry
from tuneproof.text import indented, table


def build_summary(folder: Path, manifest: Mapping[str, Any]) -> str:
    """Return the summary of a build that was just written."""
    files = ", ".join(manifest["files"])
    return f"{overview(manifest)}\n\nwrote {files} and manifest.json to {folder}"


def overview(manifest: Mapping[str, Any]) -> str:
    """Return records per source and split, what was left out and why, and warnings."""
    parts = [counts(manifest)]
    for title, key in (("left out", "dropped"), ("noted of the rows read", "notes")):
        found = [
            (source, f"{count:,}", what)
            for source, facts in manifest["sources"].items()
            for what, count in facts.get(key, {}).items()
        ]
        if found:
            parts.append(f"{title}\n{indented(_listed(found))}")
    told = warnings(manifest)
    if told:
        parts.append("\n".join(f"warning: {warning}" for warning in told))
    return "\n\n".join(parts)


def _listed(rows: Sequence[tuple[str, str, str]]) -> str:
    """Return source, count and what was counted as aligned lines."""
    wide = max(len(source) for source, _, _ in rows)
    high = max(len(count) for _, count, _ in rows)
    return "\n".join(f"{source:{wide}}  {count:>{high}}  {what}" for source, count, what in rows)


def counts(manifest: Mapping[str, Any]) -> str:
    """Return a table of the records per source and split."""
    rows = [("source", *FILES, "left out")]
    totals = [0] * (len(FILES) + 1)
    for source, facts in manifest["sources"].items():
        numbers = [*(facts["records"][split] for split in FILES), sum(facts["dropped"].values())]
        rows.append((source, *(f"{number:,}" for number in numbers)))
        totals = [total + number for total, number in zip(totals, numbers, strict=True)]
    if len(rows) > 2:
        rows.append(("total", *(f"{total:,}" for total in totals)))
    return table(rows)


def warnings(manifest: Mapping[str, Any]) -> list[str]:
    """Return what one should know before training on the data, one sentence each."""
    found = []
    for split, name in FILES.items():
        if not manifest["files"][name]["records"]:
            found.append(f"the {split} split is empty")
    for task, names in manifest["labels"].items():
        found += labels.warnings(task, names, manifest["label_counts"][task])
    return found


def sources_table() -> str:
    """Return the sources: how much there is, its licence, where it comes from, what it holds."""
    rows = [("source", "rows", "licence", "from")]
    for name, source in registry.SOURCES.items():
        where = f"Hub: {source.hub_id}" if source.hub_id else "made on the spot"
        rows.append((name, source.size, source.licence, "your files" if source.is_own else where))
    lines = table(rows, left=4).split("\n")
    column = (
        len(lines[0]) - len(lines[0].lstrip()) + max(len(name) for name in registry.SOURCES) + 2
    )
    told = [lines[0]]
    for line, source in zip(lines[1:], registry.SOURCES.values(), strict=True):
        told += [line, " " * column + source.summary]
    return "\n".join(told)
