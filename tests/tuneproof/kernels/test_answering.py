"""What turns on for answering leaves the answers as they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tuneproof.kernels.answering import take_rows


@pytest.mark.parametrize("prompts", [1, 3])
def test_last_positions_reach_the_head_as_rows_of_one_matrix(prompts: int) -> None:
    head = nn.Linear(24, 400, bias=False).bfloat16().requires_grad_(False)
    plain, states = nn.Linear.forward, torch.randn(prompts, 7, 24).bfloat16()[:, -1:]
    wanted = head(states)
    (undo,) = take_rows(head)
    inner: list[torch.Size] = []
    with pytest.MonkeyPatch.context() as patched, torch.inference_mode():
        patched.setattr(
            torch.nn.functional, "linear",
            lambda rows, *rest: inner.append(rows.shape) or torch._C._nn.linear(rows, *rest),
        )  # fmt: skip
        found = head(states)
    assert inner == [(prompts, 24)]
    assert found.shape == wanted.shape == (prompts, 1, 400)
    torch.testing.assert_close(found, wanted)
    undo()
    assert head.forward.__func__ is plain


def test_heads_that_go_another_way_are_left_alone() -> None:
    assert take_rows(None) == take_rows(nn.Linear(4, 8)) == take_rows(nn.Identity()) == []
