"""A statement that binds weights, data, prompts, settings and report by their hashes.

It has the form of an in-toto Statement v1 (https://in-toto.io/Statement/v1), so that the tools that
sign and store such statements take it. Whoever has the files recomputes it without a network.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import fingerprint, read_json, write_json
from tuneproof.formats.codec import encode
from tuneproof.formats.data_folder import FILES, MANIFEST
from tuneproof.formats.joined import read_comparisons
from tuneproof.formats.report import Report, read_report, recorded_files, report_file
from tuneproof.formats.run import FILE, Run, read_run
from tuneproof.formats.variant import Variant
from tuneproof.locks import at_work

TYPE = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:tuneproof:evaluation:1"
STATEMENT = "statement.json"
Role = str
"""What a file is to the report: report, comparison, prompts, weights, run, or data."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What came of recomputing a statement."""

    checked: int
    """Files whose hash is the stated one."""
    differences: tuple[str, ...]
    """What is not as it was stated."""
    unchecked: tuple[str, ...]
    """What could not be recomputed here."""

    def lines(self) -> list[str]:
        """Return it in words."""
        verdict = "differs" if self.differences else "holds"
        head = f"the statement {verdict}: {self.checked} files are as stated"
        return [head, *self.differences, *(f"not checked: {one}" for one in self.unchecked)]


def publish(path: Path, out: Path | None, runs: Path) -> Path:
    """Write the statement of a report; return its file.

    Args:
        path: A report.json, or its folder.
        out: The file; by default statement.json beside the report.
        runs: The folder that holds the runs that the report is of.

    Raises:
        InputError: A file is missing, or is not the one that the report was made from; or another
            process is writing the statement.
    """
    file = report_file(path)
    out = out or file.parent / STATEMENT
    report = read_report(file)
    with at_work(out):
        return _publish(file, report, out, runs)


def _publish(file: Path, report: Report, out: Path, runs: Path) -> Path:
    files = list(_files(file, report, runs))
    missing = [str(one) for _, one in files if not one.is_file()]
    if missing:
        raise InputError(f"{missing[0]} is not there; a statement binds what can be read")
    write_json(out, _statement(report, files, out.parent, runs))
    verified = verify(out)
    if verified.differences:
        out.unlink()
        raise InputError(f"{file}: {verified.differences[0]}; run `score report` again")
    return out


def verify(path: Path) -> Verified:
    """Recompute a statement from the files that lie where it says, relative to its own folder.

    Raises:
        InputError: It is no statement of ours.
    """
    statement = read_json(path)
    if not isinstance(statement, dict) or statement.get("predicateType") != PREDICATE:
        raise InputError(f"{path}: no statement; `score publish` writes one")
    entries = _entries(statement, path)
    differences = []
    for role, name, sha256 in entries:
        file = path.parent / name
        if not file.is_file():
            differences.append(f"{role} {name} is not there")
        elif fingerprint(file) != sha256:
            differences.append(
                f"{role} {name} is another file: its SHA-256 is not {sha256[:12]}..."
            )
    checked = len(entries) - len(differences)
    unchecked: list[str] = []
    if not differences:
        differences = list(_contradictions(statement, path.parent, entries))
        unchecked = list(_bases(statement, differences))
    return Verified(checked=checked, differences=tuple(differences), unchecked=tuple(unchecked))


def _statement(
    report: Report, files: list[tuple[Role, Path]], folder: Path, runs: Path
) -> dict[str, Any]:
    """Return the statement; its subjects are the weights, or the report where there are none."""
    listed = [
        {"role": role, "name": _relative(one, folder), "digest": {"sha256": fingerprint(one)}}
        for role, one in files
    ]
    weights = [row for row in listed if row["role"] == "weights"] or listed[:1]
    return {
        "_type": TYPE,
        "subject": [{"name": row["name"], "digest": row["digest"]} for row in weights],
        "predicateType": PREDICATE,
        "predicate": {
            "files": listed,
            "runs": {name: _run_facts(run) for name, run in _runs(report, runs).items()},
            **_report_facts(report),
        },
    }


def _report_facts(report: Report) -> dict[str, Any]:
    """Return what of a report stands in its statement."""
    return {
        "settings": encode(report.settings),
        "decoding": report.decoding,
        "versions": dict(report.versions),
        "metrics": encode(report.metrics),
        "headlines": {name: one.headline for name, one in report.summary.items()},
    }


def _run_facts(run: Run) -> dict[str, Any]:
    """Return what of a run stands in a statement."""
    return {
        "base": encode(run.base),
        "data_fingerprint": run.data.fingerprint,
        "template_sha256": None if run.template is None else run.template.hash,
        "settings_sha256": run.settings_hash,
        "settings": dict(run.config),
        "weights_sha256": dict(run.weights_sha256 or {}),
    }


def _files(file: Path, report: Report, runs: Path) -> Iterator[tuple[Role, Path]]:
    """Yield role and path of every file that a report rests on."""
    yield "report", file
    sources = [_existing(source.file, file) for source in report.sources]
    for source in sources:
        yield "comparison", source
    for source in sources:
        prompts = read_comparisons([source]).prompts if source.is_file() else None
        if isinstance(prompts, Mapping) and isinstance(prompts.get("file"), str):
            yield "prompts", _existing(prompts["file"], source)
    data: dict[Path, None] = {}
    for run in _runs(report, runs).values():
        yield "run", run.folder / FILE
        for weights in run.weights:
            yield "weights", weights
        folder = Path(run.data.folder)
        data |= {folder / name: None for name in (*FILES.values(), MANIFEST)}
    for one in data:
        if one.is_file():
            yield "data", one


def _existing(path: str, recording: Path) -> Path:
    return next(iter(recorded_files(path, recording)), Path(path))


def _runs(report: Report, runs: Path) -> dict[str, Run]:
    """Return the runs among a report's variants, by name."""
    by_name = {}
    for variant in report.variants:
        folder = _run_folder(variant, runs)
        if folder is not None:
            by_name[variant.name] = read_run(folder)
    return by_name


def _run_folder(variant: Variant, runs: Path) -> Path | None:
    if variant.is_base or variant.is_baseline or variant.is_merged:
        return None
    named = [Path(variant.adapter).parent] if variant.adapter else []
    return next((one for one in (*named, runs / variant.name) if (one / FILE).is_file()), None)


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _entries(statement: Mapping[str, Any], path: Path) -> list[tuple[Role, str, str]]:
    """Return role, name and SHA-256 of every file of a statement; InputError where it has none."""
    try:
        rows = statement["predicate"]["files"]
        listed = [(str(r["role"]), str(r["name"]), str(r["digest"]["sha256"])) for r in rows]
        stated = {str(row["name"]): row["digest"]["sha256"] for row in statement["subject"]}
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: parts of the statement are missing: {error}") from error
    known = {name: sha256 for _, name, sha256 in listed}
    for name, sha256 in stated.items():
        if known.get(name) != sha256:
            raise InputError(f"{path}: the subject {name} is not among the statement's files")
    return listed


def _contradictions(
    statement: Mapping[str, Any], folder: Path, entries: list[tuple[Role, str, str]]
) -> Iterator[str]:
    """Yield what files that are all as stated say against each other, or against the statement."""
    of = {role: [(folder / n, sha) for r, n, sha in entries if r == role] for role, _, _ in entries}
    predicate = statement["predicate"]
    report = read_report(of["report"][0][0])
    for source in report.sources:
        if source.sha256 not in {sha for _, sha in of.get("comparison", [])}:
            yield f"the report was made from another {source.file} than is there"
    for file, _ in of.get("comparison", []):
        stated = (read_comparisons([file]).prompts or {}).get("sha256")
        if stated and stated not in {sha for _, sha in of.get("prompts", [])}:
            yield f"{file.name} was answered from other prompts (SHA-256 {stated[:12]}...)"
    facts = {"report": (predicate, _report_facts(report))}
    weights = {sha for _, sha in of.get("weights", [])}
    data = {sha[:16] for _, sha in of.get("data", [])}
    for file, _ in of.get("run", []):
        run = read_run(file.parent)
        facts[run.name] = (predicate.get("runs", {}).get(run.name, {}), _run_facts(run))
        for name, sha256 in (run.weights_sha256 or {}).items():
            if sha256 not in weights:
                yield f"run {run.name} was left with other weights in {name}"
        if data and set(run.data.fingerprint.split()) - {"-"} - data:
            yield f"run {run.name} was trained on other data than is there"
    for name, (stated, seen) in facts.items():
        for key, value in seen.items():
            if stated.get(key) != json.loads(json.dumps(value)):
                yield f"{key} of {name} is stated otherwise than its file has it"


def _bases(statement: Mapping[str, Any], differences: list[str]) -> Iterator[str]:
    """Add to the differences bases with other weights; yield those that are not here."""
    from tuneproof.models.weights import weights_hash

    bases = {
        facts["base"]["model"]: facts["base"]["weights_sha256"]
        for facts in statement["predicate"].get("runs", {}).values()
    }
    for model, sha256 in bases.items():
        try:
            same = weights_hash(model) == sha256
        except (InputError, OSError, ValueError):
            yield f"the base's weights, as {model} is not here"
            continue
        if not same:
            differences.append(f"the weights of the base {model} are other ones")
