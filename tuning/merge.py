"""Merging an adapter into its base, and proving that nothing changed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.quiet import quiet_libraries
from inference import models
from inference.finished import is_classifier
from inference.heads import load_tokenizer
from tuning.runs import Run

TOLERANCE = 1e-3
"""Largest logit difference in float32 that rounding explains."""
PROBES = (
    "The quick brown fox jumps over the lazy dog.",
    "### Instruction:\nName three colours.\n\n### Response:\n",
    "Revenue was 12.4% higher than in 2009, at $ 1,203 million.",
)


def merge_run(run: Run, out: Path) -> float:
    """Write the merged model in float32 with its tokenizer, whole or not at all.

    Args:
        run: A finished run.
        out: The folder to write; it must not exist or be empty.

    Returns:
        The largest absolute difference between the logits of the merged file, loaded again, and
        of base + adapter, over a few probe texts.

    Raises:
        InputError: The run is not finished, its base has changed, the folder is not empty, or the
            difference is more than rounding explains.
    """
    out = out.absolute()
    _check(run, out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        merged = Path(folder) / "merged"
        difference = _write(run, merged)
        if not difference <= TOLERANCE:
            raise InputError(
                f"the merged model's logits differ from base + adapter by {difference:.2g} "
                f"(more than {TOLERANCE:.0e}); nothing was written"
            )
        if out.exists():
            out.rmdir()
        merged.rename(out)
    return difference


def _check(run: Run, out: Path) -> None:
    if run.saved != run.adapter:
        raise InputError(
            f"run {run.name!r} trained all weights: {run.saved} is the whole model, and there is "
            "nothing to merge"
        )
    if run.facts["state"] != "finished":
        raise InputError(
            f"run {run.name!r} is not finished (it is {run.facts['state']}); "
            "the same `tune run` command goes on with it"
        )
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise InputError(f"{out} is not empty; choose another --out")
    base = run.facts["base"]
    if models.weights_hash(base["model"]) != base["weights_sha256"]:
        raise InputError(
            f"the weights of {base['model']!r} are not those that {run.name!r} was trained on"
        )


def _write(run: Run, merged: Path) -> float:
    """Write the merged model; return its largest logit difference from base + adapter."""
    quiet_libraries()  # before PEFT loads bitsandbytes
    from peft import PeftModel

    tokenizer, model = _load(run, run.facts["base"]["model"])
    adapted = PeftModel.from_pretrained(model, str(run.adapter)).eval()
    before = _logits(adapted, tokenizer)
    adapted.merge_and_unload().save_pretrained(str(merged))
    tokenizer.save_pretrained(str(merged))
    after = _logits(_load(run, str(merged))[1], tokenizer)
    return max(float((one - other).abs().max()) for one, other in zip(before, after, strict=True))


def _load(run: Run, place: str) -> tuple[Any, Any]:
    """Return tokenizer and model of the run's kind in float32, from its base or a merged folder."""
    if not is_classifier(run.facts):
        return models.load_tokenizer(place), models.load_model(place, dtype="float32", device="cpu")
    tokenizer, labels = load_tokenizer(place), run.facts["head"]["labels"]
    pad = tokenizer.pad_token_id
    return tokenizer, models.load_classifier(
        place, labels, pad_token_id=pad, dtype="float32", device="cpu"
    )[0]


def _logits(model: Any, tokenizer: Any) -> list[Any]:
    """Return the logits on every probe: (1, tokens, vocabulary), or (1, labels) of a head."""
    import torch

    model.eval()
    with torch.no_grad():
        return [model(**tokenizer(text, return_tensors="pt")).logits for text in PROBES]
