"""One decoding step over tensors that stay where they are, so that a CUDA graph can repeat it.

A step of a small model is hundreds of kernels of a few microseconds, and launching them one by one
takes longer than they do. A graph launches all of them at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tuneproof.errors import first_line

log = logging.getLogger(__name__)
WARM_UP = 2
"""Steps before a graph is captured: libraries allocate their workspaces at the first."""
NEAR = 0.05
"""Largest difference to the plain step's logits that another order of sums explains, as a share of
the largest logit: about the rounding of bfloat16 through some layers."""


class StaticStep:
    """A step of so many rows: each reads one token and attends to all of the cache that it sees."""

    def __init__(
        self, layers: Sequence[Any], starts: Sequence[int], held: int, room: int, device: Any
    ) -> None:
        """Allocate the tensors of a step.

        Args:
            layers: The cache's; what they do not hold yet is cleared, since it is multiplied by 0.
            starts: Where in the cache each row begins.
            held: How many tokens the cache holds.
            room: How many it can hold.
            device: Where the model is.
        """
        dtype, self._layers = layers[0].keys.dtype, layers
        for layer in layers:
            layer.keys[:, :, held:].zero_()
            layer.values[:, :, held:].zero_()
        self._starts = torch.tensor(starts, device=device)[:, None]
        self._index = torch.zeros(1, dtype=torch.long, device=device)
        self._ids = torch.zeros(len(starts), 1, dtype=torch.long, device=device)
        self._positions = torch.zeros_like(self._ids)
        positions = torch.arange(room, device=device)
        hidden = (positions < self._starts) | (positions >= held)
        self._mask = torch.zeros(hidden.shape, dtype=dtype, device=device)
        self._mask.masked_fill_(hidden, torch.finfo(dtype).min)
        self._graph: Any = None
        self._forward: Callable[..., torch.Tensor] | None = None
        self._logits = torch.empty(0)

    def prepare(self, forward: Callable[..., torch.Tensor], new: torch.Tensor, held: int) -> None:
        """Set what computes the logits, and capture it as a graph where the device has graphs.

        Args:
            forward: Takes `ids`, `attention_mask` and `position_ids`, and returns logits.
            new: The tokens that have just been read by the plain step; they are read again.
            held: How many tokens the cache holds with these.
        """
        self._forward = forward
        self._set(new, held)
        if new.device.type == "cuda":
            self._capture(new.device)

    def _compute(self) -> torch.Tensor:
        assert self._forward is not None
        for layer in self._layers:
            layer.index = self._index
        try:
            mask = self._mask[:, None, None]
            return self._forward(self._ids, attention_mask=mask, position_ids=self._positions)
        finally:
            for layer in self._layers:
                layer.index = None

    def _capture(self, device: torch.device) -> None:
        with torch.cuda.device(device):
            usual, aside = torch.cuda.current_stream(), torch.cuda.Stream()
            aside.wait_stream(usual)
            with torch.cuda.stream(aside):
                for _ in range(WARM_UP):
                    self._compute()
            usual.wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(graph, stream=aside):  # its own may be another device's
                    self._logits = self._compute()
            finally:
                torch.cuda.set_stream(usual)  # a capture that fails stays on the other
        self._graph = graph

    def run(self, new: torch.Tensor, held: int) -> torch.Tensor:
        """Read a new token of every row; return the logits after each, valid until the next step.

        Args:
            new: The tokens, shape (rows,).
            held: How many tokens the cache holds with them.
        """
        self._set(new, held)
        for layer in self._layers:
            layer.fill(held, None)
        if self._graph is None:
            self._logits = self._compute()
        else:
            self._graph.replay()
        return self._logits

    def _set(self, new: torch.Tensor, held: int) -> None:
        self._ids.copy_(new[:, None])
        self._index.fill_(held - 1)
        self._positions.copy_((held - 1 - self._starts).clamp(min=0))
        self._mask[:, held - 1] = 0


def static_step(
    layers: Sequence[Any],
    starts: Sequence[int],
    room: int,
    forward: Callable[..., torch.Tensor],
    new: torch.Tensor,
    held: int,
    plain: torch.Tensor,
) -> StaticStep | None:
    """Return a step that can be repeated; None where it does not compute what the plain one did.

    Args:
        layers: The cache's layers, after the plain step.
        starts: Where in the cache each row begins.
        room: How many tokens the cache can hold.
        forward: As for `StaticStep.prepare`.
        new: The tokens that the plain step read.
        held: How many tokens the cache holds with them.
        plain: The logits of the plain step.
    """
    try:
        step = StaticStep(layers, starts, held, room, new.device)
        step.prepare(forward, new, held)
        logits = step.run(new, held)
        difference = float((logits.float() - plain.float()).abs().max())
    except RuntimeError as error:  # no graph of this model's kernels, or no memory for it
        reason = first_line(error)[:200]
        log.info(f"decoding goes on step by step, without a CUDA graph: {reason}")
        return None
    if difference <= NEAR * float(plain.float().abs().max()):
        return step
    log.info(
        "decoding goes on step by step: with a CUDA graph the logits differ by "
        f"{difference:.2g} from those without"
    )
    return None
