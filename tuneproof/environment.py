"""Environment variables that libraries read once, and what they are here unless they are set."""

from __future__ import annotations

import os
from pathlib import Path

LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage")
MEMORY = {
    "THP_MEM_ALLOC_ENABLE": str(int(LARGE_PAGES.exists())),  # else torch warns that it has none
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",  # 1,024 by its default
    "LRU_CACHE_CAPACITY": "64",
}
"""Variables of torch and oneDNN, and what they are here."""


def set_memory_defaults() -> None:
    """Set what torch and oneDNN read once in a process; values that are set already stay.

    Call this before the first tensor is made. torch's blocks of 2 MiB and more begin a page then,
    and lie in large pages where the system has them: fewer pages must be looked up and cleared.
    And the heap has smaller holes. For an aligned block glibc takes more than was asked for and
    frees what lies around it. Around a block that begins a page these are kilobytes, which join
    it again when it is freed; around others they are bytes, kept aside for small objects, and the
    hole has no room for a block of the same size.

    oneDNN, and torch above it, keep fewer kernels: every batch has another length, a kernel for
    one is of no use to the next, and takes megabytes with the buffers of a product in bfloat16.
    """
    for name, value in MEMORY.items():
        os.environ.setdefault(name, value)
