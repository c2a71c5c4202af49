"""Finished runs, as inference needs to know them: what run.json says, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.files import read_json
from tuneproof.formats.training import training_of

SCHEMA = "tuneproof/run@1"


def read_facts(runs: Path, name: str) -> dict[str, Any]:
    """Return what the run.json of a finished run says.

    Raises:
        InputError: There is no such run, or it is not finished.
    """
    file = runs / name / "run.json"
    if not file.is_file():
        raise unknown("run", name, [path.parent.name for path in runs.glob("*/run.json")])
    facts = read_json(file)
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise InputError(f"{file}: not a run of schema {SCHEMA}")
    if facts["state"] != "finished":
        raise InputError(
            f"run {name!r} is not finished (it is {facts['state']}); "
            "the same `tune run` command goes on with it"
        )
    return facts


def is_classifier(facts: dict[str, Any]) -> bool:
    """Return whether a run trained a classification head, and so answers no prompts."""
    return bool(facts["config"].get("objective", "generate") == "classify")


def described(
    folder: Path, facts: dict[str, Any], adapter: Path | None, name: str | None = None
) -> dict[str, Any]:
    """Return a run as a comparison file records it.

    Args:
        folder: The run's.
        facts: What its run.json says.
        adapter: The folder of its adapter, where it has one.
        name: What it is called there; by default as its folder.
    """
    return {
        "name": name or folder.name,
        "model": facts["base"]["model"],
        "adapter": adapter and str(adapter),
        "method": facts["config"]["method"],
        "quantization": facts.get("quantization"),
        "parameters": facts["parameters"],
        "training_seconds": facts["result"]["wall_seconds"],
        "peak_memory_bytes": facts["result"]["peak_memory_bytes"],
        "training": training_of(folder, facts),
    }
