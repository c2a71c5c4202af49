"""Memory that is given back to the system is cleared by it before it comes again: keep it.

A step frees and asks for the same hundreds of megabytes. glibc maps large blocks anew each time,
and every page of them costs a fault at its first touch.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from torch import nn

from tuneproof.kernels.swap import Undo

LARGE_PAGE = 2 * 2**20
HUGEPAGE = 14  # of sys/mman.h
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4  # of malloc.h
KEPT = 2**31 - 1
PLAIN = {TRIM_THRESHOLD: 128 * 1024, TOP_PAD: 128 * 1024, MMAP_MAX: 65536}
KEEPING = {TRIM_THRESHOLD: KEPT, TOP_PAD: 64 * 2**20, MMAP_MAX: 0}


def replace(model: nn.Module) -> list[Undo]:
    """Let glibc keep what is freed, where there is glibc; return what gives it back.

    Its thresholds stay as they are set then: it adjusts them itself only until somebody sets one.
    """
    library = _glibc()
    if library is None or not all(library.mallopt(name, value) for name, value in KEEPING.items()):
        return []

    def undo() -> None:
        for name, value in PLAIN.items():
            library.mallopt(name, value)
        trim()

    return [undo]


def trim() -> None:
    """Give back what is kept and not in use, where there is glibc."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def use_large_pages(size: int) -> None:
    """Let so many bytes that are asked for next lie in large pages, if glibc keeps what is freed.

    What is read whole at every step is read faster so: there are fewer pages to find.
    """
    library = _glibc()
    if library is None:
        return
    library.malloc.restype = ctypes.c_void_p
    block = library.malloc(ctypes.c_size_t(size))
    if block is not None:
        start = -(-block // LARGE_PAGE) * LARGE_PAGE
        whole = max(0, block + size - start) // LARGE_PAGE * LARGE_PAGE
        library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(whole), HUGEPAGE)
        library.free(ctypes.c_void_p(block))


def _glibc() -> Any:
    """Return the C library where it is glibc, else None."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
