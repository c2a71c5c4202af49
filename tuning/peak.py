"""The most memory that one training held, apart from what the process held before it."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

CLEAR = Path("/proc/self/clear_refs")
"""Where Linux is told, by a 5, to forget the most that a process has held."""


def forget_peaks() -> None:
    """Begin to look for the most memory anew, where the system can; several runs may share one."""
    import torch

    with suppress(OSError):
        CLEAR.write_text("5")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_bytes() -> int:
    """Return the most memory that this process has held since then."""
    scale = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def gpu_peak() -> dict[str, int]:
    """Return the most GPU memory that torch has held since then, where there is a GPU."""
    import torch

    if not torch.cuda.is_available():
        return {}
    return {"peak_gpu_memory_bytes": torch.cuda.max_memory_allocated()}
