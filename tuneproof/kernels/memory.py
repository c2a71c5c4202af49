"""Process-wide memory settings: glibc keeps freed memory, and large pages.

Every training step allocates and frees the same hundreds of megabytes. By default glibc returns
large blocks to the system, which clears them before they are used again: every page costs a page
fault. These settings hold for the whole process, not for one model; without glibc they do nothing.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from tuneproof.kernels.swap import Undo

LARGE_PAGE = 2 * 2**20
HUGEPAGE = 14  # of sys/mman.h
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4  # of malloc.h
KEPT = 2**31 - 1
DEFAULTS = {TRIM_THRESHOLD: 128 * 1024, TOP_PAD: 128 * 1024, MMAP_MAX: 65536}
KEEPING = {TRIM_THRESHOLD: KEPT, TOP_PAD: 64 * 2**20, MMAP_MAX: 0}


def keep_freed_memory() -> list[Undo]:
    """Let glibc keep what is freed for the next step; return what turns that off.

    Turning it off sets glibc's documented defaults, since malloc does not report earlier values:
    settings such as `MALLOC_TRIM_THRESHOLD_` are lost. From then on glibc no longer adjusts the
    thresholds by itself, as it does until they are set for the first time.
    """
    library = _glibc()
    if library is None or not all(library.mallopt(name, value) for name, value in KEEPING.items()):
        return []

    def undo() -> None:
        for name, value in DEFAULTS.items():
            library.mallopt(name, value)
        trim()

    return [undo]


def trim() -> None:
    """Give back to the system what is kept and not in use."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def use_large_pages(size: int) -> None:
    """Ask that the next `size` bytes of malloc lie in pages of 2 MiB.

    It works within `keep_freed_memory`: a block is marked and freed again, and the next allocation
    reuses it. Weights that every step reads as a whole are read faster, since fewer pages must be
    looked up.
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
