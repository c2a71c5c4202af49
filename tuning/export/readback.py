"""Read a GGUF file back, and compare it with the model that it was written from."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.run import Run
from tuneproof.models import load as models
from tuneproof.models.device import release
from tuneproof.models.gguf import convert
from tuneproof.tuning.export.gguf import stop_ids
from tuneproof.tuning.probes import PROBES, answers, held_out, largest_difference, logits

TOLERANCE = 1e-3
"""Largest logit difference in float32 that the order of additions explains."""


@dataclass(frozen=True, kw_only=True)
class ReadBack:
    """How a GGUF file, read by transformers, compares with the merged model."""

    difference: float
    """Largest absolute difference of logits to the merged model with weights rounded likewise, over
    a few probe texts: what the writing changed."""
    rounding_difference: float
    """The same to the merged model as it is: what the rounding changed."""
    same_answers: int
    """Held-out prompts that both answer by the same tokens, greedily."""
    prompts: int
    """Number of those prompts."""

    def lines(self) -> list[str]:
        """Return the comparison in words."""
        return [
            "read back: tokens, special tokens and chat template are the same",
            f"largest logit difference by writing and reading: {self.difference:.1e}; "
            f"by rounding the weights: {self.rounding_difference:.1e}",
            f"greedy answers that are the same: {self.same_answers} of {self.prompts}",
        ]


def read_back(
    file: Path, folder: Path, rounded: Mapping[str, Any], run: Run, device: str
) -> ReadBack:
    """Compare a GGUF file with the folder that it was written from.

    Args:
        file: The file.
        folder: The merged model in safetensors.
        rounded: The weights as the file should hold them, by transformers' names.
        run: Its held-out prompts are asked.
        device: Where both are computed.

    Raises:
        InputError: Tokens, special tokens, chat template or logits are not the same.
    """
    import torch

    tokenizer = models.load_tokenizer(str(folder))
    prompts = held_out(run, tokenizer)
    model = models.load_model(str(folder), dtype="float32", device=device).eval()
    before = logits(model, tokenizer), answers(model, prompts, tokenizer)
    with torch.no_grad():
        for key, value in model.state_dict().items():
            if key in rounded:
                value.copy_(torch.from_numpy(rounded[key]))
    expected = logits(model, tokenizer)
    del model
    release(device)
    with tempfile.TemporaryDirectory() as temporary:
        again = Path(temporary)
        convert(file, again)
        _check_tokenizer(tokenizer, models.load_tokenizer(str(again)), prompts)
        _check_stops(folder, again, tokenizer)
        model = models.load_model(str(again), dtype="float32", device=device).eval()
        after = logits(model, tokenizer), answers(model, prompts, tokenizer)
    result = ReadBack(
        difference=largest_difference(expected, after[0]),
        rounding_difference=largest_difference(before[0], after[0]),
        same_answers=sum(one == other for one, other in zip(before[1], after[1], strict=True)),
        prompts=len(prompts),
    )
    if not result.difference <= TOLERANCE:
        raise InputError(
            f"the GGUF file's logits differ from its weights' by {result.difference:.2g} (more "
            f"than {TOLERANCE:.0e}); nothing was written"
        )
    return result


def _check_tokenizer(ours: Any, theirs: Any, prompts: list[list[int]]) -> None:
    """Raise InputError where a text becomes other tokens, or a token means something else."""
    texts = [*PROBES, *(ours.decode(prompt) for prompt in prompts), "\n\n12  Ünlü 🙂\t'll"]
    for text in texts:
        one, other = ours(text)["input_ids"], theirs(text)["input_ids"]
        if one != other:
            raise InputError(
                f"the GGUF file's tokenizer makes other tokens of {text[:60]!r}: {other[:12]}, and "
                f"the model was trained on {one[:12]}; nothing was written"
            )
    for name in ("eos_token_id", "bos_token_id", "chat_template"):
        one, other = getattr(ours, name), getattr(theirs, name)
        if one != other:
            raise InputError(
                f"the GGUF file's {name} is {other!r}, and the model's {one!r}; nothing was written"
            )


def _check_stops(folder: Path, again: Path, tokenizer: Any) -> None:
    """Raise InputError where no answer would end; GGUF has room for two tokens that end one."""
    stops = stop_ids(folder, tokenizer)
    if stop_ids(again, tokenizer)[0] != stops[0]:
        raise InputError("the GGUF file has lost the token that ends an answer")
    if len(stops) > 2:
        listed = ", ".join(map(repr, map(tokenizer.decode, stops)))
        raise InputError(f"GGUF has room for two tokens that end an answer, and there are {listed}")
