from __future__ import annotations

from typing import Any

import pytest
import torch

from tuneproof.errors import InputError
from tuneproof.models import load as models
from tuneproof.models.device import choose_device, free_bytes, is_short, placed, torch_dtype


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("two_gpus")
def test_gpu_is_taken_where_there_is_one_and_has_its_number() -> None:
    assert {choose_device(name) for name in (None, "auto", "cuda", "cuda:0")} == {"cuda:0"}
    assert choose_device("cuda:1") == "cuda:1"
    assert choose_device("cpu") == "cpu"


@pytest.mark.usefixtures("two_gpus")
def test_gpu_number_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"--device cuda:2: there are 2 CUDA devices; .* cuda:1"):
        choose_device("cuda:2")


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(InputError, match=f"--device {device}: torch .* finds no CUDA device"):
        choose_device(device)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", "meta"])
def test_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(InputError, match="device must be auto, cpu, cuda, cuda:N or mps"):
        choose_device(device)


@pytest.mark.usefixtures("no_gpu")
def test_model_is_not_loaded_on_a_device_that_is_not_there() -> None:
    with pytest.raises(InputError, match="finds no CUDA device; give --device cpu"):
        models.load_model("tiny", device="cuda")


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("capability", "dtype"), [((7, 5), torch.float16), ((9, 0), torch.bfloat16)]
)
def test_card_without_bfloat16_gets_float16(
    capability: Any, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert torch_dtype("auto", "cuda:1") == dtype
    assert torch_dtype("auto", "cpu") == torch.float32
    assert torch_dtype("float32", "cuda:1") == torch.float32


def test_weights_go_to_a_gpu_as_they_are_read() -> None:
    assert placed("cuda:1") == {"device_map": {"": "cuda:1"}}
    assert placed("cpu") == placed("mps") == {}


def test_free_memory_is_that_of_the_card_and_what_torch_keeps_unused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 30)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 10)
    assert free_bytes("cuda:0") == 120
    assert free_bytes("cpu") is None


@pytest.mark.parametrize(
    ("free", "own", "is_less_than_a_third"),
    [(40, 60, False), (30, 70, True), (400, 500, False), (40, 1, False)],  # of 1,000 in all
)
def test_a_third_is_of_what_this_process_can_have(
    monkeypatch: pytest.MonkeyPatch, free: int, own: int, is_less_than_a_third: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: own)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: own)
    assert is_short("cuda:0") == is_less_than_a_third
    assert not is_short("cpu")


def test_model_too_large_for_the_gpu_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM

    def fail(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", fail)
    with pytest.raises(InputError, match=r"'tiny' does not fit in the memory.* --device cpu$"):
        models.load_model("tiny", device="cpu")
