"""Rows computed together, by the memory that there is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tuneproof.errors import InputError
from tuneproof.inference import row_limit
from tuneproof.inference.row_limit import RowLimit, answers_at_once, cache_bytes


def squares(most: int, sizes: list[int]) -> Callable[[Sequence[int]], list[int]]:
    """Return what computes squares, of so many rows at once and no more."""

    def compute(rows: Sequence[int]) -> list[int]:
        if len(rows) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        sizes.append(len(rows))
        return [row * row for row in rows]

    return compute


def test_rows_that_do_not_fit_are_halved_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limit, sizes = RowLimit(), list[int]()
    with caplog.at_level(logging.INFO):
        for _ in range(2):  # what was learned holds for the next batch
            values = limit.run(range(20), squares(3, sizes), "cpu")
            assert values == [row * row for row in range(20)]
    assert sizes == [2] * 20
    assert len(caplog.records) == 1
    assert "20 answers at once do not fit" in caplog.text


def test_rows_that_fit_are_computed_together() -> None:
    sizes: list[int] = []
    assert RowLimit().run([1, 2, 3], squares(3, sizes), "cpu") == [1, 4, 9]
    assert sizes == [3]


def test_one_row_that_does_not_fit_is_one_clear_line() -> None:
    with pytest.raises(InputError, match=r"a single answer does not fit .*--max-new-tokens"):
        RowLimit().run([1, 2], squares(0, []), "cpu")


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def fail(rows: Sequence[int]) -> list[int]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        RowLimit().run([1, 2], fail, "cpu")


def model(**config: Any) -> Any:
    text = SimpleNamespace(
        num_hidden_layers=2, num_attention_heads=4, hidden_size=32, head_dim=None, **config
    )
    return SimpleNamespace(
        config=SimpleNamespace(get_text_config=lambda: text), dtype=torch.bfloat16, device="cuda:0"
    )


def test_cache_of_a_token_is_its_keys_and_values() -> None:
    assert cache_bytes(model()) == 2 * 2 * 4 * 8 * 2
    assert cache_bytes(model(num_key_value_heads=1)) == 2 * 2 * 1 * 8 * 2


@pytest.mark.parametrize(
    ("free", "answers"), [(None, None), (0, 1), (256 * 100 * 25, 8), (10**12, row_limit.MOST)]
)
def test_answers_at_once_are_as_many_as_free_memory_holds(
    free: int | None, answers: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_limit, "free_bytes", lambda device: free)
    assert answers_at_once(model(), tokens=100) == answers
