from __future__ import annotations

from typing import Any

import pytest

from tuneproof.tuning import rows as module
from tuneproof.tuning.rows import dataset_of, kept, lengths

OF_TOKENS = [{"input_ids": [1] * n, "labels": [-100] * (n - 1) + [n]} for n in (5, 3, 4, 3, 9)]
OF_TEXTS = [{"input_ids": row["input_ids"], "labels": n % 2} for n, row in enumerate(OF_TOKENS)]


@pytest.fixture(params=[OF_TOKENS, OF_TEXTS], ids=["labels of tokens", "labels of texts"])
def made(request: pytest.FixtureRequest) -> Any:
    """Rows as the two objectives make them."""
    return request.param


@pytest.fixture(params=[3, 1000], ids=["file", "memory"])
def rows(made: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The rows as they are kept: in a file, or in memory."""
    monkeypatch.setattr(module, "IN_MEMORY", request.param)
    rows = kept(iter(made))
    assert isinstance(rows, list) == (request.param == 1000)
    return rows


def test_rows_come_back_as_they_were(rows: Any, made: Any) -> None:
    assert len(rows) == len(made)
    assert list(rows) == made
    assert rows[2] == made[2]
    dataset = dataset_of(rows)
    assert list(dataset) == made
    assert lengths(dataset).tolist() == [5, 3, 4, 3, 9]


def test_rows_are_put_in_order_of_their_length(rows: Any, made: Any) -> None:
    dataset = dataset_of(rows, by_length=True)
    assert list(dataset) == [made[place] for place in (1, 3, 2, 0, 4)]
    assert lengths(dataset).tolist() == [3, 3, 4, 5, 9]


def test_no_rows_are_a_list() -> None:
    assert kept(iter([])) == []


def test_a_file_is_not_read_to_be_named(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import arrow_dataset

    def refuse(dataset: Any) -> str:
        pytest.fail("all of it is pickled")

    monkeypatch.setattr(module, "IN_MEMORY", 3)
    monkeypatch.setattr(arrow_dataset, "generate_fingerprint", refuse)
    assert list(dataset_of(kept(iter(made)), by_length=True)) == [made[n] for n in (1, 3, 2, 0, 4)]
