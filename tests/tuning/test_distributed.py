from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.distributed import RankBatches, check_sharding, dealt, with_filler
from tuneproof.tuning.trainers import LengthGroupedSampler

FILLER = 999


def parts(examples: int, batch: int, processes: int) -> list[list[list[int]]]:
    """The batches of every process over an order that is not sorted."""
    order = [(7 * n) % examples for n in range(examples)]
    return [
        list(RankBatches(order, batch, rank, processes, filler=FILLER)) for rank in range(processes)
    ]


@pytest.mark.parametrize(
    ("examples", "batch", "processes"), [*itertools.product([1, 5, 8, 25], [1, 2, 4], [2, 3])]
)
def test_processes_share_every_batch_and_nothing_comes_twice(
    examples: int, batch: int, processes: int
) -> None:
    mine = parts(examples, batch, processes)
    assert len({len(one) for one in mine}) == 1  # all take as many steps
    assert all(0 < len(part) <= batch for one in mine for part in one)
    order = [(7 * n) % examples for n in range(examples)]
    for number, together in enumerate(zip(*mine, strict=True)):
        drawn = {index for part in together for index in part if index != FILLER}
        size = batch * processes
        assert drawn == set(order[number * size : (number + 1) * size])
        lengths = [len(part) for part in together]
        assert max(lengths) - min(lengths) <= 1
    indices = [index for one in mine for part in one for index in part if index != FILLER]
    assert sorted(indices) == list(range(examples))


def test_dealing_out_a_batch_leaves_less_waiting_than_cutting_it() -> None:
    lengths = random.Random(5).choices(range(1, 500), k=640)
    order = list(LengthGroupedSampler(lengths, 4 * 4, seed=3))

    def waiting(parts: list[list[int]]) -> int:
        """Tokens that the quickest process waits for the slowest one."""
        work = [len(part) * max(lengths[index] for index in part) for part in parts]
        return max(work) - min(work)

    dealt_out = [list(RankBatches(order, 4, rank, 4, filler=FILLER)) for rank in range(4)]
    cut = [[order[at + 4 * k : at + 4 * k + 4] for k in range(4)] for at in range(0, 640, 16)]
    of_dealt = sum(waiting(list(together)) for together in zip(*dealt_out, strict=True))
    assert of_dealt < 0.5 * sum(map(waiting, cut))


def test_filler_is_one_token_that_is_not_trained() -> None:
    from datasets import Dataset

    rows = Dataset.from_list([{"input_ids": [5, 6, 7], "labels": [-100, 6, 7]}])
    assert with_filler(rows)[1] == {"input_ids": [5], "labels": [-100]}
    rows = Dataset.from_list([{"input_ids": [5, 6], "attention_mask": [1, 1], "labels": 2}])
    assert with_filler(rows)[1] == {"input_ids": [5], "attention_mask": [1], "labels": -100}


@pytest.mark.parametrize(
    ("began", "now", "batch", "accumulated"),
    [(2, 2, 4, 3), (2, 1, 4, 6), (2, 4, 3, 2), (2, 3, 4, 2), (1, 4, 3, 1), (8, 1, 4, 24)],
)
def test_another_number_of_processes_takes_the_same_steps(
    began: int, now: int, batch: int, accumulated: int
) -> None:
    config = TuneConfig(per_device_train_batch_size=4, gradient_accumulation_steps=3)
    new = dealt(config, began, now)
    sizes = (new.per_device_train_batch_size, new.gradient_accumulation_steps)
    assert sizes == (batch, accumulated)
    assert batch * accumulated * now == 4 * 3 * began


def test_batch_that_cannot_be_shared_evenly_is_said() -> None:
    config = TuneConfig(per_device_train_batch_size=4)
    with pytest.raises(InputError, match="began with 2 processes and 8 examples a step, which 3"):
        dealt(config, 2, 3)


@pytest.mark.parametrize(
    "changes",
    [{"objective": "classify"}, {"method": "qlora"}, {"method": "adalora", "max_steps": 4}],
)
def test_what_cannot_be_sharded_is_said(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    config = TuneConfig(**changes)
    check_sharding(config)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(InputError, match="cannot be trained with FSDP"):
        check_sharding(config)
    check_sharding(TuneConfig())
