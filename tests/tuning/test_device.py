"""Device, dtypes and number of GPUs of a training, told a machine that is not there."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tuneproof.errors import InputError
from tuneproof.log import lines_to
from tuneproof.models.four_bit import compute_dtype
from tuneproof.tuning import device
from tuneproof.tuning.config import TuneConfig


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have one CUDA device of a major compute capability."""

    def use(capability: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (capability, 0))

    return use


@pytest.mark.parametrize(
    ("capability", "asked", "expected"),
    [
        (9, "auto", "bfloat16"),
        (7, "auto", "float16"),
        (9, "fp16", "float16"),
        (7, "no", "float32"),
    ],
)
def test_products_are_what_the_card_has(
    card: Callable[[int], None], capability: int, asked: Any, expected: str
) -> None:
    card(capability)
    assert device.products(asked, "cuda:0") == expected
    config = TuneConfig(mixed_precision=asked)
    assert device.weights_dtype(config, "cuda:0") == expected
    assert device.weights_dtype(config, "cpu") == "auto"


def test_weights_that_are_trained_stay_in_float32(card: Callable[[int], None]) -> None:
    card(9)
    assert device.weights_dtype(TuneConfig(method="full"), "cuda:0") == "float32"
    assert device.weights_dtype(TuneConfig(lora_bias="all"), "cuda:0") == "float32"
    assert device.weights_dtype(TuneConfig(dtype="float16"), "cuda:0") == "float16"


def test_products_of_4_bit_weights_are_what_the_card_has(card: Callable[[int], None]) -> None:
    card(7)
    assert compute_dtype(torch.bfloat16, "cuda:0") == torch.float16
    assert compute_dtype(torch.float32, "cuda:0") == torch.float32
    card(9)
    assert compute_dtype(torch.bfloat16, "cuda:0") == torch.bfloat16


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"avx2": True}, torch.float32), ({"avx512_bf16": True}, torch.bfloat16)],
)
def test_products_of_4_bit_weights_are_what_the_cpu_has(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert compute_dtype(torch.bfloat16, "cpu") == expected
    assert compute_dtype(torch.bfloat16, "mps") == torch.float32
    assert compute_dtype(torch.float16, "cpu") == torch.float16
    assert compute_dtype(None, "cpu") is None


def test_slow_products_that_were_asked_for_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with lines_to(said.append):
        for capabilities in ({"avx2": True}, {"amx_bf16": True}):
            monkeypatch.setattr(
                torch.cpu, "get_capabilities", lambda found=capabilities: found, raising=False
            )
            assert device.products("bf16", "cpu") == "bfloat16"
    assert ["has no instructions for bfloat16" in line for line in said] == [True]


def test_float16_on_a_cpu_is_refused() -> None:
    with pytest.raises(InputError, match="mixed_precision fp16 needs a CUDA device"):
        device.products("fp16", "cpu")


@pytest.mark.parametrize(("place", "index"), [("cuda", 0), ("cuda:2", 2)])
def test_one_of_several_gpus_is_used_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, place: str, index: int
) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    current: list[Any] = []
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    arguments = SimpleNamespace(n_gpu=4, distributed_state=SimpleNamespace(device=None))
    lines: list[str] = []
    with lines_to(lines.append):
        device.keep_to_one_gpu(arguments, place)
    assert arguments._n_gpu == 1
    expected = torch.device("cuda", index)
    assert arguments._setup_devices == arguments.distributed_state.device == expected
    assert current == [expected]
    assert lines == [
        f"4 GPUs are visible; cuda:{index} is used alone. --device cuda:N takes another one"
    ]


def test_launcher_has_a_process_for_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    arguments = SimpleNamespace(n_gpu=1)
    device.keep_to_one_gpu(arguments, "cuda:1")
    assert vars(arguments) == {"n_gpu": 1}


def test_cpu_is_left_as_it_is() -> None:
    arguments = SimpleNamespace()
    device.keep_to_one_gpu(arguments, "cpu")
    assert vars(arguments) == {}


def test_missing_package_of_an_attention_is_named() -> None:
    device.check_attention(None)
    device.check_attention("sdpa")
    with pytest.raises(InputError, match="flash_attention_2 needs the package flash-attn"):
        device.check_attention("flash_attention_2")


def test_unknown_optimizer_has_a_near_one() -> None:
    device.check_optimizer("paged_adamw_8bit")
    with pytest.raises(InputError, match=r"unknown optimizer 'adamw_8bits'\. Did you mean"):
        device.check_optimizer("adamw_8bits")


def test_liger_needs_its_package_and_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    model = SimpleNamespace(device=torch.device("cpu"))
    monkeypatch.setattr(device.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="needs the package liger-kernel"):
        device.use_liger_kernel(model)
    monkeypatch.setattr(device.importlib.util, "find_spec", lambda name: object())
    with pytest.raises(InputError, match="needs a GPU; the model is on cpu"):
        device.use_liger_kernel(model)


def test_unknown_device_is_refused() -> None:
    with pytest.raises(ValueError, match="device must be auto, cpu, cuda, cuda:N or mps, got 'gp"):
        TuneConfig(device="gpu")
