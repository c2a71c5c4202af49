"""What a training keeps for the backward pass: counted as a few tokens go through the model."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from tuneproof import ranks
from tuneproof.models.adapters import core_of
from tuneproof.models.virtual_tokens import virtual_tokens_of
from tuneproof.prompts.fit import IGNORED
from tuneproof.tuning.cost.flops import gpus_of
from tuneproof.tuning.rows import lengths

PROBED = (8, 16, 32)
"""Tokens of the texts that are counted: what grows with the tokens, and with their square."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Bytes that a forward pass leaves for the backward pass, the output head apart."""

    per_token: float
    """For each token that goes through the layers."""
    per_pair: float
    """For each query and key whose score attention keeps; 0 where it computes them again."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """A batch as the parts of a model see it."""

    tokens: int
    """Tokens that go through the layers: with padding, or packed into one row."""
    pairs: int
    """Queries and keys whose scores attention keeps, where it keeps any."""
    trained: int
    """Tokens that go through the output head."""


def kept_by(model: Any, products: str, *, reaches_layers: bool = True) -> Kept:
    """Return what a model's layers keep with the kernels that are turned on.

    What does not grow with the tokens, such as cast weights, is left out.

    Args:
        model: With its adapter; on ``meta`` nothing is computed.
        products: The dtype of matrix products.
        reaches_layers: Whether gradients go through the layers, and not to a head alone.
    """
    import numpy as np

    if not reaches_layers:
        return Kept(per_token=0.0, per_pair=0.0)
    counts = [_kept_bytes(model, products, tokens) for tokens in PROBED]
    _, per_token, per_pair = np.linalg.solve(np.vander(PROBED, increasing=True), counts)
    return Kept(per_token=float(per_token), per_pair=max(0.0, round(float(per_pair), 3)))


def _kept_bytes(model: Any, products: str, tokens: int) -> int:
    """Return the bytes of all tensors that autograd keeps of a text, each storage counted once."""
    import torch

    core = core_of(model)
    ids = torch.ones(1, tokens, dtype=torch.long, device=model.device)
    is_real = model.device.type != "meta"
    given = {"attention_mask": torch.ones_like(ids)} if is_real else {}
    sizes: dict[int, int] = {}

    def note(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        sizes[storage._cdata] = storage.nbytes()
        return value

    dtype = getattr(torch, products)
    is_cast = is_real and dtype != torch.float32
    cast = torch.autocast(model.device.type, dtype) if is_cast else nullcontext()
    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda value: value)
    handle = core.get_input_embeddings().register_forward_hook(_with_gradient)
    was_training = model.training
    try:
        with torch.random.fork_rng(gpus_of(model)), torch.enable_grad(), cast, hooks:
            output = core.train().base_model(input_ids=ids, **given)
            _use_head(core, output)
    finally:
        model.train(was_training)
        handle.remove()
    del output  # the tensors live until here, so that none has the address of another
    return sum(sizes.values())


def _use_head(core: Any, output: Any) -> None:
    """Send one token through the output head: its weights are read and cast, and held from now."""
    import torch

    head = core.get_output_embeddings()
    if head is not None:
        with torch.no_grad():
            head(output[0][:, -1:])


def _with_gradient(module: Any, inputs: Any, output: Any) -> None:
    """Let gradients reach the embeddings, as they do those of prompts that are trained."""
    output.requires_grad_()


def largest_batch(trainer: Any, size: int) -> Load:
    """Return the largest batch of a training's first epoch, as the kernels turned on take it.

    Args:
        trainer: Knows the examples, and in which order they come.
        size: Examples of a batch.
    """
    dataset, world = trainer.train_dataset, ranks.world_size()
    tokens, order = lengths(dataset), list(trainer._get_train_sampler())
    is_packed, step = trainer.paths.packing, size * world

    def total(rows: list[int]) -> int:
        of_rows = tokens[rows]
        return int(of_rows.sum() if is_packed else len(rows) * of_rows.max())

    batches = (order[start : start + step : world] for start in range(0, len(order), step))
    inputs = trainer.data_collator([dataset[index] for index in max(batches, key=total)])
    ids, labels = inputs["input_ids"], inputs["labels"]
    trained = int((labels[:, 1:] != IGNORED).sum()) if labels.dim() == 2 else len(labels)
    if is_packed:
        from tuneproof.kernels.packing import packing

        packed = packing(ids, inputs["attention_mask"].sum(1).tolist())
        return Load(tokens=packed.positions, pairs=packed.scores, trained=trained)
    rows, longest = ids.shape
    return padded(trainer.model, rows, longest + virtual_tokens_of(trainer.model), trained)


def padded(model: Any, rows: int, longest: int, trained: int) -> Load:
    """Return a batch whose rows are filled up to the longest.

    Args:
        model: How it attends decides which scores there are.
        rows: Examples.
        longest: Tokens of each, virtual ones included.
        trained: Tokens that go through the output head.
    """
    from tuneproof.kernels.block_attention import CAUSAL, scores

    is_causal = getattr(model.config, "_attn_implementation", None) == CAUSAL
    pairs = rows * scores(longest, longest, is_causal=is_causal)
    return Load(tokens=rows * longest, pairs=pairs, trained=trained)
