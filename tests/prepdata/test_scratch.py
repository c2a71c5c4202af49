from __future__ import annotations

import errno
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.prepdata import scratch
from tuneproof.prepdata.scratch import Parts, Table, on_disk

Keys = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(Keys, st.integers(0, 99))))
def test_table_is_what_a_dict_is(pairs: list[tuple[int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scratch, "FIRST_ROOM", 1)
        table = Table()
    known: dict[int, int] = {}
    for key, value in pairs:
        assert table.setdefault(key, value) == known.setdefault(key or 1, value)
        assert len(table) == len(known)


def test_parts_are_one_array() -> None:
    assert Parts(np.int32, 2).whole().shape == (0, 2)
    parts = Parts(np.int32, 2)
    for part in ([[1, 2]], [[3, 4], [5, 6]]):
        parts.append(np.array(part))
    assert parts.whole().tolist() == [[1, 2], [3, 4], [5, 6]]


def test_array_without_numbers_needs_no_file() -> None:
    assert on_disk((2, 0), np.int64).shape == (2, 0)


def test_full_disk_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        on_disk(10, np.int64)
