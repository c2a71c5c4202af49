"""A run's weights are those that it was left with, or it is said what became of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.files import fingerprint
from tuneproof.models.weights import ADAPTER_WEIGHTS, check_saved

NAMES = ("q.lora_A.weight", "q.lora_B.weight")


@pytest.fixture
def run(make_run: Callable[..., Any]) -> Any:
    """A finished run with two tensors, and their file's hash."""
    import torch
    from safetensors.torch import save_file

    made = make_run("mine")
    made.adapter.mkdir()
    save_file({name: torch.ones(2, 3) for name in NAMES}, made.adapter / ADAPTER_WEIGHTS)
    return replace(
        made, weights_sha256={ADAPTER_WEIGHTS: fingerprint(made.adapter / ADAPTER_WEIGHTS)}
    )


def spoil(run: Any, change: Callable[[dict[str, Any]], Any]) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(run.adapter / ADAPTER_WEIGHTS)
    change(tensors)
    save_file(tensors, run.adapter / ADAPTER_WEIGHTS)


def test_weights_as_they_were_left_are_used(run: Any) -> None:
    check_saved(run)
    check_saved(replace(run, weights_sha256=None))


@pytest.mark.parametrize("is_older", [False, True])
def test_weights_that_are_no_numbers_are_named(run: Any, is_older: bool) -> None:
    spoil(run, lambda tensors: tensors[NAMES[1]].view(-1)[2:3].fill_(float("nan")))
    if is_older:
        run = replace(run, weights_sha256=None)
    with pytest.raises(InputError, match=r"q\.lora_B\.weight has values that are no numbers"):
        check_saved(run)


def test_other_numbers_and_a_missing_tensor_are_found(run: Any) -> None:
    spoil(run, lambda tensors: tensors[NAMES[0]].add_(1e-6))
    with pytest.raises(InputError, match=r"is not the file that the training of 'mine' left"):
        check_saved(run)
    spoil(run, lambda tensors: tensors.pop(NAMES[0]))
    with pytest.raises(InputError, match=r"is not the file that the training of 'mine' left"):
        check_saved(run)


def test_file_that_is_cut_off_or_gone_is_named(run: Any) -> None:
    file = run.adapter / ADAPTER_WEIGHTS
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"left.*it cannot be read"):
        check_saved(run)
    with pytest.raises(InputError, match=r"it cannot be read"):
        check_saved(replace(run, weights_sha256=None))
    file.unlink()
    with pytest.raises(InputError, match=r"holds no adapter_model\.safetensors"):
        check_saved(run)


def test_comparison_is_of_these_weights_not_only_of_their_run(run: Any, tmp_path: Any) -> None:
    from tuneproof.formats.example import TEST_PROMPTS
    from tuneproof.inference.compare import stamp_of
    from tuneproof.inference.config import CompareConfig

    config = CompareConfig(run=("mine",), runs=tmp_path)
    before = stamp_of(TEST_PROMPTS, config).key
    assert stamp_of(TEST_PROMPTS, config).key == before
    spoil(run, lambda tensors: tensors[NAMES[0]].add_(1e-6))
    assert stamp_of(TEST_PROMPTS, config).key != before


@pytest.mark.slow
def test_adapter_that_lacks_a_tensor_is_not_loaded_in_part(runs: Any, tmp_path: Any) -> None:
    import shutil

    from tuneproof.formats.run import read_run
    from tuneproof.inference.variants import load_variants

    shutil.copytree(runs / "gpt2-mud", tmp_path / "gpt2-mud")
    run = replace(read_run(tmp_path / "gpt2-mud"), weights_sha256=None)
    spoil(run, lambda tensors: tensors.pop(sorted(tensors)[0]))
    with pytest.raises(InputError, match=r"lacks tensors: .*lora_A"):
        load_variants([run])
