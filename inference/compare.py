"""Comparing: every prompt answered by every variant, under the same conditions, into one file."""

from __future__ import annotations

import glob
import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import pairwise
from math import ceil, isfinite
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

from tqdm import tqdm

from tuneproof import ranks
from tuneproof.errors import InputError
from tuneproof.files import existing_file, fingerprint, read_json, write_text
from tuneproof.formats.codec import decode, has_schema
from tuneproof.formats.comparison import SCHEMA, Answer, Comparison, Item, write_comparison
from tuneproof.formats.data_folder import MANIFEST, DataFolder
from tuneproof.formats.example import Example, digest, read_prompts
from tuneproof.formats.run import read_run
from tuneproof.formats.variant import Variant
from tuneproof.inference.config import CompareConfig, Decoding
from tuneproof.inference.panel import Panel
from tuneproof.inference.panels import load_panels
from tuneproof.inference.remote import COSTS
from tuneproof.inference.sources import adapter_in_place_of_run, inputs_of, with_seeds
from tuneproof.inference.task import find_task, train_file
from tuneproof.inference.turns import asked_turns
from tuneproof.launch import join
from tuneproof.locks import at_work, remove_strays
from tuneproof.stamp import Stamp, code_fingerprint, versions_of

log = logging.getLogger(__name__)
T = TypeVar("T")
PACKAGES = ("tuneproof", "torch", "transformers", "peft", "tokenizers", "bitsandbytes")
ROOMS = (".", "formats", "models", "kernels", "prompts", "inference")
"""The packages, and the folders of code, that decide what is answered."""
NOT_ANSWERS = frozenset((
    *(one.name for one in fields(Decoding)),  # recorded together
    "runs", "out", "must_work", "endpoint_concurrency", "endpoint_timeout",
))  # fmt: skip
"""Settings that decide no answer, or none by themselves."""
PROMPTS_AT_ONCE = 12
"""Most prompts that a CPU answers at once, where nothing else is asked for."""
LINE_S = 30
"""Seconds between two lines about the progress, where no terminal shows a bar."""


def compare(prompts: Path, config: CompareConfig) -> Comparison:
    """Answer a file of prompts by base, runs and baselines, and write the comparison.

    An interrupted comparison goes on where it stopped when it is started again with the same
    prompts and settings. In one of several processes it answers its share of the prompts; the
    answers are those of one process, and the first one writes the file.

    Raises:
        InputError: Prompts or runs cannot be used, or another process is writing the comparison.
    """
    existing_file(prompts)
    check_replaceable(config.out, SCHEMA, "comparison")
    config = with_seeds(config)
    join(config.device)
    with ranks.on_main(at_work(config.out)):
        ranks.wait()
        return _compare(prompts, config)


def _compare(prompts: Path, config: CompareConfig) -> Comparison:
    for name in DataFolder(prompts.parent).edited:
        log.warning(f"{prompts.parent / name} is not the file that `prepdata build` wrote there")
    items = read_prompts(prompts)[: config.limit]
    task = find_task(prompts, items)
    if task is None:  # a label is the answer to a whole conversation
        items = asked_turns(items, config.turns)
    panels, conditions = load_panels(prompts, items, config, task)
    too_long: dict[str, tuple[str, ...]] = {}
    for panel in panels:
        for name, variants in (panel.asked.too_long if panel.asked else {}).items():
            too_long[name] = (*too_long.get(name, ()), *variants)
    asked = [item for item in items if item.id not in too_long]
    if not asked:
        raise InputError(f"{prompts}: all {len(items)} prompts are too long for the model")
    rows = [row for panel in panels for row in panel.variants]
    key = _identity(stamp_of(prompts, config), rows)
    with Progress(config.out, key) as progress:
        for panel in panels:
            _answer(panel, asked, config, progress)
        for theirs in ranks.gathered(progress.done):
            progress.take_over(theirs)
        panels = [panel.of_all() for panel in panels]
        shortened = {
            name for panel in panels for name in (panel.asked.shortened if panel.asked else ())
        }
        left_out = [item.id for item in items if item.id in too_long]
        answered, failed = _parted(asked, progress)
        comparison = Comparison(
            identity=key,
            **conditions,
            prompts={"file": str(prompts), "sha256": fingerprint(prompts)},
            labels=None if task is None else task.labels,
            left_out=tuple(left_out),
            too_long_for={name: too_long[name] for name in left_out},
            variants=tuple(
                decode(Variant, row, str(config.out))
                for panel in panels
                for row in _described(panel, asked, progress)
            ),
            items=tuple(_item(x, x.id in shortened, progress.done[x.id]) for x in answered),
            failed=tuple(_item(x, x.id in shortened, progress.done[x.id]) for x in failed),
        )
        if ranks.is_main():
            write_comparison(config.out, comparison)
            progress.finish()
        ranks.wait()
    return comparison


def _parted(items: Sequence[Example], progress: Progress) -> tuple[list[Example], list[Example]]:
    """Return the prompts that all variants answered, and those that one or several did not.

    Raises:
        InputError: A variant answered none of them, or there is none that all answered.
    """
    errors = [
        {name: row["error"] for name, row in progress.done[item.id].items() if row.get("error")}
        for item in items
    ]
    for name in dict.fromkeys(name for row in errors for name in row):
        reasons = [row[name] for row in errors if name in row]
        if len(reasons) == len(items):
            raise InputError(f"{name} answered none of the {len(items)} prompts: {reasons[0]}")
        log.warning(
            f"{name} gave no answer to {len(reasons)} of {len(items)} prompts, which are not "
            f"scored for any variant; the first: {reasons[0]}"
        )
    pairs = list(zip(items, errors, strict=True))
    answered = [item for item, row in pairs if not row]
    if not answered:
        raise InputError(f"none of the {len(items)} prompts was answered by all variants")
    return answered, [item for item, row in pairs if row]


def _described(
    panel: Panel, items: Sequence[Example], progress: Progress
) -> Iterator[dict[str, Any]]:
    """Yield a panel's variants as the file records them, with the mean cost of an answer."""
    for row in panel.described(items):
        answers = [progress.done[item.id][row["name"]] for item in items]
        shots = [len(answer["shots"]) for answer in answers if "shots" in answer]
        if shots:
            row = {**row, "shots": {**row["shots"], "mean": round(fmean(shots), 2)}}
        for key, mean, form in (
            ("prompt_tokens", "prompt_tokens", ".1f"),
            ("tokens", "answer_tokens", ".1f"),
            ("seconds", "seconds_per_answer", ".4g"),
        ):
            known = [answer[key] for answer in answers if answer.get(key) is not None]
            if known:
                row = {**row, mean: float(format(fmean(known), form))}
        yield row


def stamp_of(prompts: Path, config: CompareConfig) -> Stamp:
    """Return all that decides the answers; it needs no model to be loaded."""
    names = [name for name in config.run if adapter_in_place_of_run(config, name) is None]
    trained = [config.runs / name / "run.json" for name in (*names, *config.merged)]
    runs = [read_run(existing_file(file).parent) for file in trained]
    beside = [prompts.parent / MANIFEST, train_file(prompts, [run.data for run in runs])]
    beside += [file for run in runs for file in _chat_files(run.base.model)]
    trained += [file for run in runs for file in run.weights]
    files = {str(path): fingerprint(existing_file(path)) for path in (prompts, *trained)}
    return Stamp(
        settings={
            **{key: value for key, value in vars(config).items() if key not in NOT_ANSWERS},
            "decoding": config.recorded(),
            "batch_size": config.batch_size if config.do_sample else None,  # it decides draws
            "seed": config.seed if config.few_shot_by == "random" else None,
            "system": config.system_text,
        },
        inputs={
            **files,
            **inputs_of(config),
            **{str(path): fingerprint(path) if path.is_file() else None for path in beside},
        },
        code=code_fingerprint(*ROOMS),
        versions=versions_of((*PACKAGES, *(["vllm"] if config.engine == "vllm" else []))),
    )


def _chat_files(model: str) -> list[Path]:
    """Return the files that say how a base is asked, where it is a folder."""
    names = ("chat_template.jinja", "tokenizer_config.json", "generation_config.json")
    return [Path(model) / name for name in names] if Path(model).is_dir() else []


def is_up_to_date(prompts: Path, config: CompareConfig) -> bool:
    """Return whether the comparison is already there, made from the same things."""
    if not config.out.is_file():
        return False
    comparison = read_json(config.out)
    if not isinstance(comparison, dict) or not isinstance(comparison.get("variants"), list):
        return False
    stamp = stamp_of(prompts, with_seeds(config))
    return comparison.get("identity") == _identity(stamp, comparison["variants"])


def _identity(stamp: Stamp, variants: Sequence[Mapping[str, Any]]) -> str:
    """Return a hash of all that decides the answers, with the models that servers have by now.

    Args:
        stamp: What is known without asking them.
        variants: As the comparison file records them.
    """
    served = [f"{row['name']}={row['model']}" for row in variants if row.get("kind") == "endpoint"]
    return digest(stamp.key, *served) if served else stamp.key


def check_replaceable(out: Path, schema: str, what: str) -> None:
    """Raise InputError where a file to be written is a folder, or would replace another kind.

    Args:
        out: The file.
        schema: That which its kind names.
        what: Its kind, in words.
    """
    if out.is_dir():
        raise InputError(f"{out} is a folder; --out names the file to write")
    if out.is_file():
        try:
            earlier = read_json(out)
        except InputError:
            earlier = None
        if not has_schema(earlier, schema):
            raise InputError(f"{out} is no {what} and would be replaced; choose another --out")


def _answer(
    panel: Panel, items: Sequence[Example], config: CompareConfig, progress: Progress
) -> None:
    """Answer what is not answered yet, short prompts first, so that little is padding.

    The batches are the same whatever is answered already, and so is each batch's seed: an
    interrupted comparison draws what an uninterrupted one would have drawn. Several
    processes take the batches in turn.
    """
    by_length = sorted(items, key=lambda item: len(item.instruction) + len(item.input))
    reported, start = time.monotonic(), 0
    with tqdm(
        total=len(items),
        desc=panel.names[-1],
        unit=" prompts",
        file=sys.stderr,
        disable=None if ranks.is_main() else True,
    ) as bar:
        for number, batch in enumerate(even(by_length, _at_once(panel, len(items), config))):
            is_mine = number % ranks.world_size() == ranks.rank()
            if is_mine and not all(progress.has(item.id, panel.names) for item in batch):
                answers = panel.answer(batch, config.seed + start)
                for item, rows in zip(batch, answers, strict=True):
                    progress.add(item.id, {name: _checked(row) for name, row in rows.items()})
            start += len(batch)
            bar.update(len(batch))
            if bar.disable and time.monotonic() - reported > LINE_S:
                reported = time.monotonic()
                log.info("answered %s of %s", f"{start:,}", f"{len(items):,}")


def _at_once(panel: Panel, count: int, config: CompareConfig) -> int:
    """Return how many prompts make a batch, in all processes: as many as fit in every memory.

    Where nobody says how many, and nothing is drawn, there is a batch for every process.
    """
    most = config.batch_size or panel.prompts_at_once() or PROMPTS_AT_ONCE
    if config.batch_size is None and not config.do_sample:
        most = min(most, ceil(count / ranks.world_size()))
    return min(ranks.gathered(most))


def _checked(row: dict[str, Any]) -> dict[str, Any]:
    """Return an answer, or why it is none: probabilities of labels that are no numbers."""
    values = (row.get("label_probabilities") or {}).values()
    if all(map(isfinite, values)):
        return row
    error = "the probabilities of its labels are no numbers (NaN or infinite)"
    return {"text": row.get("text"), "error": error}


def _item(example: Example, is_shortened: bool, rows: dict[str, dict[str, Any]]) -> Item:
    answers = {}
    for name, row in rows.items():
        known = {key: value for key, value in row.items() if key not in COSTS}
        if "shots" in known:
            known["shots"] = tuple(known["shots"])
        answers[name] = Answer(**known)
    return Item.of(example, answers, truncated=is_shortened)


def even(items: Sequence[T], most: int) -> list[Sequence[T]]:
    """Return as few batches of at most `most` items as there can be, the larger ones first.

    They are as even as can be: a small batch at the end would take nearly as long as a full one.
    """
    count = ceil(len(items) / most)
    size, larger = divmod(len(items), max(count, 1))
    edges = [index * size + min(index, larger) for index in range(count + 1)]
    return [items[start:stop] for start, stop in pairwise(edges)]


class Progress:
    """The answers so far, in a file beside the result; each process has one of its own."""

    def __init__(self, out: Path, key: str) -> None:
        """Name the file.

        Args:
            out: The result's path.
            key: What decides the answers; an earlier try with another key is thrown away.
        """
        self._first = out.with_name(f".{out.name}.partial.jsonl")
        self._path = self._first
        if not ranks.is_main():
            self._path = out.with_name(f".{out.name}.partial-{ranks.rank()}.jsonl")
        self._key = key
        self.done: dict[str, dict[str, Any]] = {}
        """The answers by prompt and variant."""

    def __enter__(self) -> Progress:
        """Open the file, keeping the whole lines of an earlier try: of all its processes."""
        if ranks.is_main():
            remove_strays(self._path)
        first = json.dumps(self._key) + "\n"
        self.done = {}
        for path in self._files():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            whole = [line for line in lines if line.endswith("\n")]
            for line in whole[1:] if whole and whole[0] == first else ():
                name, answers = json.loads(line)
                if any("error" in row for row in answers.values()):
                    continue  # asked again
                self.done[name] = self.done.get(name, {}) | answers
        ranks.wait()  # all have read what is there
        if ranks.is_main():
            rows = [json.dumps([name, answers]) + "\n" for name, answers in self.done.items()]
            write_text(self._path, "".join([first, *rows]))
        ranks.wait()  # the first has all of it
        if not ranks.is_main():
            write_text(self._path, first)
        self._handle = self._path.open("a", encoding="utf-8")
        return self

    def _files(self) -> list[Path]:
        """Return the files of all processes, of this try or an earlier one."""
        others = self._first.parent.glob(f"{glob.escape(self._first.stem)}-*.jsonl")
        return [path for path in (self._first, *sorted(others)) if path.exists()]

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._handle.close()

    def has(self, name: str, variants: Iterable[str]) -> bool:
        """Return whether the variants have answered a prompt."""
        return self.done.get(name, {}).keys() >= set(variants)

    def add(self, name: str, answers: dict[str, Any]) -> None:
        """Remember answers to one prompt."""
        self.done[name] = self.done.get(name, {}) | answers
        self._handle.write(json.dumps([name, answers]) + "\n")
        self._handle.flush()

    def take_over(self, answers: Mapping[str, dict[str, Any]]) -> None:
        """Add what another process has answered, by prompt and variant."""
        for name, rows in answers.items():
            self.done[name] = self.done.get(name, {}) | rows

    def finish(self) -> None:
        """Remove the files; the result is written."""
        self._handle.close()
        for path in self._files():
            path.unlink()
