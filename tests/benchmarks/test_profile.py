"""Where the time of a step goes: the kinds of operations, and shares that come to the whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity

from benchmarks import operations
from benchmarks.operations import ATTENTION, COPIES, ELEMENTS, LOSS, MATRIX, OPTIMIZER, PYTHON
from benchmarks.profile import STEPS, Profile, Subject, _profiled, shares
from benchmarks.trainers import BATCH, BEST
from benchmarks.training_rows import of_length
from tuneproof.models import load as models


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["aten::addmm", "_Product"], MATRIX),
        (["aten::bmm", "_Attention"], ATTENTION),
        (["aten::_softmax", "_Attention"], ATTENTION),
        (["aten::_log_softmax", "_Losses"], LOSS),
        (["aten::copy_", "aten::to", "_Losses"], LOSS),
        (["aten::mm", "_Losses"], MATRIX),
        (["aten::copy_", "aten::to"], COPIES),
        (["aten::gelu"], ELEMENTS),
        (["aten::mul_", "Optimizer.step#AdamW.step"], OPTIMIZER),
        (["aten::view"], operations.REST),
        (["_ProductBackward", "autograd::engine::evaluate_function: _ProductBackward"], PYTHON),
    ],
)
def test_the_kind_is_told_from_the_name_and_from_what_encloses_it(
    names: list[str], kind: str
) -> None:
    assert operations.kind_of(names) == kind


def test_no_operation_has_two_kinds() -> None:
    names = [name for listed in operations.KINDS.values() for name in listed]
    assert len(names) == len(set(names))


def test_a_real_profile_is_told_apart_and_its_times_are_counted_once() -> None:
    left = torch.randn(300, 300, requires_grad=True)
    with torch.profiler.profile(activities=[ProfilerActivity.CPU]) as profiler:
        (left @ left).softmax(-1).clone().sum().backward()
    events = profiler.events()
    found = operations.times(events)
    assert found[MATRIX]["mm"] > 0
    assert {"_softmax", "_softmax_backward_data"} <= found[LOSS].keys()
    assert "copy_" in found[COPIES]
    outermost = sum(each.cpu_time_total for each in events if each.cpu_parent is None) / 1e6
    total = sum(seconds for each in found.values() for seconds in each.values())
    assert total == pytest.approx(outermost, rel=0.05)


def test_names_of_our_own_functions_are_those_that_the_kinds_ask_for() -> None:
    from tuneproof.kernels import block_attention as attention
    from tuneproof.kernels import cross_entropy as head

    ours: Any = (attention._Attention, head._Losses)
    assert {each.__name__ for each in ours} <= operations.WITHIN.keys()


def test_shares_come_to_the_whole_and_what_no_operation_has_is_pythons() -> None:
    found = Profile(seconds=2.0, by_kind={MATRIX: {"mm": 1.0, "addmm": 0.25}, COPIES: {"to": 0.5}})
    rows = shares("a step", found, "said")
    assert [(row.kind, row.share) for row in rows] == [
        (MATRIX, 0.625),
        (COPIES, 0.25),
        (PYTHON, 0.125),
        ("the whole", 1.0),
    ]
    assert rows[0].most == "mm 50.0%, addmm 12.5%"
    assert rows[-1].most == "said"


def test_operations_longer_than_their_step_are_an_error() -> None:
    with pytest.raises(RuntimeError, match="operations of 3"):
        shares("a step", Profile(seconds=2.0, by_kind={MATRIX: {"mm": 3.0}}), "said")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of TRL's own settings
@pytest.mark.parametrize("side", ["ours", BEST[0]])
def test_a_training_is_profiled_after_its_first_step(side: str) -> None:
    tokenizer = models.load_tokenizer("tiny")
    records = [of_length(tokenizer, 40, number) for number in range(BATCH * (1 + STEPS))]
    found, loss = _profiled(Subject(work="short", side=side, model="tiny", records=records))
    assert loss > 0
    assert {MATRIX, ATTENTION, LOSS, OPTIMIZER} <= found.by_kind.keys()
    assert sum(row.share for row in shares("short", found, "said")[:-1]) == pytest.approx(
        1, abs=0.02
    )
