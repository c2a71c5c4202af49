"""Time rivals in turns, each in its own process; results with their goals."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from tqdm import tqdm

ROOT = Path(__file__).parents[1]
GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How much is measured."""

    rounds: int
    """Rounds of every pair."""
    is_small: bool
    """Whether `tiny` takes the place of GPT-2, and there is less work: a try in a minute."""
    data: Path = Path("data")
    """Folder of `prepdata build` with real rows to train on; made-up ones are used without."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What one side took."""

    seconds: float
    """Median of the rounds."""
    low: float
    """The fastest round."""
    high: float
    """The slowest round."""
    rounds: int = 0
    """How many there were; 0 in results that do not say."""

    def times(self, factor: float) -> Timing:
        """Return what so many times the work would take."""
        return Timing(
            seconds=self.seconds * factor,
            low=self.low * factor,
            high=self.high * factor,
            rounds=self.rounds,
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison of this project with something else."""

    work: str
    """What was done."""
    against: str
    """By whom else."""
    ours: Timing
    theirs: Timing
    checked: str
    """How it was made sure, in the same run, that both did the same."""
    goal: float | None = None
    """The least ratio aimed at."""
    amount: float | None = None
    """How much useful work both did, such as tokens that are no padding."""
    unit: str = ""
    """Unit of the amount."""

    @property
    def ratio(self) -> float:
        """How many times faster this project is."""
        return self.theirs.seconds / self.ours.seconds

    @property
    def is_met(self) -> bool | None:
        """Whether the ratio meets the goal; None where there is none."""
        return None if self.goal is None else self.ratio >= self.goal


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One figure and the goal that it must meet."""

    work: str
    """What was done."""
    against: str
    """What is measured, or against what."""
    value: float
    goal: float
    unit: str
    """Unit of figure and goal."""
    is_upper: bool = True
    """Whether the goal is the most (or the least) that the figure may be."""
    checked: str
    """How it was made sure that the work was done, and further figures."""

    @property
    def is_met(self) -> bool:
        """Whether the figure meets the goal."""
        return self.value <= self.goal if self.is_upper else self.value >= self.goal


Result = Row | Goal


@dataclass(frozen=True, kw_only=True)
class Side:
    """The two functions of one side; both can be pickled for another process."""

    prepare: Callable[[], Any]
    """What comes before, untimed."""
    run: Callable[[Any], Any]
    """The timed function: it takes what `prepare` returned, and its result is kept."""
    most_rounds: int | None = None
    """It takes part in no more rounds than these: what takes minutes also varies little."""


class Workers:
    """A process for each side, by name, that lasts as long as the block.

    How memory is kept, and what has been compiled or cached, is a process's own: one side must
    not work with what the other has set.
    """

    def __init__(self) -> None:
        """Begin without any; they start when they are needed."""
        self._pools: dict[str, ProcessPoolExecutor] = {}

    def __enter__(self) -> Workers:
        """Return the workers."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let all processes end."""
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)

    def alternate(
        self, sides: Mapping[str, Side], rounds: int, *, warm_up: bool = False
    ) -> tuple[dict[str, Timing], dict[str, list[Any]]]:
        """Run every side once per round, one after the other.

        Args:
            sides: What is timed, by name.
            rounds: How often, unless a side takes part in fewer rounds.
            warm_up: Whether every side runs once before, untimed.

        Returns:
            Each side's timing, and its result in every timed round.
        """
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        results: dict[str, list[Any]] = {name: [] for name in sides}
        for number in tqdm(range(-warm_up, rounds), desc=" / ".join(sides), unit=" rounds"):
            for name, side in sides.items():
                if side.most_rounds is not None and number >= side.most_rounds:
                    continue
                took, result = self._pool(name).submit(_turn, side).result()
                if number >= 0:
                    seconds[name].append(took)
                    results[name].append(result)
        return {
            name: Timing(seconds=median(side), low=min(side), high=max(side), rounds=len(side))
            for name, side in seconds.items()
        }, results

    def _pool(self, name: str) -> ProcessPoolExecutor:
        if name not in self._pools:
            self._pools[name] = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        return self._pools[name]


def _turn(side: Side) -> tuple[float, Any]:
    """Return the seconds that a side took, and its result."""
    prepared = side.prepare()
    began = time.perf_counter()
    result = side.run(prepared)
    seconds = time.perf_counter() - began
    del prepared
    gc.collect()  # it waits now, and others may need the memory
    return seconds, result


@dataclass(frozen=True, kw_only=True)
class Child:
    """Time and memory of a separate process."""

    seconds: float
    """From start to end, Python's own start included."""
    cpu_seconds: float
    """Of all its threads; less than `seconds` where others use the machine too."""
    peak_bytes: int
    """Most resident memory."""
    output: str
    """What it wrote to stdout."""


_USAGE = """
import resource, sys, time
try:  # getrusage counts what the parent held at the start as well
    lines = open("/proc/self/status").read().splitlines()
    peak = next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
print(f"\\n{time.process_time()} {peak}", file=sys.stderr)
"""


def run_code(code: str, *arguments: str | Path) -> Child:
    """Run Python code in a process of its own, with time and peak memory.

    Raises:
        RuntimeError: It failed; the message has the end of what it wrote to stderr.
    """
    command = [sys.executable, "-c", code + _USAGE, *map(str, arguments)]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{code} {' '.join(command[3:])}: {done.stderr[-2000:]}")
    cpu, peak = done.stderr.split()[-2:]
    return Child(seconds=seconds, cpu_seconds=float(cpu), peak_bytes=int(peak), output=done.stdout)


def run_command(stage: str, *arguments: str | Path) -> Child:
    """Run the command of a stage, such as ``prepdata`` with ``build --out data``."""
    code = f"import sys\nfrom tuneproof.{stage}.cli import main"
    return run_code(f"{code}\nmain(sys.argv[1:], standalone_mode=False)", *arguments)


def processor_seconds() -> float:
    """Return the processor time of this process and of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime
