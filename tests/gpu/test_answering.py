"""Answering on a GPU: as on a CPU in float32, and within rounding in bfloat16 and 4 bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.inference.conftest import QUESTIONS, prompts_of, question
from tuneproof.formats.run import Base, FourBit, Run
from tuneproof.inference import decode as decoding_loop
from tuneproof.inference.chat import talks_of
from tuneproof.inference.compare import compare
from tuneproof.inference.config import CompareConfig, Decoding, ModelsConfig
from tuneproof.inference.generate import answer_batch
from tuneproof.inference.label_scores import LabelScorer
from tuneproof.inference.subject import Subject, from_adapter
from tuneproof.inference.variants import Variants, load_variants
from tuneproof.models.device import choose_device
from tuneproof.models.load import load_model
from tuneproof.models.weights import weights_hash
from tuneproof.prompts import template as templates

pytestmark = pytest.mark.gpu
DEVICE = "cuda"
GREEDY = Decoding(max_new_tokens=16)
LABELS = ("mud", "mud and stones", "ice", "the sea")
TARGETS = {
    "gpt2": ["c_attn", "c_proj"],
    "llama": ["q_proj", "v_proj", "down_proj"],
    "llama-4bit": ["q_proj", "v_proj", "down_proj"],
}


def save_adapter(base: Path, folder: Path, targets: Sequence[str], seed: int) -> Path:
    """Save a LoRA adapter of random weights that change a base's answers."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(
        r=4, lora_alpha=16, target_modules=list(targets), task_type="CAUSAL_LM",
        init_lora_weights=False, fan_in_fan_out="c_attn" in targets,
    )  # fmt: skip
    get_peft_model(load_model(str(base), device="cpu"), config).save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def bases(make_model: Callable[..., Path], tmp_path_factory: Any) -> dict[str, Path]:
    """Random models, one of them stored in 4 bits, with adapters `mud` and `ice` beside each."""
    root: Path = tmp_path_factory.mktemp("bases")
    wide = {"hidden_size": 64, "intermediate_size": 128}
    made = {
        "gpt2": make_model(root / "gpt2", "gpt2"),
        "llama": make_model(root / "llama", "llama", **wide),
    }
    for kind, base in made.items():
        for seed, name in enumerate(("mud", "ice"), 1):
            save_adapter(base, root / f"{kind}-{name}", TARGETS[kind], seed)
    return made


def subjects(base: Path, **changes: Any) -> list[Subject]:
    template = templates.load()
    folders = {name: base.with_name(f"{base.name}-{name}") for name in ("mud", "ice")}
    return [
        replace(from_adapter(name, folder, str(base), template), **changes)
        for name, folder in folders.items()
    ]


def loaded(base: Path, device: str = DEVICE, dtype: Any = "float32", **options: Any) -> Variants:
    return load_variants(
        subjects(base), base=str(base), device=device, dtype=dtype, **options
    )[0]  # fmt: skip


def answers(variants: Variants) -> list[dict[str, str]]:
    rows = answer_batch(variants, prompts_of(variants, QUESTIONS, 16), GREEDY, 1)
    return [{name: answer.text for name, answer in row.items()} for row in rows]


def probabilities(variants: Variants) -> Any:
    import torch

    prompts = [question(text) for text in QUESTIONS]
    scores = LabelScorer(variants, LABELS).score(prompts, prompts_of(variants, QUESTIONS, 16))
    return torch.tensor(
        [[list(row[name].values()) for name in variants.names] for row in scores]
    )  # (prompts, variants, labels)


def alike(some: list[dict[str, str]], others: list[dict[str, str]]) -> float:
    pairs = [
        (one[name], other[name]) for one, other in zip(some, others, strict=True) for name in one
    ]
    return sum(one == other for one, other in pairs) / len(pairs)


def spoils_large_batches(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Let decoding run out of memory for more than so many rows; return the rows that it took."""
    import torch

    sizes: list[int] = []

    def decode(model: Any, prompts: Any, *others: Any, **more: Any) -> Any:
        if len(prompts) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        sizes.append(len(prompts))
        return decoding_loop.decode(model, prompts, *others, **more)

    monkeypatch.setattr("tuneproof.inference.generate.decode", decode)
    return sizes


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_greedy_answers_are_those_of_a_cpu(bases: dict[str, Path], kind: str) -> None:
    variants = loaded(bases[kind])
    assert {value.device.type for value in variants.model.parameters()} == {DEVICE}
    here, there = answers(variants), answers(loaded(bases[kind], "cpu"))
    assert alike(here, there) >= 0.95  # a tie may fall otherwise
    assert len({text for row in here for text in row.values()}) > len(QUESTIONS)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_prompts_read_in_parts_are_answered_the_same(
    bases: dict[str, Path], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = loaded(bases[kind])
    whole = answers(variants)
    monkeypatch.setattr(decoding_loop, "AT_ONCE_ON_GPU", 128)
    assert alike(answers(variants), whole) >= 0.95


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_steps_repeated_by_a_graph_give_the_answers_of_plain_steps(
    bases: dict[str, Path], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    variants = loaded(bases[kind])
    replayed: list[int] = []
    replay = torch.cuda.CUDAGraph.replay

    def count(graph: Any) -> None:
        replayed.append(1)
        replay(graph)

    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", count)
    prompts, long = prompts_of(variants, QUESTIONS, 40), Decoding(max_new_tokens=40)
    with_graph = answer_batch(variants, prompts, long, 1)
    assert len(replayed) > 10
    monkeypatch.setattr(decoding_loop, "WORTH", 1000)
    without = answer_batch(variants, prompts, long, 1)
    assert (
        alike(
            *(
                [{name: answer.text for name, answer in row.items()} for row in rows]
                for rows in (with_graph, without)
            )
        )
        >= 0.9
    )


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_label_probabilities_are_those_of_a_cpu(bases: dict[str, Path], kind: str) -> None:
    here, there = (probabilities(loaded(bases[kind], device)) for device in (DEVICE, "cpu"))
    assert float((here - there).abs().max()) < 1e-3


def test_bfloat16_is_the_default_and_near_float32(bases: dict[str, Path]) -> None:
    import torch

    variants, exact = loaded(bases["llama"], dtype="auto"), loaded(bases["llama"])
    assert variants.model.dtype in (torch.bfloat16, torch.float16)
    assert all(len(row) == 3 for row in answers(variants))
    difference = (probabilities(variants) - probabilities(exact)).abs()
    assert float(difference.mean()) < 0.05


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_mixed_batch_computes_what_each_variant_computes_alone(
    bases: dict[str, Path], dtype: str
) -> None:
    import torch

    from tuneproof.kernels.answering import fast_answering

    variants = loaded(bases["llama"], dtype=dtype)
    ids = torch.tensor([[5, 6, 7, 8, 9]], device=variants.model.device)
    with torch.inference_mode(), fast_answering(variants.model):
        together = variants.model(
            ids.expand(3, -1), **variants.routed(variants.names)
        ).logits.float()
        for row, name in zip(together, variants.names, strict=True):
            alone = variants.model(ids, **variants.routed([name])).logits[0].float()
            room = 1e-3 if dtype == "float32" else 0.02 * float(alone.abs().max())
            torch.testing.assert_close(row, alone, rtol=0, atol=room)
    assert float((together[0] - together[1]).abs().max()) > 0.1


def test_run_over_a_base_in_4_bits_answers_beside_the_whole_base(bases: dict[str, Path]) -> None:
    import torch

    base = bases["llama"]
    qlora = subjects(base, quantization=FourBit())
    found = load_variants([*qlora[:1]], base=str(base), device=DEVICE, has_four_bit_base=True)
    assert [variants.names for variants in found] == [["base"], ["mud"], ["base-4bit"]]
    for variants in found[1:]:
        kinds = {type(module).__name__ for module in variants.model.modules()}
        assert "Linear4bit" in kinds
        assert {value.device.type for value in variants.model.parameters()} == {DEVICE}
        assert all(answer for row in answers(variants) for answer in row)
        with torch.inference_mode():
            ids = torch.tensor([[5, 6, 7]], device=variants.model.device)
            cache = variants.model(ids, use_cache=True).past_key_values
        assert cache.layers[0].keys.dtype == getattr(torch, FourBit().bnb_4bit_compute_dtype)


def test_adapters_answer_in_one_batch_over_a_base_stored_in_4_bits(
    bases: dict[str, Path], tmp_path: Path
) -> None:
    import torch
    from transformers import AutoTokenizer

    small = tmp_path / "small4"
    load_model(str(bases["llama"]), device=DEVICE, four_bit=FourBit()).save_pretrained(small)
    AutoTokenizer.from_pretrained(bases["llama"]).save_pretrained(small)
    for seed, name in enumerate(("mud", "ice"), 1):
        folder = tmp_path / f"small4-{name}"
        save_adapter(bases["llama"], folder, TARGETS["llama"], seed)
    variants = loaded(small)
    assert variants.names == ["base", "mud", "ice"]
    alone = {
        name: variants.model(
            torch.tensor([[5, 6, 7]], device=variants.model.device), **variants.routed([name])
        ).logits[0, -1]
        for name in variants.names
    }
    assert float((alone["base"] - alone["mud"]).abs().max()) > 0.1
    assert all(len(row) == 3 for row in answers(variants))


def test_merge_on_a_gpu_is_that_of_a_cpu(
    bases: dict[str, Path], make_run: Callable[..., Run], tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    from tuneproof.tuning.merge import merge_run

    base = bases["llama"]
    settings = {"model": str(base), "method": "lora", "objective": "generate", "max_length": 96}
    found = Base(model=str(base), weights_sha256=weights_hash(str(base)))
    run = make_run("short", base=found, config=settings)
    save_adapter(base, run.folder / "adapter", TARGETS["llama"], 1)
    places = {"here": DEVICE, "there": "cpu"}
    results = [merge_run(run, tmp_path / name, device=place) for name, place in places.items()]
    for result in results:
        assert result.difference < 1e-3
        assert result.dtype == "float32"
    here, there = (load_file(tmp_path / name / "model.safetensors") for name in places)
    assert here.keys() == there.keys()
    assert max(float((here[name] - there[name]).abs().max()) for name in here) < 1e-5


def test_models_loaded_in_turns_answer_as_those_loaded_together(
    bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = subjects(bases["llama"])

    def load() -> list[Variants]:
        return load_variants(
            [one], base=str(bases["llama"]), merged=[other], device=DEVICE, dtype="float32"
        )

    together = [answers(variants) for variants in load()]
    monkeypatch.setattr("tuneproof.inference.resident.is_short", lambda device: True)
    found = load()
    assert [variants.resident.is_loaded for variants in found] == [False, True]
    assert [answers(variants) for variants in found] == together
    assert [variants.resident.is_loaded for variants in found] == [False, True]


def test_batch_is_halved_where_memory_runs_out(
    bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = loaded(bases["llama"])
    whole = answers(variants)
    sizes = spoils_large_batches(monkeypatch, 4)
    assert alike(answers(variants), whole) >= 0.95
    assert max(sizes) <= 4
    assert sum(sizes) == len(QUESTIONS) * 3


def test_comparison_is_written_on_a_gpu(bases: dict[str, Path], tmp_path: Path) -> None:
    import json

    prompts = tmp_path / "prompts.json"
    prompts.write_text(json.dumps(QUESTIONS))
    base = bases["llama"]
    config = CompareConfig(
        model=(str(base),), adapter=(f"mud={base}-mud",), device=DEVICE, max_new_tokens=8,
        out=tmp_path / "out.json",
    )  # fmt: skip
    written = compare(prompts, config)
    assert [variant.name for variant in written.variants] == ["base", "mud"]
    assert all(variant.details["tokens_per_second"] > 0 for variant in written.variants)


def test_chat_streams_on_a_gpu(bases: dict[str, Path]) -> None:
    base = bases["llama"]
    config = ModelsConfig(
        model=(str(base),), adapter=(f"mud={base}-mud",), device=DEVICE, max_new_tokens=12
    )
    for talk in talks_of(config):
        assert talk.speaker.streams
        pieces: list[str] = []
        reply = talk.ask(QUESTIONS[0], 1, pieces.append)
        assert reply is not None
        assert "".join(pieces) == reply.text


def test_sampled_answers_are_the_same_for_a_seed(bases: dict[str, Path]) -> None:
    variants = loaded(bases["llama"])
    prompts = prompts_of(variants, QUESTIONS, 16)
    drawn = [
        answer_batch(variants, prompts, Decoding(max_new_tokens=16, do_sample=True), seed)
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_device_has_its_number() -> None:
    assert choose_device("auto") == choose_device("cuda") == "cuda:0"
