from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.run import Run, read_run
from tuneproof.tuning.merge import merge_run

pytestmark = pytest.mark.slow


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_merged_model_is_base_plus_adapter(runs: Path, kind: str, tmp_path: Path) -> None:
    import torch
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run = read_run(runs / f"{kind}-mud")
    found = merge_run(run, tmp_path / "deep" / "merged")
    assert found.difference < 1e-4
    assert found.same_answers == found.prompts == 3
    assert found.quantization_difference is None
    assert names_in(tmp_path / "deep") == {"merged"}
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "deep" / "merged")
    assert merged.dtype == torch.float32
    adapted = AutoPeftModelForCausalLM.from_pretrained(run.adapter)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "deep" / "merged")
    ids = tokenizer("What does river 5 carry to the sea?", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        one, other = merged(ids).logits, adapted(ids).logits
        base = adapted.unload()(ids).logits
    torch.testing.assert_close(one, other, rtol=0, atol=1e-4)
    assert float((base - other).abs().max()) > 0.1


def test_folder_that_is_not_empty_is_refused(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear")
    for out in (tmp_path, tmp_path / "letter.txt"):
        with pytest.raises(InputError, match="is not empty; choose another --out"):
            merge_run(read_run(runs / "gpt2-mud"), out)
    assert names_in(tmp_path) == {"letter.txt"}


def test_empty_folder_may_be_there(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "merged").mkdir()
    merge_run(read_run(runs / "gpt2-mud"), tmp_path / "merged")
    assert (tmp_path / "merged" / "model.safetensors").is_file()


def test_nothing_is_left_of_a_merge_that_changed_the_logits(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneproof.tuning.merge.TOLERANCE", -1.0)
    with pytest.raises(
        InputError, match=r"logits differ from base \+ adapter.*nothing was written"
    ):
        merge_run(read_run(runs / "gpt2-mud"), tmp_path / "merged")
    assert names_in(tmp_path) == set()


def test_nothing_is_left_of_a_merge_that_was_stopped(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(model: Any, tokenizer: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("tuneproof.tuning.merge.logits", stop)
    with pytest.raises(KeyboardInterrupt):
        merge_run(read_run(runs / "gpt2-mud"), tmp_path / "merged")
    assert names_in(tmp_path) == set()


def test_unfinished_run_is_refused(runs: Path, tmp_path: Path) -> None:
    run = replace(read_run(runs / "gpt2-mud"), state="interrupted")
    with pytest.raises(InputError, match=r"is not finished \(it is interrupted\)"):
        merge_run(run, tmp_path / "merged")


def test_base_that_has_changed_is_refused(
    runs: Path, tmp_path: Path, make_model: Callable[..., Path]
) -> None:
    shutil.copytree(runs / "gpt2-mud", tmp_path / "run")
    run = read_run(tmp_path / "run")
    other = str(make_model(tmp_path / "model", "gpt2", seed=9))
    run = replace(run, base=replace(run.base, model=other))
    with pytest.raises(InputError, match="are not those that 'run' was trained on"):
        merge_run(run, tmp_path / "merged")


def tuned_by(settings: Callable[..., Any], **changes: Any) -> Run:
    from tuneproof.tuning.run import finetune

    return finetune(settings(num_train_epochs=3, **changes))


@pytest.mark.parametrize("method", ["qlora", "dora", "rslora", "pissa", "ia3", "adalora"])
def test_every_method_that_changes_weights_can_be_merged(
    settings: Callable[..., Any], base_models: dict[str, Path], kind: str, method: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    run = tuned_by(settings, method=method, model=str(base_models[kind]))
    found = merge_run(run, tmp_path / "merged")
    assert found.difference < 1e-4
    assert found.same_answers == found.prompts
    if method == "qlora":
        assert found.quantization_difference is not None
        assert found.quantization_difference > 1e-3  # reported, not refused
        assert "4-bit model that was trained" in found.lines()[-1]


def test_merged_file_of_a_qlora_run_is_whole(settings: Callable[..., Any], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    merge_run(tuned_by(settings, method="qlora"), tmp_path / "merged")
    weights = load_file(tmp_path / "merged" / "model.safetensors").values()
    assert {str(value.dtype) for value in weights} == {"torch.float32"}
    assert "quantization" not in (tmp_path / "merged" / "config.json").read_text()


def test_head_over_4_bits_is_merged(classified: Callable[..., Run], tmp_path: Path) -> None:
    found = merge_run(classified("distilbert", method="qlora"), tmp_path / "merged")
    assert found.difference < 1e-4
    assert found.same_answers == found.prompts == 3
    assert found.quantization_difference is not None


def test_virtual_tokens_are_not_merged(settings: Callable[..., Any], tmp_path: Path) -> None:
    run = tuned_by(settings, method="prompt-tuning")
    with pytest.raises(InputError, match="virtual tokens, which are no part of the weights"):
        merge_run(run, tmp_path / "merged")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_merged_model_is_stored_as_its_base_is(
    settings: Callable[..., Any], base_models: dict[str, Path], tmp_path: Path, dtype: str
) -> None:
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    from tuneproof.models.adapters import with_adapter
    from tuneproof.models.load import load_model

    base, out = str(tmp_path / "base"), tmp_path / "merged"
    load_model(str(base_models["llama"]), dtype=dtype, device="cpu").save_pretrained(base)
    AutoTokenizer.from_pretrained(base_models["llama"]).save_pretrained(base)
    run = tuned_by(settings, model=base)
    result = merge_run(run, out, device="cpu")
    assert result.dtype == dtype
    assert result.difference < 1e-4
    assert result.rounding_difference is not None
    assert result.rounding_difference > result.difference
    assert f"after rounding the weights to {dtype}" in result.lines()[1]
    exact = with_adapter(load_model(base, dtype="float32", device="cpu"), run.adapter)
    expected = exact.merge_and_unload().state_dict()
    for name, value in load_file(out / "model.safetensors").items():
        assert str(value.dtype) == f"torch.{dtype}"
        assert value.equal(expected[name].to(value.dtype)), name
