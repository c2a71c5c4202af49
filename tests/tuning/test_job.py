"""What a job derives from the settings: learning rate and precision."""

from __future__ import annotations

import pytest

from tuneproof.tuning.device import uses_bf16
from tuneproof.tuning.job import default_learning_rate, default_weighting


@pytest.mark.parametrize(("width", "rate"), [(256, 2.5e-3), (768, 1.1e-3), (4096, 2.9e-4)])
def test_wider_models_get_less(width: int, rate: float) -> None:
    assert default_learning_rate(width, is_adapter=True) == rate


def test_all_weights_need_a_tenth_of_an_adapter() -> None:
    full = default_learning_rate(2000, is_adapter=False)
    assert full * 10 == pytest.approx(default_learning_rate(2000, is_adapter=True))


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


def test_examples_count_the_same_for_tiny_alone() -> None:
    assert default_weighting("tiny") == "example"
    assert default_weighting("smollm2") == default_weighting("folder/tiny") == "token"
