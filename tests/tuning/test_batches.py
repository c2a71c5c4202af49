from __future__ import annotations

import itertools
import random

import pytest

from tuneproof.tuning.trainers import LengthGroupedSampler

LENGTHS = random.Random(5).choices(range(1, 500), k=203)


@pytest.mark.parametrize("examples", [1, 3, 4, 5, 8, 203])
def test_every_example_comes_once(examples: int) -> None:
    order = list(LengthGroupedSampler(LENGTHS[:examples], 4, seed=1))
    assert sorted(order) == list(range(examples))


def test_order_depends_on_seed_and_epoch_alone() -> None:
    import torch

    def order(seed: int, epoch: int) -> list[int]:
        sampler = LengthGroupedSampler(LENGTHS, 4, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    first = order(1, 1)
    torch.rand(7)
    assert order(1, 1) == first
    assert order(1, 0) != first
    assert order(2, 1) != first


def test_longest_example_comes_first_and_batches_are_of_like_length() -> None:
    order = list(LengthGroupedSampler(LENGTHS, 4, seed=1))
    assert LENGTHS[order[0]] == max(LENGTHS)
    batches = [[LENGTHS[i] for i in order[start : start + 4]] for start in range(4, 200, 4)]
    padding = sum(max(batch) * 4 - sum(batch) for batch in batches)
    assert padding < 0.1 * sum(LENGTHS)  # at random it is over half


def test_batches_are_not_given_from_long_to_short() -> None:
    order = list(LengthGroupedSampler(LENGTHS, 4, seed=1))
    longest = [max(LENGTHS[i] for i in order[start : start + 4]) for start in range(4, 200, 4)]
    falls = sum(one > other for one, other in itertools.pairwise(longest))
    assert 10 < falls < 40
