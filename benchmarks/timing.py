"""Timing rivals fairly: alternating, each in a process of its own, medians of several rounds."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import median
from typing import Any

from tqdm import tqdm


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What one side took."""

    seconds: float
    """Median of the rounds."""
    low: float
    """The fastest round."""
    high: float
    """The slowest round."""

    def times(self, factor: float) -> Timing:
        """Return what so many times the work would take."""
        return Timing(seconds=self.seconds * factor, low=self.low * factor, high=self.high * factor)


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one side does; both functions can be found by another process."""

    prepare: Callable[[], Any]
    """What comes before, untimed."""
    run: Callable[[Any], Any]
    """What is timed: it takes what was prepared, and its result is kept."""


class Workers:
    """A process for each side, by name, that lasts as long as the block.

    How memory is kept, and what has been compiled or cached, is a process's own: one side must
    not work with what the other has set.
    """

    def __init__(self) -> None:
        """Begin without any; they start when they are needed."""
        self._pools: dict[str, ProcessPoolExecutor] = {}

    def __enter__(self) -> Workers:
        """Give the workers."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let all processes end."""
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)

    def alternate(
        self, sides: Mapping[str, Side], rounds: int, *, warm_up: bool = True
    ) -> tuple[dict[str, Timing], dict[str, list[Any]]]:
        """Run every side once per round, one after the other.

        Args:
            sides: What is timed, by name.
            rounds: How often.
            warm_up: Whether every side runs once before, untimed.

        Returns:
            Each side's timing, and what it found in every timed round.
        """
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        found: dict[str, list[Any]] = {name: [] for name in sides}
        for number in tqdm(range(-warm_up, rounds), desc=" / ".join(sides), unit=" rounds"):
            for name, side in sides.items():
                took, result = self._pool(name).submit(_turn, side).result()
                if number >= 0:
                    seconds[name].append(took)
                    found[name].append(result)
        return {
            name: Timing(seconds=median(each), low=min(each), high=max(each))
            for name, each in seconds.items()
        }, found

    def _pool(self, name: str) -> ProcessPoolExecutor:
        if name not in self._pools:
            self._pools[name] = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        return self._pools[name]


def _turn(side: Side) -> tuple[float, Any]:
    """Return the seconds that a side took, and what it found."""
    given = side.prepare()
    began = time.perf_counter()
    found = side.run(given)
    seconds = time.perf_counter() - began
    del given
    gc.collect()  # it waits now, and others may need the memory
    return seconds, found
