from __future__ import annotations

from typing import Any

import pytest

from tuneproof.tuning import rows as module
from tuneproof.tuning.rows import dataset_of, kept, lengths

ROWS = [{"input_ids": [1] * n, "labels": [-100] * (n - 1) + [n]} for n in (5, 3, 4, 3, 9)]


@pytest.fixture(params=[3, 1000])
def rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The rows as they are kept: in a file, or in memory."""
    monkeypatch.setattr(module, "IN_MEMORY", request.param)
    made = kept(iter(ROWS))
    assert isinstance(made, list) == (request.param == 1000)
    return made


def test_rows_come_back_as_they_were(rows: Any) -> None:
    assert len(rows) == len(ROWS)
    assert list(rows) == ROWS
    assert rows[2] == ROWS[2]
    dataset = dataset_of(rows)
    assert list(dataset) == ROWS
    assert lengths(dataset).tolist() == [5, 3, 4, 3, 9]


def test_rows_are_put_in_order_of_their_length(rows: Any) -> None:
    dataset = dataset_of(rows, by_length=True)
    assert list(dataset) == [ROWS[place] for place in (1, 3, 2, 0, 4)]
    assert lengths(dataset).tolist() == [3, 3, 4, 5, 9]


def test_no_rows_are_a_list() -> None:
    assert kept(iter([])) == []
