"""Where the time of a training step goes, by kind of operation, from torch's profiler."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import trange
from transformers import TrainerCallback

from benchmarks.operations import PYTHON, times
from benchmarks.results import Share
from benchmarks.subjects import Settings, gpt2, write_records
from benchmarks.timing import Workers
from benchmarks.trainers import (
    BATCH,
    FLAGS,
    MAX_LENGTH,
    SHOWN,
    fastest,
    our_trainer,
    same_loss,
    train,
    train_plainly,
    trl_trainer,
)
from benchmarks.training_rows import instructions, tweets
from tuneproof.formats.example import Example

STEPS = 2
"""That are looked at, after a first one, which also casts weights and finds memory."""
NAMED = 3
"""Operations that are named for each kind."""
SLACK = 1.02
"""Clocks of profiler and program may differ by so much."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A training that is looked at."""

    work: str
    side: str
    """``ours``, or the name of TRL's flags."""
    model: str
    """A folder, or ``tiny``."""
    records: list[Example]


class Window(TrainerCallback):  # type: ignore[misc]
    """Times the steps from the end of the first one on, with the profiler or without."""

    def __init__(self, *, is_profiled: bool) -> None:
        """Choose; nothing is started yet."""
        self._profiler: Any = None
        self._is_profiled = is_profiled
        self._began = 0.0
        self.seconds = 0.0
        """Of all steps."""

    @property
    def events(self) -> Any:
        """What the profiler saw; it has to have been on."""
        return self._profiler.events()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin after the first step, end after the last."""
        if state.global_step == 1:
            if self._is_profiled:
                from torch.profiler import ProfilerActivity, profile

                self._profiler = profile(activities=[ProfilerActivity.CPU])
                self._profiler.start()
            self._began = time.perf_counter()
        elif state.global_step == 1 + STEPS:
            self.seconds = time.perf_counter() - self._began
            if self._profiler is not None:
                self._profiler.stop()


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What one training showed."""

    seconds: float
    """Of a step, with the profiler on."""
    by_kind: Mapping[str, Mapping[str, float]]
    """Kind -> operation -> its own seconds in a step."""


def measure(settings: Settings) -> list[Share]:
    """Return the profiles of GPT-2's training as `tune run` does it, and those of `tiny`."""
    records = instructions(settings.data, BATCH * (1 + STEPS))
    with gpt2(settings) as model, tempfile.TemporaryDirectory() as folder:
        with Workers() as workers:
            best = fastest(workers, "tiny", records, Path(folder))
        subjects = [
            Subject(work="tiny 7.5M, ours", side="ours", model="tiny", records=records),
            Subject(
                work=f"tiny 7.5M, TRL, {SHOWN[best]}", side=best, model="tiny", records=records
            ),
        ]
        if not settings.is_small:
            named = {"instructions": records, "tweets": tweets(len(records))}
            subjects += [
                Subject(work=f"GPT-2 124M, {kind}, ours", side="ours", model=model, records=rows)
                for kind, rows in named.items()
            ]
        profiles: dict[str, list[Profile]] = {each.work: [] for each in subjects}
        plain: dict[str, list[float]] = {each.work: [] for each in subjects}
        losses: dict[str, float] = {}
        for _ in trange(settings.rounds, desc=" / ".join(profiles), unit=" rounds"):
            for each in subjects:
                found, loss = _profiled(each)
                profiles[each.work].append(found)
                plain[each.work].append(_trained(each, is_profiled=False)[0].seconds / STEPS)
                losses[each.work] = loss
    checked = same_loss(*(losses[each.work] for each in subjects[:2]))
    return [
        share
        for each in subjects
        for share in shares(
            f"{each.work}: {BATCH} rows of at most {MAX_LENGTH} tokens",
            _middle(profiles[each.work]),
            f"{1000 * sorted(plain[each.work])[settings.rounds // 2]:,.1f} ms without the profiler"
            + (f"; {checked}" if each.model == "tiny" else ""),
        )
    ]


def shares(work: str, found: Profile, said: str) -> list[Share]:
    """Return the kinds from the largest to the smallest, and the whole step.

    Time that no operation has is Python's.

    Raises:
        RuntimeError: The operations took longer than the step, so something was counted twice.
    """
    by_kind = {kind: dict(each) for kind, each in found.by_kind.items()}
    inside = sum(sum(each.values()) for each in by_kind.values())
    if inside > SLACK * found.seconds:
        raise RuntimeError(
            f"{work}: operations of {inside:.3f} s in a step of {found.seconds:.3f} s"
        )
    outside = {"outside of operations": max(0.0, found.seconds - inside)}
    by_kind[PYTHON] = by_kind.get(PYTHON, {}) | outside
    totals = {kind: sum(each.values()) for kind, each in by_kind.items()}
    rows = [
        Share(
            work=work,
            kind=kind,
            seconds=totals[kind],
            share=totals[kind] / found.seconds,
            most=_most(by_kind[kind], found.seconds),
        )
        for kind in sorted(totals, key=lambda each: -totals[each])
    ]
    whole = Share(work=work, kind="the whole", seconds=found.seconds, share=1.0, most=said)
    return [*rows, whole]


def _most(of_kind: Mapping[str, float], step: float) -> str:
    largest = sorted(of_kind, key=lambda name: -of_kind[name])[:NAMED]
    return ", ".join(f"{name} {of_kind[name] / step:.1%}" for name in largest)


def _middle(profiles: list[Profile]) -> Profile:
    """Return the profile whose steps took the median time, so that its shares come to 1."""
    return sorted(profiles, key=lambda each: each.seconds)[len(profiles) // 2]


def _profiled(subject: Subject) -> tuple[Profile, float]:
    """Return a training's profile and its mean loss."""
    window, loss = _trained(subject, is_profiled=True)
    by_kind = {
        kind: {name: seconds / STEPS for name, seconds in each.items()}
        for kind, each in times(window.events).items()
    }
    return Profile(seconds=window.seconds / STEPS, by_kind=by_kind), loss


def _trained(subject: Subject, *, is_profiled: bool) -> tuple[Window, float]:
    """Train, and return what was seen and the mean loss."""
    window = Window(is_profiled=is_profiled)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        write_records(out / "data", subject.records)
        if subject.side == "ours":
            trainer = our_trainer(subject.model, out)
            trainer.add_callback(window)
            loss, _ = train(trainer)
        else:
            trainer = trl_trainer(subject.model, subject.records, out, FLAGS[subject.side])
            trainer.add_callback(window)
            loss = train_plainly(trainer)
    return window, loss
