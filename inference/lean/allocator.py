"""Memory that is given back to the system is cleared by it before it comes again: keep it.

A step frees and asks for the same hundreds of megabytes. glibc maps large blocks anew each time,
and every page of them costs a fault at its first touch.
"""

from __future__ import annotations

import ctypes
import sys

from torch import nn

from core.swap import Undo

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4  # of malloc.h
KEPT = 2**31 - 1
PLAIN = {TRIM_THRESHOLD: 128 * 1024, TOP_PAD: 128 * 1024, MMAP_MAX: 65536}
KEEPING = {TRIM_THRESHOLD: KEPT, TOP_PAD: 64 * 2**20, MMAP_MAX: 0}


def replace(model: nn.Module) -> list[Undo]:
    """Let glibc keep what is freed, where there is glibc; return what gives it back.

    Its thresholds stay as they are set then: it adjusts them itself only until somebody sets one.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "mallopt") or not hasattr(library, "malloc_trim"):
        return []
    if not all(library.mallopt(name, value) for name, value in KEEPING.items()):
        return []

    def undo() -> None:
        for name, value in PLAIN.items():
            library.mallopt(name, value)
        library.malloc_trim(0)

    return [undo]
