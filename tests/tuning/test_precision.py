"""Whether a training multiplies in bfloat16."""

from __future__ import annotations

import pytest

from tuneproof.tuning.precision import uses_bf16


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_what_is_asked_is_done(device: str) -> None:
    assert uses_bf16("bf16", device)
    assert not uses_bf16("no", device)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx2": True}, False),
        ({}, False),
    ],
)
def test_auto_looks_for_the_cpus_instructions(
    found: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert uses_bf16("auto", "cpu") is expected
    assert not uses_bf16("auto", "mps")


def test_older_torch_says_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not uses_bf16("auto", "cpu")
