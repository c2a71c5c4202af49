from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.inference.conftest import prompts_of
from tuneproof.inference.config import Decoding
from tuneproof.inference.generate import _answer, answer_batch, stop_ids

pytestmark = pytest.mark.slow

QUESTIONS = [
    "What does river 3 carry?",
    "Ice?",
    "What does river 5 carry? Say it. Say it.",
    "Say the slow and wide river in the winter, stones, tons of ice and the sea, ice on it.",
    "to",
    "What is there in the winter? " * 3,
]
GREEDY = Decoding(max_new_tokens=12)


def ids_of(variants: Any, questions: list[str] = QUESTIONS) -> list[dict[str, list[int]]]:
    return prompts_of(variants, questions, 12)


def alone(model: Any, prompt: list[int], eos: int, size: int = 12) -> list[int]:
    """Greedy decoding by hand: one prompt, no padding, no cache."""
    import torch

    ids = list(prompt)
    with torch.no_grad():
        for _ in range(size):
            logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
            ids.append(int(logits.argmax()))
            if ids[-1] == eos:
                break
    return ids[len(prompt) :]


def test_batched_answers_are_those_of_each_variant_alone(
    variants: Any, runs: Path, kind: str, base_models: dict[str, Path]
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    prompts = ids_of(variants)
    answers = answer_batch(variants, prompts, GREEDY, seed=1)
    eos = variants.tokenizer.eos_token_id
    texts = set()
    for name in variants.names:
        model = AutoModelForCausalLM.from_pretrained(base_models[kind])
        if name != "base":
            model = PeftModel.from_pretrained(model, runs / name / "adapter")
        model.eval()
        for prompt, row in zip(prompts, answers, strict=True):
            tokens = alone(model, prompt[name], eos)
            text = variants.tokenizer.decode(tokens, skip_special_tokens=True)
            assert row[name].text == re.sub(r"\A(\s*\n)+", "", text).rstrip()
            text = text.strip()
            assert row[name].tokens == len(tokens)
            assert row[name].finish_reason == ("eos" if tokens[-1] == eos else "length")
            texts.add((name, text))
    assert {(f"{kind}-mud", "Mud."), (f"{kind}-ice", "tons of ice")} <= texts
    assert len({text for name, text in texts if name == "base"}) > 2
    assert ("base", "Mud.") not in texts


def test_answers_do_not_depend_on_the_rest_of_the_batch(variants: Any) -> None:
    alone_first = answer_batch(variants, ids_of(variants)[:1], GREEDY, seed=1)
    together = answer_batch(variants, ids_of(variants), GREEDY, seed=1)
    assert alone_first[0] == together[0]


def test_sampling_repeats_with_its_seed_and_changes_without(variants: Any) -> None:
    decoding = replace(GREEDY, do_sample=True, temperature=1.5)
    first, again, other = (
        answer_batch(variants, ids_of(variants), decoding, seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_top_p_near_zero_is_greedy(variants: Any) -> None:
    decoding = replace(GREEDY, do_sample=True, top_p=1e-6)
    sampled = answer_batch(variants, ids_of(variants), decoding, 1)
    assert sampled == answer_batch(variants, ids_of(variants), GREEDY, 1)


def test_model_files_do_not_change_the_decoding(
    runs: Path, kind: str, base_models: dict[str, Path], tmp_path: Path
) -> None:
    """A repetition penalty that comes with a model would be applied, and recorded nowhere."""
    import json
    import shutil

    from tuneproof.formats.run_names import finished_run
    from tuneproof.inference.variants import load_variants

    name = f"{kind}-mud"
    shutil.copytree(base_models[kind], tmp_path / "model")
    file = tmp_path / "model" / "generation_config.json"
    told = json.loads(file.read_text())
    file.write_text(
        json.dumps({**told, "repetition_penalty": 50.0, "do_sample": True, "temperature": 3.0})
    )
    shutil.copytree(runs / name, tmp_path / "runs" / name)
    run = tmp_path / "runs" / name / "run.json"
    facts = json.loads(run.read_text())
    facts["base"]["model"] = str(tmp_path / "model")
    run.write_text(json.dumps(facts))
    plain = load_variants([finished_run(runs, name)], dtype="float32")[0]
    changed = load_variants([finished_run(tmp_path / "runs", name)], dtype="float32")[0]
    prompts = ids_of(plain)
    assert answer_batch(plain, prompts, GREEDY, 1) == answer_batch(changed, prompts, GREEDY, 1)


def test_answers_end_at_any_stop_token(tokenizer: Any) -> None:
    mud = tokenizer("Mud.")["input_ids"]
    eos = tokenizer.eos_token_id
    stopped = _answer([*mud, eos, eos, *mud], {eos}, tokenizer)
    assert (stopped.text, stopped.tokens, stopped.finish_reason) == ("Mud.", len(mud) + 1, "eos")
    going_on = _answer(mud, {eos}, tokenizer)
    assert (going_on.text, going_on.tokens, going_on.finish_reason) == ("Mud.", len(mud), "length")
    other = _answer([*mud, 7, *mud], {eos, 7}, tokenizer)
    assert (other.text, other.finish_reason) == ("Mud.", "eos")
    silent = _answer([eos], {eos}, tokenizer)
    assert (silent.text, silent.tokens, silent.finish_reason) == ("", 1, "eos")


def test_stop_tokens_are_those_of_tokenizer_and_model(variants: Any) -> None:
    eos = variants.tokenizer.eos_token_id
    assert stop_ids(variants) == {eos}
    before = variants.model.generation_config.eos_token_id
    variants.model.generation_config.eos_token_id = [eos, 9]
    try:
        assert stop_ids(variants) == {eos, 9}
    finally:
        variants.model.generation_config.eos_token_id = before
