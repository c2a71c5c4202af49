"""Tests that need a CUDA device: they skip themselves where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tuneproof.tuning.config import TuneConfig

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip this folder's tests without a GPU; warnings of other versions of torch are no errors."""
    mine = [item for item in items if HERE in item.path.parents]
    if not mine:
        return
    import torch

    for item in mine:
        item.add_marker(pytest.mark.gpu)
        item.add_marker(pytest.mark.filterwarnings("default"))
        if not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="torch finds no CUDA device"))


@pytest.fixture(autouse=True)
def free_gpu() -> Iterator[None]:
    """Give back what a test has held, and whatever part of the memory it has left itself."""
    import gc

    import torch

    yield
    gc.collect()
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@pytest.fixture(scope="session")
def llama(make_model: Callable[..., Path], tmp_path_factory: Any) -> Path:
    """A random Llama of 4 layers, 256 wide."""
    folder: Path = tmp_path_factory.mktemp("gpu") / "llama"
    return make_model(
        folder, "llama", hidden_size=256, intermediate_size=512, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=1024,
    )  # fmt: skip


@pytest.fixture(scope="session")
def gpt2(make_model: Callable[..., Path], tmp_path_factory: Any) -> Path:
    """A random GPT-2 of its published size but for the vocabulary."""
    folder: Path = tmp_path_factory.mktemp("gpu") / "gpt2"
    return make_model(folder, "gpt2", n_embd=768, n_layer=12, n_head=12, n_positions=1024)


@pytest.fixture
def settings(llama: Path, write_data: Callable[..., Path], tmp_path: Path) -> Callable[..., Any]:
    """Settings of a training of a few steps on the GPU, in the test's own folder."""
    write_data(tmp_path / "data")

    def make(**changes: Any) -> TuneConfig:
        plain = {
            "data": tmp_path / "data", "model": str(llama), "name": "short",
            "runs": tmp_path / "runs", "max_length": 96, "num_train_epochs": 4,
            "per_device_train_batch_size": 8, "learning_rate": 3e-3, "lora_r": 4,
            "device": "cuda",
        }  # fmt: skip
        return TuneConfig(**{**plain, **changes})

    return make


@pytest.fixture
def tuned(settings: Callable[..., TuneConfig]) -> Callable[..., Any]:
    """Train on the GPU, and return the run as its folder holds it."""
    from tuneproof.formats.run import read_run
    from tuneproof.tuning.run import finetune

    return lambda **changes: read_run(finetune(settings(**changes)).folder)
