from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner

from tuneproof.kernels.packing import joined_row, packing, parts, split_row
from tuneproof.kernels.training import FAST_PATHS
from tuneproof.tuning.cli import main

IDS = torch.tensor([[5, 6, 7, 8, 0], [5, 6, 9, 0, 0], [5, 6, 7, 8, 4]])
LENGTHS = (4, 3, 5)


@pytest.mark.parametrize(
    ("lengths", "wanted"),
    [
        ([500, 490, 480], [[0, 1, 2]]),
        ([100, 500, 100, 100], [[1], [0, 2, 3]]),
        ([40, 60, 20], [[1, 0, 2]]),
        ([1000, 500, 490, 100, 90], [[0], [1, 2], [3, 4]]),
        ([7], [[0]]),
    ],
    ids=["alike", "one long", "short anyway", "in three", "one"],
)
def test_texts_are_cut_where_it_saves_enough(lengths: list[int], wanted: list[list[int]]) -> None:
    assert parts(lengths) == wanted


def test_a_common_beginning_stands_there_once_and_padding_not_at_all() -> None:
    found = packing(IDS, LENGTHS)
    assert found.row(IDS).tolist() == [[5, 6, 7, 8, 9, 7, 8, 4]]
    assert (found.shared, found.positions) == (2, 8)
    assert found.parts == ((2, 0, 1),)
    assert found.pairs == 2 * 2 + 3 * 3 * (2 + 3)


def test_every_token_is_found_again() -> None:
    found = packing(IDS, LENGTHS)
    texts, tokens = (torch.arange(5) < torch.tensor(LENGTHS)[:, None]).nonzero(as_tuple=True)
    row = found.row(IDS)[0]
    assert torch.equal(row[found.positions_of(texts, tokens)], IDS[texts, tokens])


@pytest.mark.parametrize(
    ("ids", "lengths", "shared"),
    [
        ([[5, 6, 7]], (3,), 0),
        ([[5, 6], [5, 6]], (2, 2), 1),
        ([[5, 6, 7], [5, 0, 0]], (3, 1), 0),
        ([[4, 6, 7], [5, 6, 7]], (3, 3), 0),
    ],
    ids=["one", "the same", "one token", "different"],
)
def test_every_text_keeps_a_token(
    ids: list[list[int]], lengths: tuple[int, ...], shared: int
) -> None:
    assert packing(torch.tensor(ids), lengths).shared == shared


def test_texts_taken_apart_and_joined_are_the_same() -> None:
    found = packing(IDS, LENGTHS)
    values = torch.randn(2, found.positions, 3)
    assert torch.equal(joined_row(split_row(values, found), found), values)


def test_help_names_every_way() -> None:
    said = CliRunner().invoke(main, ["run", "--help"]).output
    assert all(name in said.split("--no-fast-path")[1][:400] for name in FAST_PATHS)
