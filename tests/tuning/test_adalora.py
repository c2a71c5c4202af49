"""AdaLoRA drops ranks while it trains, and its adapters keep their shape all the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from safetensors.torch import load_file

from tuneproof.files import read_json
from tuneproof.formats.run import Run


@pytest.mark.slow
def test_checkpoints_have_the_shapes_of_the_model_and_zeros_where_ranks_are_gone(
    tuned: Callable[..., Run],
) -> None:
    run = tuned(method="adalora", num_train_epochs=4, per_device_train_batch_size=4)
    folders = [*(run.folder / "checkpoints").glob("checkpoint-*"), run.adapter]
    assert len(folders) == 3
    files = [load_file(folder / "adapter_model.safetensors") for folder in folders]
    shapes = [{name: value.shape for name, value in file.items()} for file in files]
    assert shapes[0] == shapes[1] == shapes[2]
    kept = {name: (value != 0).sum() for name, value in files[2].items() if ".lora_E" in name}
    assert 0 < sum(kept.values()) < sum(files[2][name].numel() for name in kept)
    assert all(read_json(one / "adapter_config.json")["rank_pattern"] is None for one in folders)
