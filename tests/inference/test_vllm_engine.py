"""`infer compare --engine vllm`: what vLLM is asked, by a stand-in that answers as our own loop."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.inference.compare import compare
from tuneproof.inference.config import CompareConfig, Decoding, RegressionsConfig
from tuneproof.models.adapters import vllm_rank

Prompts = Callable[..., Path]
RUNS = ("llama-mud", "llama-ice")


@pytest.fixture
def config(runs: Path, tmp_path: Path) -> CompareConfig:
    return CompareConfig(
        run=RUNS,
        runs=runs,
        out=tmp_path / "comparison.json",
        max_new_tokens=8,
        dtype="float32",
        few_shot=0,
        no_baselines=True,
    )


@pytest.fixture
def asked(runs: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Put a stand-in for vLLM in its place; return what the engine was made with, and each call."""
    from tuneproof.formats.run_names import finished_run
    from tuneproof.inference.decode import decode
    from tuneproof.inference.variants import load_variants

    calls: list[dict[str, Any]] = []

    class LLM:
        def __init__(self, **settings: Any) -> None:
            calls.append(settings)
            subjects = [finished_run(runs, name) for name in RUNS]
            [self.variants] = load_variants(subjects, dtype="float32")

        def generate(
            self, prompts: Any, sampling_params: Any, *, lora_request: Any, use_tqdm: bool
        ) -> list[Any]:
            rows = [prompt["prompt_token_ids"] for prompt in prompts]
            calls.append({"rows": rows, "params": sampling_params, "lora": lora_request})
            [params] = {json.dumps(vars(one), sort_keys=True) for one in sampling_params}
            stops = set(json.loads(params)["stop_token_ids"])
            names = ["base" if one is None else one.lora_name for one in lora_request]
            decoding = Decoding(max_new_tokens=json.loads(params)["max_tokens"])
            new = decode(
                self.variants.model, rows, names, self.variants.routed, stops, decoding
            )  # fmt: skip
            return [output(tokens, stops, number) for number, tokens in enumerate(new)]

    def output(tokens: list[int], stops: set[int], number: int) -> Any:
        is_ended = tokens[-1] in stops
        kept = tokens[: -1 if is_ended and number % 2 else None]  # with its end, or without
        reason, end = ("stop", tokens[-1]) if is_ended else ("length", None)
        said = SimpleNamespace(token_ids=tuple(kept), finish_reason=reason, stop_reason=end)
        return SimpleNamespace(outputs=[said])

    class LoRARequest(SimpleNamespace):
        def __init__(self, name: str, number: int, path: str) -> None:
            super().__init__(lora_name=name, lora_int_id=number, lora_path=path)

    package, request = ModuleType("vllm"), ModuleType("vllm.lora.request")
    vars(package).update(LLM=LLM, SamplingParams=SimpleNamespace, __version__="0")
    vars(request).update(LoRARequest=LoRARequest)
    lora = ModuleType("vllm.lora")
    for module in (package, lora, request):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls


@pytest.mark.slow
def test_one_engine_answers_as_the_builtin_loop_does(
    prompts: Prompts, config: CompareConfig, asked: list[dict[str, Any]], runs: Path
) -> None:
    ours = compare(prompts(), config)
    theirs = compare(prompts(), replace(config, engine="vllm", out=config.out.with_name("v.json")))
    made, *calls = asked
    assert [item.answers for item in theirs.items] == [item.answers for item in ours.items]
    reasons = {answer.finish_reason for item in ours.items for answer in item.answers.values()}
    assert reasons == {"eos", "length"}
    longest = max(len(row) for call in calls for row in call["rows"])
    base = made.pop("model")
    assert Path(base).is_dir()
    assert made == {
        "dtype": "float32", "max_model_len": longest + 8, "generation_config": "vllm",
        "trust_remote_code": False, "seed": 0,
        "enable_lora": True, "max_loras": 2, "max_lora_rank": 8,
    }  # fmt: skip
    [call] = calls
    assert len(call["rows"]) == 3 * len(ours.items)
    named = {one.lora_name: (one.lora_int_id, one.lora_path) for one in call["lora"] if one}
    assert named == {
        name: (n, str((runs / name / "adapter").resolve())) for n, name in enumerate(RUNS, 1)
    }
    assert call["lora"].count(None) == len(ours.items)
    settings = vars(call["params"][0])
    assert settings.pop("stop_token_ids")
    assert settings == {
        "temperature": 0.0, "max_tokens": 8, "ignore_eos": True, "detokenize": False,
    }  # fmt: skip
    assert {one.details["engine"] for one in theirs.variants} == {"vllm 0"}


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"use_dora": True}, {"alpha_pattern": {"q_proj": 4}}])
def test_what_is_no_plain_lora_is_refused(
    prompts: Prompts, config: CompareConfig, asked: list[Any], tmp_path: Path, changes: Any
) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(config.runs / "llama-mud" / "adapter", folder)
    settings = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(settings | changes))
    odd = replace(config, run=("llama-mud",), adapter=(str(folder),), engine="vllm")
    with pytest.raises(InputError, match=r"plain LoRA adapters.*'odd' is n.*leave --engine out"):
        compare(prompts(), odd)
    assert asked == []
    with pytest.raises(InputError, match="'llama-mud-merged' is neither"):
        compare(prompts(), replace(config, merged=("llama-mud",), engine="vllm"))


@pytest.mark.slow
def test_missing_package_is_said(
    prompts: Prompts, config: CompareConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(InputError, match="needs the package vllm, which is not installed here"):
        compare(prompts(), replace(config, engine="vllm"))
    assert not config.out.exists()


@pytest.mark.slow
def test_engine_that_cannot_load_is_one_line(
    prompts: Prompts, config: CompareConfig, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any, **settings: Any) -> None:
        raise ValueError("LlamaForCausalLM does not\nsupport LoRA yet.")

    monkeypatch.setattr(sys.modules["vllm"].LLM, "__init__", fail)
    with pytest.raises(InputError, match=r"vLLM cannot load .*: LlamaForCausalLM does not support"):
        compare(prompts(), replace(config, engine="vllm"))


def test_settings_that_go_with_no_engine_are_refused() -> None:
    with pytest.raises(ValueError, match="device cpu is for the built-in loop"):
        CompareConfig(run=("mine",), engine="vllm", device="cpu")
    with pytest.raises(ValueError, match="regressions are scored by the built-in loop"):
        RegressionsConfig(run=("mine",), engine="vllm")


def test_rank_is_the_next_that_vllm_takes() -> None:
    assert [vllm_rank(rank) for rank in (1, 8, 12, 16, 100, 1000)] == [8, 8, 16, 16, 128, 512]
