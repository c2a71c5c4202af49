"""Ask two forms of one model the same, to see whether they are the same: logits and answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from tuneproof.formats.data_folder import FILES
from tuneproof.formats.example import read_examples
from tuneproof.formats.run import Run
from tuneproof.prompts.fit import ask

ANSWER_TOKENS = 24
"""Longest greedy answer that is compared."""
PROBES = (
    "The quick brown fox jumps over the lazy dog.",
    "### Instruction:\nName three colours.\n\n### Response:\n",
    "Revenue was 12.4% higher than in 2009, at $ 1,203 million.",
)


def held_out(run: Run, tokenizer: Any) -> list[list[int]]:
    """Return a few prompts of the run's data that it was not trained on, else the probes."""
    probes: list[list[int]] = [tokenizer(text)["input_ids"] for text in PROBES]
    if run.template is None:
        return probes
    room = run.max_length - ANSWER_TOKENS
    for name in ("test", "validation"):
        file = Path(run.data.folder) / FILES[name]
        records = islice(read_examples(file), len(PROBES)) if file.is_file() else ()
        asked = [ask(run.template, tokenizer, record, max_length=room) for record in records]
        if prompts := [encoded.prompt_ids for encoded in asked if encoded is not None]:
            return prompts
    return probes


def answers(model: Any, prompts: Sequence[list[int]], tokenizer: Any) -> list[list[int]]:
    """Return each prompt's greedy answer as tokens, or its label's number."""
    import torch

    rows = [torch.tensor([prompt], device=model.device) for prompt in prompts]
    with torch.inference_mode():
        if not hasattr(model, "generation_config"):
            return [model(input_ids=row).logits.argmax(-1).tolist() for row in rows]
        return [
            model.generate(
                input_ids=row,
                attention_mask=torch.ones_like(row),
                generation_config=_greedy(tokenizer),
            )[0, row.shape[1] :].tolist()
            for row in rows
        ]


def _greedy(tokenizer: Any) -> Any:
    from transformers import GenerationConfig

    return GenerationConfig(
        max_new_tokens=ANSWER_TOKENS,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def largest_difference(some: Sequence[Any], others: Sequence[Any]) -> float:
    """Return the largest absolute difference between logits of the same texts."""
    return max(float((one - other).abs().max()) for one, other in zip(some, others, strict=True))


def logits(model: Any, tokenizer: Any) -> list[Any]:
    """Return the logits on every probe: (1, tokens, vocabulary), or (1, labels) of a head."""
    import torch

    model.eval()
    with torch.no_grad():
        rows = [tokenizer(text, return_tensors="pt").to(model.device) for text in PROBES]
        return [model(**row).logits.cpu() for row in rows]
