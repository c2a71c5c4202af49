from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tuneproof.environment import MEMORY
from tuneproof.kernels import memory

LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
SIZE = 2**29
"""Bytes that are asked for and never touched; more than is free between what is in use."""


def flags(address: int) -> list[str]:
    """Return what Linux notes of the memory at an address."""
    is_there = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, *words = line.split()
        if not name.endswith(":"):
            start, stop = (int(each, 16) for each in name.split("-"))
            is_there = start <= address < stop
        elif is_there and name == "VmFlags:":
            return words
    raise AssertionError(f"nothing at {address:#x}")


@pytest.mark.skipif(not LARGE_PAGES.exists(), reason="this system has no large pages")
def test_what_is_asked_for_next_lies_in_large_pages() -> None:
    undo = memory.keep_freed_memory()
    if not undo:
        pytest.skip("no glibc")
    try:
        memory.use_large_pages(SIZE)
        block = torch.empty(SIZE - 2**20, dtype=torch.uint8)
        assert "hg" in flags(block.data_ptr() + SIZE // 2)
        del block
    finally:
        for back in undo:
            back()


PRODUCTS = """
import psutil, torch
from tuneproof.environment import set_memory_defaults

set_memory_defaults()
torch.set_num_threads(1)
weight = torch.randn(1536, 576, dtype=torch.bfloat16)
held = []
for rows in range(700, 900):
    given = torch.randn(rows, 576, dtype=torch.bfloat16, requires_grad=True)
    torch.nn.functional.linear(given, weight).sum().backward()
    held.append(psutil.Process().memory_info().rss)
print((held[-1] - held[64]) >> 20)
"""


@pytest.mark.slow
def test_products_of_many_lengths_are_not_all_remembered() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRODUCTS], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 250  # MiB; from 90 to 140, and 400 or more where all are kept


BLOCK = """
import tuneproof.api
from tuneproof.tuning import run
import torch

print(torch.zeros(2**24).data_ptr() % 4096)
"""


@pytest.mark.slow
@pytest.mark.skipif(not LARGE_PAGES.exists(), reason="this system has no large pages")
def test_large_pages_are_asked_for_before_the_first_tensor() -> None:
    """Some libraries make one when they are imported; a block of torch begins a page then."""
    unset = {name: value for name, value in os.environ.items() if name not in MEMORY}
    done = subprocess.run(
        [sys.executable, "-c", BLOCK], env=unset, capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"
