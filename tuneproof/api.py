"""The Python API: what the commands do, as plain functions that return typed values.

Settings are those of the commands, by their names in Python: `BuildConfig`, `TuneConfig`,
`CompareConfig`, `RegressionsConfig` and `ReportConfig` list and explain them. Progress goes to
`logging`; a mistake of the caller is an InputError, whose message says what to give instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tuneproof.environment import set_memory_defaults
from tuneproof.finding import Finding
from tuneproof.formats.broken import Broken
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.report import Report
from tuneproof.formats.run import Run
from tuneproof.options import from_mapping

Config = TypeVar("Config")

set_memory_defaults()  # before a function below imports what makes a tensor


def build(*sources: str, **settings: Any) -> DataFolder:
    """Build a data folder, as `prepdata build` does.

    Args:
        sources: ``NAME`` (from the Hub, or embedded) or ``NAME=PATH``; see `prepdata sources`.
        settings: Of `BuildConfig`, such as ``out="data"`` or ``limit=1000``.

    Raises:
        InputError: A source is unknown or unreadable, or nothing is left to train on.
    """
    from tuneproof.prepdata.build import build as build_folder
    from tuneproof.prepdata.config import BuildConfig

    config = _config(BuildConfig, {"source": sources, **settings}, "build")
    build_folder(config)
    return DataFolder(config.out)


def finetune(**settings: Any) -> Run:
    """Train a run, as `tune run` does, or go on with it where it was interrupted.

    A finished run of the same settings is returned as it is, so that a notebook can be run again.

    Args:
        settings: Of `TuneConfig`, such as ``data="data"``, ``model="tiny"``, ``name="first"``.

    Raises:
        InputError: Data or model cannot be used, or the folder belongs to another run.
    """
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.runs import status_of

    config = _config(TuneConfig, settings, "finetune")
    status = status_of(config)
    if status.state == "finished" and status.run is not None and not config.overwrite:
        return status.run
    from tuneproof.tuning.run import finetune as train

    return train(config, made_by="tuneproof.finetune")


def compare(prompts: str | Path, *runs: str, **settings: Any) -> Comparison:
    """Answer prompts by base and runs, as `infer compare` does.

    Args:
        prompts: A file of prompts (.json or .jsonl), such as a data folder's test.jsonl.
        runs: Names of runs.
        settings: Of `CompareConfig`, such as ``out="model_comparison.json"`` or ``limit=100``.

    Raises:
        InputError: Prompts or runs cannot be used.
    """
    from tuneproof.inference.compare import compare as compare_file
    from tuneproof.inference.config import CompareConfig

    config = _config(CompareConfig, {"run": runs, **settings}, "compare")
    return compare_file(Path(prompts), config)


def regressions(*runs: str, **settings: Any) -> Broken:
    """Ask runs and their base general items, and judge what the tuning broke.

    Does what `infer compare regressions` does; the file it writes is taken by `report`.

    Args:
        runs: Names of runs.
        settings: Of `RegressionsConfig`, such as ``out="regressions.json"`` or ``limit=80``.

    Raises:
        InputError: Items or runs cannot be used.
    """
    from tuneproof.eval.config import ReportConfig
    from tuneproof.inference.config import RegressionsConfig
    from tuneproof.inference.regressions import compare_regressions, note_broken

    config = _config(RegressionsConfig, {"run": runs, **settings}, "regressions")
    compare_regressions(config)
    return note_broken(config, ReportConfig())


def report(
    *comparisons: str | Path,
    out: str | Path | None = None,
    published: str | Path | None = None,
    regressions: Sequence[str | Path] = (),
    votes: Sequence[str | Path] = (),
    judgements: Sequence[str | Path] = (),
    **settings: Any,
) -> Report:
    """Score comparison files, as `score report` does; write the pages and return the figures.

    Args:
        comparisons: One or more files of one experiment.
        out: The folder to write report.html, report.md, report.json and the plots into; by default
            ``reports/`` and the name of the file, as the command does.
        published: YAML with figures of others, to be shown beside ours and never tested.
        regressions: Files that `regressions` wrote of the same runs.
        votes: Files that the page exported, one per person.
        judgements: Files that `score judge` wrote.
        settings: Of `ReportConfig`, such as ``confidence=0.95``.

    Raises:
        InputError: A file cannot be used; nothing is written then.
    """
    from tuneproof.eval.config import ReportConfig
    from tuneproof.eval.report.build import report as report_files
    from tuneproof.eval.report.build import report_folder
    from tuneproof.eval.report.published import read_published_file

    config, files = _config(ReportConfig, settings, "report"), list(map(Path, comparisons))
    return report_files(
        files,
        report_folder(files) if out is None else Path(out),
        config,
        () if published is None else read_published_file(Path(published), config.metric),
        regressions=list(map(Path, regressions)),
        votes=list(map(Path, votes)),
        judgements=list(map(Path, judgements)),
    )


def doctor(
    *,
    data: str | Path | None = None,
    run: str | Path | None = None,
    comparison: str | Path | None = None,
    regressions: str | Path | None = None,
    model: str | None = None,
) -> list[Finding]:
    """Return what is wrong with data, a run or a comparison, as `tune doctor` does, errors first.

    Args:
        data: A data folder.
        run: A run's folder.
        comparison: A comparison file.
        regressions: Answers to general items, which `regressions` wrote.
        model: Whose tokenizer tells which records do not fit; by default that of the run.

    Raises:
        InputError: Nothing was given, or something that cannot be read.
    """
    from tuneproof.tuning.doctor import examine

    paths = {"data": data, "run": run, "comparison": comparison, "regressions": regressions}
    given = {name: Path(path) for name, path in paths.items() if path is not None}
    return examine(model=model, **given)


def _config(config: type[Config], settings: Mapping[str, Any], function: str) -> Config:
    """Return the settings, checked as those of a YAML file are."""
    plain = {
        name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()
    }
    return from_mapping(config, plain, f"tuneproof.{function}")
