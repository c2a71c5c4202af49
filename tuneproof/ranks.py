"""The processes of one job: how many there are, which one this is, and what they tell each other.

torchrun and accelerate start them and number them by environment variables; `tuneproof.launch` does
so for `--num-processes`. Alone, a process is the first of one, and all functions return at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


def world_size() -> int:
    """Return how many processes do the job; 1 where nobody started several."""
    return int(os.environ.get("WORLD_SIZE", 1)) if "LOCAL_RANK" in os.environ else 1


def rank() -> int:
    """Return the number of this process among them, from 0."""
    return int(os.environ.get("RANK", 0)) if world_size() > 1 else 0


def local_rank() -> int:
    """Return the number of this process among those of its machine, from 0: that of its GPU."""
    return int(os.environ["LOCAL_RANK"]) if world_size() > 1 else 0


def is_main() -> bool:
    """Return whether this is the process that writes, decides and speaks: the first."""
    return rank() == 0


@contextmanager
def on_main(manager: AbstractContextManager[Any]) -> Iterator[None]:
    """Enter a context manager in the first process only."""
    if not is_main():
        yield
        return
    with manager:
        yield


def wait() -> None:
    """Return when all processes have come here."""
    if world_size() > 1:
        from torch import distributed

        distributed.barrier()


def from_main(value: T) -> T:
    """Return the first process's value in all of them; it must be one that pickle can carry."""
    if world_size() == 1:
        return value
    from torch import distributed

    box = [value]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


def gathered(value: T) -> list[T]:
    """Return the values of all processes, in their order, in each of them."""
    if world_size() == 1:
        return [value]
    from torch import distributed

    values: list[Any] = [None] * world_size()
    distributed.all_gather_object(values, value)
    return values


def summed(values: Sequence[float]) -> list[float]:
    """Return the sums over all processes of numbers, in 64 bits; whole ones are exact to 2^53."""
    if world_size() == 1:
        return list(values)
    import torch
    from torch import distributed

    totals = torch.tensor(list(values), dtype=torch.float64)
    distributed.all_reduce(totals)
    sums: list[float] = totals.tolist()
    return sums


def largest(value: float) -> float:
    """Return the largest of the values of all processes."""
    return max(gathered(value))


def leave() -> None:
    """Close the connections to the other processes, where there are any."""
    distributed = sys.modules.get("torch.distributed")
    if world_size() > 1 and distributed is not None and distributed.is_initialized():
        distributed.destroy_process_group()
