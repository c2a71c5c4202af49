"""Turn on the kernels for training, each by its name: one context around the training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tuneproof.kernels.swap import Undo
from tuneproof.models.adapters import core_of

FAST_PATHS = {
    "allocator": "freed memory is kept for the next step",
    "attention": "attention in blocks; of decoders without a mask",
    "dropout": "dropout with cheap random numbers",
    "gelu": "tanh GELU in one kernel",
    "head": "frozen head and cross-entropy together, without a matrix of all logits",
    "linear": "frozen weights cast once (from 4 bits: for every product), LoRA in three products",
    "packing": "no padding, and a prefix that all texts of a batch share once",
}
"""Every kernel by its name, and what it does; they are turned on in another order."""
LEFT_OUT = {
    "allocator": "the system has no glibc",
    "attention": "the model's attention does not come out the same by it",
    "dropout": "the model has no dropout but that of its attention",
    "gelu": "the model has no tanh GELU of its own code",
    "head": "the head is trained, has a bias, or is not all that makes the logits",
    "linear": "no frozen linear layer is of a kind it knows",
    "packing": "the model mixes the texts of a row, or sees what is not a completion",
}
"""Why a kernel is not used, as far as a model decides."""

CPU_ONLY = FAST_PATHS.keys() - {"head", "linear"}
"""Those that torch's own kernels for other devices do better, or that they have no need of."""


@dataclass(frozen=True, kw_only=True)
class FastPaths:
    """What is turned on, for the trainer that computes the loss."""

    used: Mapping[str, int] = field(default_factory=dict)
    """How many modules each kernel has replaced, by the kernel's name."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Why the other kernels are not used, by name."""
    head_loss: Callable[..., Any] | None = None
    """Takes hidden states (tokens, width), targets (tokens,), which tokens would be repetitions
    (tokens, tokens) or None, and the weight of the unlikelihood loss; returns every token's loss
    (tokens,) in nats. It is the model's head, so that hooks on it see what goes through."""
    packing: bool = False
    """Whether the model's decoder takes a batch as one row, see packing.py."""

    def described(self) -> str:
        """Return what is used and what is not, and why, as a sentence."""
        reasons = [f"{name} ({reason})" for name, reason in self.left_out.items()]
        line = f"fast paths: {', '.join(sorted(self.used)) or 'none'}"
        return f"{line}; not used: {', '.join(reasons)}" if reasons else line


PLAIN = FastPaths()
"""Nothing is turned on."""


@contextmanager
def fast_paths(
    model: Any, without: Sequence[str] = (), *, is_short: bool = True
) -> Iterator[FastPaths]:
    """Compute faster while the block runs; yield what is turned on.

    All of it on a CPU. Elsewhere torch's own kernels are the fast ones, and what is turned on is
    the head, which saves the memory of all logits, and the linear layers: a GPU waits for Python
    where a model is small, and this launches fewer kernels.

    Args:
        model: A model in training, its batches padded on the right; PEFT's wrapper or not.
        without: Names of the kernels that are left out.
        is_short: Whether completions are trained by hidden states and the output head, so that the
            head's kernel and packing serve for anything.
    """
    base = core_of(model)
    undo: list[Undo] = []
    try:
        if base.device.type == "cpu":
            yield _turned_on(base, set(without), undo, is_short=is_short)
        else:
            paths = _turned_on(base, set(without) | CPU_ONLY, undo, is_short=is_short)
            for_cpus = dict.fromkeys(CPU_ONLY - set(without), "it is for CPUs")
            yield replace(paths, left_out={**paths.left_out, **for_cpus})
    finally:
        for take_back in reversed(undo):
            take_back()


def _turned_on(model: Any, without: set[str], undo: list[Undo], *, is_short: bool) -> FastPaths:
    """Turn the kernels on, and append what takes each change back."""
    from tuneproof.kernels.cross_entropy import use_head_loss
    from tuneproof.kernels.elementwise import use_fast_dropout, use_fused_gelu
    from tuneproof.kernels.linear import cast_frozen_weights_once
    from tuneproof.kernels.memory import keep_freed_memory
    from tuneproof.kernels.training_attention import attend_in_blocks, takes_packed

    switches: dict[str, Callable[[Any], list[Undo]]] = {
        "allocator": lambda model: keep_freed_memory(),
        "attention": attend_in_blocks,
        "dropout": use_fast_dropout,
        "gelu": use_fused_gelu,
        "head": use_head_loss,
        "linear": cast_frozen_weights_once,  # it leaves the head to the kernel above
    }
    used: dict[str, int] = {}
    useless = set() if is_short else {"head", "packing"}
    for name, turn_on in switches.items():
        changes = [] if name in without | useless else turn_on(model)
        undo.extend(changes)
        if changes:
            used[name] = len(changes)
    head_loss = None
    if "head" in used:
        head_loss = model.get_output_embeddings()
        used["head"] += 1  # the trainer's loss
    packing = "packing" not in without | useless and takes_packed(model)
    if packing:
        used["packing"] = 1  # the trainer's batches
    left_out = {
        name: "it was left out by --no-fast-path" if name in without else reason
        for name, reason in LEFT_OUT.items()
        if name not in used
    }
    return FastPaths(used=used, left_out=left_out, head_loss=head_loss, packing=packing)
