"""What lies below a folder: data, runs, comparisons and reports. Nothing outside it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import existing_file, read_json
from tuneproof.formats.codec import has_schema
from tuneproof.formats.comparison import SCHEMA as COMPARISON
from tuneproof.formats.data_folder import FILES
from tuneproof.formats.report import FILE as REPORT
from tuneproof.formats.report import SCHEMA as REPORT_SCHEMA
from tuneproof.formats.run import FILE as RUN
from tuneproof.formats.run import Run, read_run

DEPTH = 4
"""How many folders deep it is looked for them."""
HEAD_BYTES = 200
"""In which a comparison says what it is."""
MOST_BYTES = 50_000_000
"""Of a file that is read whole."""
PAGE = "report.html"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Something that can be shown."""

    name: str
    """Its path below the folder."""
    written: datetime
    """When it was written last."""


@dataclass(frozen=True, kw_only=True)
class RunEntry(Entry):
    """A run."""

    run: Run
    """What its run.json says."""


@dataclass(frozen=True, kw_only=True)
class ReportEntry(Entry):
    """A report."""

    headlines: tuple[str, ...]
    """Its verdicts, a sentence each."""
    has_ballot: bool
    """Whether its page has answers to vote on."""
    files: tuple[str, ...]
    """The comparisons that it was made from."""


@dataclass(kw_only=True)
class Shelf:
    """All that was found, the newest first."""

    data: list[Entry] = field(default_factory=list)
    """Folders with records to train on."""
    runs: list[RunEntry] = field(default_factory=list)
    """Trainings."""
    comparisons: list[Entry] = field(default_factory=list)
    """Files of answers."""
    reports: list[ReportEntry] = field(default_factory=list)
    """Folders of reports."""
    faults: list[str] = field(default_factory=list)
    """What could not be read, and why."""


def inside(root: Path, name: str) -> Path:
    """Return the path of a name below a folder.

    Args:
        root: The folder, resolved.
        name: What a browser sent, or what was found there.

    Raises:
        FileNotFoundError: There is no such thing, or the name, or a link, leads out of the folder.
    """
    try:
        path = (root / name).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle; a NUL character
        raise FileNotFoundError(name) from error
    if not path.is_relative_to(root):
        raise FileNotFoundError(name)
    return path


def is_inside(root: Path, name: str) -> bool:
    """Return whether there is something of that name below a folder, as `inside` has it."""
    try:
        inside(root, name)
    except FileNotFoundError:
        return False
    return True


def run_inside(root: Path, name: str) -> Path:
    """Return the folder of a run, none of whose files is a link that leads out.

    Raises:
        FileNotFoundError: As in `inside`.
        InputError: As in `readable`.
    """
    folder = inside(root, name)
    readable(inside(root, f"{name}/{RUN}"))
    check_links(root, folder)
    return folder


def check_links(root: Path, path: Path) -> None:
    """Raise FileNotFoundError where a link in a folder, or in one that it links to, leads out.

    Args:
        root: The folder, resolved.
        path: A file or folder below it, resolved.
    """
    known, folders = {path}, [path]
    while folders:
        for where, names, files in os.walk(folders.pop()):
            for link in (Path(where, one) for one in (*names, *files)):
                if link.is_symlink() and (target := inside(root, str(link))) not in known:
                    known.add(target)
                    folders.append(target)


def readable(path: Path) -> Path:
    """Return a file that is to be read whole.

    Raises:
        InputError: It is no file, which could keep its reader waiting, or too large.
    """
    if existing_file(path).stat().st_size > MOST_BYTES:
        raise InputError(f"{path}: over {MOST_BYTES // 10**6} MB are not shown; too large")
    return path


def report_inside(root: Path, name: str) -> Path:
    """Return the page of a report by the name of its folder.

    Raises:
        FileNotFoundError: As in `inside`.
    """
    if not all(inside(root, f"{name}/{file}").is_file() for file in (REPORT, PAGE)):
        raise FileNotFoundError(name)
    return inside(root, f"{name}/{PAGE}")


def comparison_inside(root: Path, name: str) -> Path:
    """Return a comparison's file.

    Raises:
        FileNotFoundError: As in `inside`, or the file is none.
    """
    path = inside(root, name)
    if not _is_comparison(path):
        raise FileNotFoundError(name)
    return path


def shelf_of(root: Path) -> Shelf:
    """Look through a folder.

    Links that lead out of it, hidden folders, and names that are no UTF-8, are left out.
    """
    shelf = Shelf()
    for path in _files(root):
        try:
            _add(shelf, root, path)
        except FileNotFoundError:
            continue
        except (OSError, OverflowError, ValueError) as error:  # also a year over 9999
            name, said = path.relative_to(root).as_posix(), str(error)
            shelf.faults.append(said if name in said else f"{name}: {said}")
    for entries in (shelf.data, shelf.runs, shelf.comparisons, shelf.reports):
        entries.sort(key=lambda entry: entry.written, reverse=True)
    return shelf


def _files(root: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(root):
        here = Path(where)
        is_last = RUN in files or len(here.relative_to(root).parts) >= DEPTH
        folders[:] = [] if is_last else filter(is_shown, folders)
        yield from (here / name for name in files if is_shown(name))


def is_shown(name: str) -> bool:
    """Return whether a file or folder of a name is shown: not a hidden one, or no UTF-8."""
    return not name.startswith(".") and name.encode("utf-8", "replace").decode() == name


def _add(shelf: Shelf, root: Path, path: Path) -> None:
    """Add what a file stands for, if it is one of ours."""
    if path.name == RUN:
        folder = run_inside(root, str(path.parent))
        shelf.runs.append(RunEntry(run=read_run(folder), **_known(root, path, folder)))
    elif path.name == REPORT:
        report_inside(root, str(path.parent))
        document = read_json(readable(path))
        if has_schema(document, REPORT_SCHEMA):
            known = _known(root, path, path.parent)
            shelf.reports.append(ReportEntry(**_verdicts(document), **known))
    elif path.name == FILES["train"]:
        inside(root, str(path))
        shelf.data.append(Entry(**_known(root, path, path.parent)))
    elif path.suffix == ".json" and _is_comparison(inside(root, str(path))):
        shelf.comparisons.append(Entry(**_known(root, path, path)))


def _known(root: Path, file: Path, named: Path) -> dict[str, Any]:
    written = datetime.fromtimestamp(file.stat().st_mtime)
    return {"name": named.relative_to(root).as_posix(), "written": written}


def _is_comparison(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as handle:
        return json.dumps(COMPARISON).encode() in handle.read(HEAD_BYTES)


def _verdicts(document: dict[str, Any]) -> dict[str, Any]:
    """Return what the list shows of a report of whatever version."""
    summary, sources = document.get("summary"), document.get("sources")
    said = summary.values() if isinstance(summary, dict) else ()
    listed = sources if isinstance(sources, list) else ()
    return {
        "headlines": tuple(str(one["headline"]) for one in said if _has(one, "headline")),
        "has_ballot": bool(said) and document.get("labels") is None,
        "files": tuple(str(one["file"]) for one in listed if _has(one, "file")),
    }


def _has(value: Any, key: str) -> bool:
    return isinstance(value, dict) and key in value
