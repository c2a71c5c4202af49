"""Timing rivals fairly: alternating, in one process, medians of several rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType
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


def alternate(
    sides: Mapping[str, Callable[..., Any]],
    rounds: int,
    *,
    warm_up: bool = True,
    setup: Mapping[str, Callable[[], Any]] = MappingProxyType({}),
) -> dict[str, Timing]:
    """Run every side once per round, one after the other, and return each one's timing.

    Args:
        sides: What is timed, by name.
        rounds: How often.
        warm_up: Whether every side runs once before, untimed.
        setup: By name, what makes the argument of a side, untimed; a side without has none.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in tqdm(range(-warm_up, rounds), desc=" / ".join(sides), unit=" rounds"):
        for name, side in sides.items():
            given = [setup[name]()] if name in setup else []
            began = time.perf_counter()
            side(*given)
            if number >= 0:
                seconds[name].append(time.perf_counter() - began)
    return {
        name: Timing(seconds=median(found), low=min(found), high=max(found))
        for name, found in seconds.items()
    }
