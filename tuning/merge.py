"""Merge an adapter into its base, and check that logits and answers stay the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, is_out_of_memory
from tuneproof.files import is_occupied, new_folder
from tuneproof.formats.run import FourBit, Run
from tuneproof.locks import at_work
from tuneproof.log import quiet_libraries
from tuneproof.models import load as models
from tuneproof.models.adapters import can_merge, with_adapter
from tuneproof.models.device import Dtype, choose_device, release
from tuneproof.models.weights import check_base, check_saved, weight_files
from tuneproof.prompts.export import ask_as_trained
from tuneproof.tuning.card import write_card
from tuneproof.tuning.probes import answers, held_out, largest_difference, logits

STORED_DTYPES: dict[str, Dtype] = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
"""What safetensors calls the dtypes that a merged model is stored in; any other becomes float32."""
TOLERANCE = 1e-3
"""Largest logit difference in float32 that rounding explains."""


@dataclass(frozen=True, kw_only=True)
class Merged:
    """How a merged model compares with base and adapter."""

    difference: float
    """Largest absolute difference between the logits of the merged model and of full-precision base
    + adapter, over a few probe texts; both in float32. Where the file is in float32, it is loaded
    again for that."""
    same_answers: int
    """Held-out prompts that both answer by the same tokens, greedily; of a head, probes labelled
    the same."""
    prompts: int
    """Number of those prompts or probes."""
    quantization_difference: float | None = None
    """The same difference to the 4-bit base + adapter that was trained, where there is one: what
    the quantisation changed, not the merge."""
    dtype: str = "float32"
    """What the file's weights are stored in: as the base's are."""
    rounding_difference: float | None = None
    """Largest difference between the logits of the file, loaded again, and of base + adapter, where
    weights are stored in fewer bits than float32: what rounding them changed, not the merge."""

    def lines(self) -> list[str]:
        """Return the comparison in words."""
        lines = [
            f"largest logit difference from base + adapter: {self.difference:.1e}",
            f"greedy answers that are the same: {self.same_answers} of {self.prompts}",
        ]
        if self.rounding_difference is not None:
            lines.insert(
                1,
                f"largest logit difference after rounding the weights to {self.dtype}, as the "
                f"base's are: {self.rounding_difference:.1e}",
            )
        if self.quantization_difference is not None:
            lines.append(
                "largest logit difference from the 4-bit model that was trained: "
                f"{self.quantization_difference:.1e} (the quantisation's, not the merge's)"
            )
        return lines


def merge_run(run: Run, out: Path, *, device: str | None = None) -> Merged:
    """Write the merged model in the base's dtype with its tokenizer, whole or not at all.

    The adapter is added in float32. A run whose base was in 4 bits is merged into the
    full-precision base.

    Args:
        run: A finished run.
        out: The folder to write; it must not exist or be empty.
        device: Where it is added and compared, as in `load_model`.

    Raises:
        InputError: The run is not finished, its base has changed, the folder is not empty, there is
            nothing to merge, the difference is more than rounding explains, or another process is
            writing there.
    """
    out, device = out.absolute(), choose_device(device)
    with at_work(out):
        _check(run, out)
        with new_folder(out) as folder:
            try:
                result = _write(run, folder, device)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                raise InputError(
                    f"merging in float32 needs more memory than is free on {device}"
                    + ("" if device == "cpu" else "; give --device cpu")
                ) from error
            write_card(run, folder, form="model")
            if not result.difference <= TOLERANCE:
                raise InputError(
                    "the merged model's logits differ from base + adapter by "
                    f"{result.difference:.2g} (more than {TOLERANCE:.0e}); nothing was written"
                )
    return result


def _check(run: Run, out: Path) -> None:
    run.check_finished()
    if run.is_whole:
        raise InputError(
            f"run {run.name!r} trained all weights: {run.saved} is the whole model, and there is "
            "nothing to merge"
        )
    if not can_merge(run.adapter):
        raise InputError(
            f"run {run.name!r} trained virtual tokens, which are no part of the weights; there is "
            "nothing to merge"
        )
    if is_occupied(out):
        raise InputError(f"{out} is not empty; choose another --out")
    check_saved(run)
    check_base(run)
    if models.stored_four_bit(run.base.model):
        raise InputError(
            f"the base {run.base.model!r} is stored in 4 bits, into which an adapter cannot be "
            "merged without loss; train on the base in full precision (`--load-in-4bit` holds it "
            "in 4 bits while it is trained), or serve base and adapter apart"
        )


def _write(run: Run, folder: Path, device: str) -> Merged:
    """Write the merged model, and compare it with base and adapter."""
    quiet_libraries()  # before PEFT loads bitsandbytes
    base, dtype = run.base.model, stored_dtype(run.base.model)
    tokenizer, model = _load(run, base, device)
    adapted = with_adapter(model, run.adapter).eval()
    prompts = held_out(run, tokenizer)
    before = logits(adapted, tokenizer), answers(adapted, prompts, tokenizer)
    whole = adapted.merge_and_unload()
    unrounded = logits(whole, tokenizer) if dtype != "float32" else None
    if run.template is not None:
        ask_as_trained(whole, tokenizer, run.template)
    rounded = _save(whole, tokenizer, folder, dtype)
    del model, adapted, whole  # room for the merged one
    release(device)
    again = _load(run, str(folder), device)[1].eval()
    after = logits(again, tokenizer), answers(again, prompts, tokenizer)
    del again
    release(device)
    difference = largest_difference(before[0], unrounded or after[0])
    if unrounded is not None:  # and the file must hold what was rounded, no more and no less
        difference = max(difference, largest_difference(rounded, after[0]))
    trained = None
    if run.quantization is not None:
        quantized = with_adapter(_load(run, base, device, run.quantization)[1], run.adapter).eval()
        trained = largest_difference(logits(quantized, tokenizer), after[0])
    return Merged(
        difference=difference,
        same_answers=sum(one == other for one, other in zip(before[1], after[1], strict=True)),
        prompts=len(prompts),
        quantization_difference=trained,
        dtype=dtype,
        rounding_difference=(
            None if unrounded is None else largest_difference(before[0], after[0])
        ),
    )


def _save(whole: Any, tokenizer: Any, folder: Path, dtype: Dtype) -> list[Any]:
    """Write a model in a dtype with its tokenizer; return the logits of the rounded weights."""
    import torch

    for value in whole.parameters():  # and no buffers: rotary frequencies must not be rounded
        value.data = value.data.to(getattr(torch, dtype))
    whole.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return logits(whole.float(), tokenizer) if dtype != "float32" else []


def stored_dtype(model: str) -> Dtype:
    """Return the dtype in which most of a base's weights are stored; float32 of any other."""
    from safetensors import safe_open

    sizes: Counter[Dtype] = Counter()
    for file in weight_files(model):
        with safe_open(str(file), "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - no mapping
                value = tensors.get_slice(name)
                sizes[STORED_DTYPES.get(value.get_dtype(), "float32")] += prod(value.get_shape())
    return sizes.most_common(1)[0][0] if sizes else "float32"


def _load(run: Run, source: str, device: str, held: FourBit | None = None) -> tuple[Any, Any]:
    """Return tokenizer and model of the run's kind in float32, from its base or a merged folder."""
    how: dict[str, Any] = {"dtype": "float32", "device": device, "four_bit": held}
    if run.head is None:
        return models.load_tokenizer(source), models.load_model(source, **how)
    tokenizer = models.load_tokenizer(source, purpose="classify")
    pad = tokenizer.pad_token_id
    return tokenizer, models.load_classifier(source, run.head.labels, pad_token_id=pad, **how)[0]
