"""Which layers of which models get an adapter, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from docs.architectures import make_model
from tuneproof.errors import InputError
from tuneproof.models.load import load_classifier, load_model
from tuneproof.tuning.adapters import adapt
from tuneproof.tuning.config import TuneConfig


def adapted(kind: str, folder: Path) -> set[str]:
    """Return the names of the layers that get an adapter."""
    make_model(kind, folder)
    config = TuneConfig(data=folder, model=str(folder), name="run", lora_r=2)
    model: Any = adapt(config, load_model(str(folder))).model
    return {name.removeprefix("base_model.model.") for name, part in model.named_modules()
            if name.rsplit(".", 1)[-1] != "base_layer" and hasattr(part, "lora_A")}  # fmt: skip


def test_what_reads_images_gets_no_adapter(tmp_path: Path) -> None:
    names = adapted("gemma3", tmp_path / "model")
    assert len(names) == 4 * 7
    assert {name.split(".")[1] for name in names} == {"language_model"}


def test_mamba_gets_those_that_its_kernel_leaves_to_layers(tmp_path: Path) -> None:
    names = {name.rsplit(".", 1)[-1] for name in adapted("mamba", tmp_path / "model")}
    assert names == {"in_proj", "x_proj", "dt_proj"}


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_an_encoder_with_a_decoder_is_one_clear_error(kind: str, tmp_path: Path) -> None:
    make_model(kind, tmp_path / "model")
    for load in (
        lambda name: load_model(name),
        lambda name: load_classifier(name, ["a", "b"], pad_token_id=0),
    ):
        with pytest.raises(InputError, match=f"an encoder with a decoder \\({kind}\\)"):
            load(str(tmp_path / "model"))


def test_no_head_for_an_architecture_is_one_clear_error(tmp_path: Path) -> None:
    make_model("granite", tmp_path / "model")
    with pytest.raises(InputError, match="no classification head for this architecture"):
        load_classifier(str(tmp_path / "model"), ["a", "b"], pad_token_id=0)
