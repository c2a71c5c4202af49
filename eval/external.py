"""lm-evaluation-harness's tasks, asked of a base and a run, and tested in pairs.

The harness compares two models by their means and standard errors, as if each had been asked other
items. Here the values of every item are paired, and judged as general items are: see
`eval.regressions`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.eval.config import ExternalConfig
from tuneproof.files import read_jsonl
from tuneproof.formats.example import digest
from tuneproof.formats.regressions import (
    Answer,
    Answered,
    Regressions,
    write_regressions,
)
from tuneproof.formats.run import Run
from tuneproof.formats.run_names import finished_run
from tuneproof.locks import at_work
from tuneproof.text import one_line

log = logging.getLogger(__name__)
BASE = "base"
FIRST = ("exact_match", "acc", "em", "f1", "acc_norm")
"""The metrics that are taken where a task has several, the first that is there."""
PROMPT = 600
"""Most characters of a prompt that the file keeps."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One item of a task with the value that the harness gave its answer."""

    task: str
    """The task's name."""
    number: int
    """The item's number in the task."""
    doc_hash: str
    """The harness's hash of the item; both models must have been asked the same."""
    prompt: str
    """What was asked, its beginning."""
    metric: str
    """What was measured."""
    value: float
    """The value, from 0 to 1."""


def external(config: ExternalConfig) -> Regressions:
    """Ask a base and its run the tasks, or read what the harness logged of them, and write it all.

    Raises:
        InputError: The harness is not installed, a task or a run cannot be used, the two were not
            asked the same items, or another process is writing the answers.
    """
    with at_work(config.out):
        return _external(config)


def _external(config: ExternalConfig) -> Regressions:
    if config.base_samples is not None and config.run_samples is not None:
        name = config.run or config.run_samples.name
        base, tuned = (
            read_samples(folder, config.metric)
            for folder in (config.base_samples, config.run_samples)
        )
    else:
        assert config.run is not None
        run = finished_run(config.runs, config.run)
        name, (base, tuned) = run.name, _asked(run, config)
    regressions = Regressions(
        identity=digest(*(f"{s.task} {s.number} {s.value}" for s in (*base, *tuned))),
        made_by="score external",
        base=BASE,
        variants=(BASE, name),
        items=tuple(paired(base, tuned, name)),
    )
    write_regressions(config.out, regressions)
    return regressions


def paired(base: Iterable[Sample], tuned: Iterable[Sample], name: str) -> Iterator[Answered]:
    """Yield the items with the values of both.

    Raises:
        InputError: An item was asked of one only, or the two differ in what it is.
    """
    first = {(sample.task, sample.number): sample for sample in base}
    second = {(sample.task, sample.number): sample for sample in tuned}
    for (task, number), sample in first.items():
        other = second.get((task, number))
        if other is None or (sample.doc_hash, sample.metric) != (other.doc_hash, other.metric):
            raise InputError(
                f"{task}: item {number} is not the same for {BASE} and {name}; ask both the same "
                "tasks with the same limit"
            )
        yield Answered(
            id=f"{task}-{number}",
            kind=task,
            prompt=sample.prompt,
            answers={BASE: Answer(value=sample.value), name: Answer(value=other.value)},
        )
    for task, number in second.keys() - first.keys():
        raise InputError(f"{task}: item {number} was asked of {name} only")


def samples_of(
    task: str, rows: Iterable[Mapping[str, Any]], metric: str | None, where: str
) -> list[Sample]:
    """Return what the harness logged of a task's items; of several filters the first.

    Raises:
        InputError: No metric of it is a value from 0 to 1 for every item.
    """
    samples: dict[int, Sample] = {}
    chosen = metric
    for row in rows:
        chosen = chosen or _metric_of(row, where)
        value = row.get(chosen)
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InputError(
                f"{where}: {chosen!r} of an item is {value!r}, and a value from 0 to 1 is needed; "
                f"name another metric of {', '.join(map(str, row.get('metrics') or ()))} "
                "with --metric"
            )
        number = row.get("doc_id")
        if not isinstance(number, int):
            raise InputError(f"{where}: doc_id of an item is {number!r}, and a number is needed")
        if number not in samples:
            samples[number] = Sample(
                task=task,
                number=number,
                doc_hash=str(row.get("doc_hash", "")),
                prompt=one_line(_prompt(row), PROMPT),
                metric=chosen,
                value=float(value),
            )
    return list(samples.values())


def _metric_of(row: Mapping[str, Any], where: str) -> str:
    """Return the metric to take of a task that logs several."""
    listed = [str(name) for name in row.get("metrics") or ()]
    for name in (*FIRST, *listed):
        if name in listed and isinstance(row.get(name), int | float):
            return name
    raise InputError(
        f"{where}: no metric of {', '.join(listed) or 'it'} is a number for every item"
    )


def _prompt(row: Mapping[str, Any]) -> str:
    """Return what an item asked; the harness writes its arguments in several forms."""
    arguments = row.get("arguments") or [[""]]
    first = next(iter(arguments.values())) if isinstance(arguments, dict) else arguments[0]
    if isinstance(first, dict):
        return str(next(iter(first.values()), ""))
    return str(first[0]) if isinstance(first, list | tuple) and first else str(first)


def read_samples(folder: Path, metric: str | None) -> list[Sample]:
    """Read what `lm_eval --log_samples --output_path FOLDER` wrote; of a task the newest file.

    Raises:
        InputError: There are no samples, or they have no metric that can be paired.
    """
    found = sorted(folder.rglob("samples_*.jsonl"), key=lambda file: file.name)
    files = {_task_of(file): file for file in found}
    if len(folders := sorted({str(file.parent) for file in found})) > 1:
        raise InputError(
            f"{folder} holds samples of several models, in {', '.join(folders)}; name one of these"
        )
    if not files:
        raise InputError(
            f"{folder} holds no samples_TASK_DATE.jsonl; `lm_eval --log_samples --output_path "
            f"{folder}` writes them"
        )
    samples = []
    for task, file in files.items():
        samples += samples_of(task, (row for _, row in read_jsonl(file)), metric, str(file))
    return samples


def _task_of(file: Path) -> str:
    """Return the task that ``samples_TASK_2026-01-31T12-00-00.123.jsonl`` is of."""
    name = file.stem.removeprefix("samples_")
    task, sign, date = name.rpartition("_")
    return task if sign and date[:4].isdigit() else name


def _asked(run: Run, config: ExternalConfig) -> tuple[list[Sample], list[Sample]]:
    """Ask the base, then the same weights with the run's adapter (or the run's own model)."""
    if find_spec("lm_eval") is None:
        raise InputError(
            "lm-evaluation-harness is not installed; pip install 'tuneproof[external]'"
        )
    if run.is_classifier:
        raise InputError(f"run {run.name!r} trained a classification head; it answers no tasks")
    from tuneproof.models import load as models
    from tuneproof.models.adapters import with_adapter

    def load() -> Any:
        return models.load_model(run.base.model, dtype=config.dtype, four_bit=run.quantization)

    def tuned() -> Any:
        if run.is_whole:
            return models.load_model(str(run.saved), dtype=config.dtype)
        return with_adapter(load(), run.adapter)

    return _evaluate(load, run, config), _evaluate(tuned, run, config)


def _evaluate(load: Callable[[], Any], run: Run, config: ExternalConfig) -> list[Sample]:
    """Ask one model all tasks by the harness."""
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    from tuneproof.models.load import load_tokenizer

    include = None if config.task_folder is None else str(config.task_folder)
    tasks = TaskManager(include_path=include)
    missing = [task for task in config.tasks if task not in tasks.all_tasks]
    if missing:
        raise InputError(
            f"the harness knows no task {', '.join(map(repr, missing))}; --task-folder names a "
            "folder with task files of your own"
        )
    harness = HFLM(
        pretrained=load().eval(),
        tokenizer=load_tokenizer(run.base.model),
        backend="causal",
        batch_size=config.batch_size,
    )
    result = simple_evaluate(
        harness,
        tasks=list(config.tasks),
        num_fewshot=config.num_fewshot,
        limit=config.limit,
        apply_chat_template=config.chat,
        task_manager=tasks,
        bootstrap_iters=0,
    )
    samples: list[Sample] = []
    for task, rows in result["samples"].items():
        samples += samples_of(task, rows, config.metric, f"task {task!r}")
    return samples
