from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuneproof.models import fetch
from tuneproof.models import load as models

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(smollm2: Path) -> tuple[Any, Any]:
    """Model and tokenizer."""
    return models.load_model(str(smollm2), device="cpu"), models.load_tokenizer(str(smollm2))


def answer(model: Any, tokenizer: Any, question: str) -> str:
    """Return the greedy answer in the model's own chat template."""
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}],
        add_generation_prompt=True, return_tensors="pt", return_dict=True,
    )  # fmt: skip
    row = model.generate(**prompt, max_new_tokens=20, do_sample=False)[0]
    return str(tokenizer.decode(row[prompt["input_ids"].shape[1] :]))


def test_it_answers_and_stops(loaded: tuple[Any, Any]) -> None:
    text = answer(*loaded, "What is the capital of France?")
    assert text == "The capital of France is Paris.<|im_end|>"


def test_texts_are_cut_as_the_model_was_trained(loaded: tuple[Any, Any]) -> None:
    tokenizer = loaded[1]
    for text in ("Hello world! 123", "\n\n1. a", "  Çok  güzel — 汉字\t12,5 %\n", "a<|im_end|>b"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer("Hello world! 123")["input_ids"] == [19556, 905, 17, 216, 33, 34, 35]
    assert tokenizer.convert_ids_to_tokens(tokenizer("\n\n1.")["input_ids"]) == ["ĊĊ", "1", "."]
    marks = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    assert marks == (1, 2, 2)


def test_logits_are_those_of_the_gguf_file(smollm2: Path, loaded: tuple[Any, Any]) -> None:
    pytest.importorskip("gguf")
    import torch
    from transformers import AutoModelForCausalLM

    name = Path(fetch.MODELS["smollm2"].file).name
    if not (smollm2 / name).is_file():
        pytest.skip(f"{smollm2} holds no {name}")
    theirs = AutoModelForCausalLM.from_pretrained(smollm2, gguf_file=name, dtype=torch.float32)
    rows = loaded[1]("Revenue was 12.4 % higher than in 2009.", return_tensors="pt")
    with torch.no_grad():
        assert torch.equal(loaded[0](**rows).logits, theirs(**rows).logits)


def test_it_is_saved_and_loaded_again(loaded: tuple[Any, Any], tmp_path: Path) -> None:
    import torch

    model, tokenizer = loaded
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again, tokenizer_again = (
        models.load_model(str(tmp_path), device="cpu"), models.load_tokenizer(str(tmp_path)),
    )  # fmt: skip
    assert tokenizer_again.chat_template == tokenizer.chat_template
    rows = tokenizer("a\n\n12", return_tensors="pt")
    assert tokenizer_again("a\n\n12")["input_ids"] == rows["input_ids"][0].tolist()
    with torch.no_grad():
        assert torch.equal(model(**rows).logits, again(**rows).logits)
