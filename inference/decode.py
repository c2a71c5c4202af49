"""A lean decoding loop: the same tokens as transformers' `generate`, with less copying.

`generate` appends every new key and value to tensors that it copies whole at every step, and goes
on with all rows until the last one ends. Here the cache is allocated once and written in place, and
rows that have ended leave the batch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from inference.config import Decoding

Router = Callable[[Sequence[int]], dict[str, Any]]
"""Returns what the model needs to know about the given rows: which adapter each goes through."""
SHRINK = 0.75
"""The batch is made smaller when no more than this share of its rows is still going on."""


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """The keys and values of one layer, in tensors that have room for all that will come."""

    def __init__(self, room: int) -> None:
        """Note how many tokens there will be at most."""
        super().__init__()
        self._room = room
        self._held = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new keys and values, both (rows, heads, tokens, width), behind those held."""
        if self._held == 0:
            rows, heads, _, width = key_states.shape
            self.keys = key_states.new_empty(rows, heads, self._room, width)
            self.values = value_states.new_empty(rows, heads, self._room, value_states.shape[-1])
            self.dtype, self.device = key_states.dtype, key_states.device
            self.is_initialized = True
        start, self._held = self._held, self._held + key_states.shape[-2]
        self.keys[:, :, start : self._held] = key_states
        self.values[:, :, start : self._held] = value_states
        return self.keys[:, :, : self._held], self.values[:, :, : self._held]

    def get_seq_length(self) -> int:
        """Return how many tokens are held."""
        return self._held


def can_decode(model: Any) -> bool:
    """Return whether every layer of the model keeps all keys and values, as GPT-2 and Llama do."""
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    layers = DynamicCache(config=core.config).layers
    taken = inspect.signature(core.forward).parameters
    return (
        bool(layers)
        and all(type(layer) is DynamicLayer for layer in layers)
        and {"position_ids", "logits_to_keep"} <= taken.keys()
    )


@torch.inference_mode()  # type: ignore[untyped-decorator]
def decode(
    model: Any,
    ids: torch.Tensor,
    mask: torch.Tensor,
    route: Router,
    stops: set[int],
    decoding: Decoding,
) -> list[list[int]]:
    """Return each row's new tokens; the last one is a stop token unless the limit was reached.

    Args:
        model: A causal language model in eval mode for which `can_decode` is true.
        ids: Prompts, padded on the left, shape (rows, tokens).
        mask: 0 on padding, shape (rows, tokens).
        route: What the model is told about the rows that are still going on.
        stops: Tokens that end an answer.
        decoding: How tokens are chosen.
    """
    rows = list(range(len(ids)))  # the row of the result that each row of the batch belongs to
    found: list[list[int]] = [[] for _ in rows]
    room = ids.shape[1] + decoding.max_new_tokens
    count = model.config.get_text_config().num_hidden_layers
    cache = Cache(layers=[RoomyLayer(room) for _ in range(count)])
    position = (mask.cumsum(1) - 1).clamp(min=0)
    mask = torch.nn.functional.pad(mask, (0, decoding.max_new_tokens), value=1)
    step, told = ids, route(rows)
    for length in range(ids.shape[1], room):
        logits = model(
            input_ids=step,
            attention_mask=mask[:, :length],
            position_ids=position,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            **told,
        ).logits[:, -1]
        new = _chosen(logits, decoding)
        going = []
        for place, token in enumerate(new.tolist()):
            answer = found[rows[place]]
            if answer and answer[-1] in stops:
                continue
            answer.append(token)
            if token not in stops:
                going.append(place)
        if not going:
            break
        step, position = new[:, None], position[:, -1:] + 1
        if len(going) <= SHRINK * len(rows):
            kept = torch.tensor(going, device=ids.device)
            step, position, mask = step[kept], position[kept], mask[kept]
            cache.batch_select_indices(kept)
            rows = [rows[place] for place in going]
            told = route(rows)
    return found


def _chosen(logits: torch.Tensor, decoding: Decoding) -> torch.Tensor:
    """Return the next token of each row, shape (rows,), for logits of (rows, vocabulary)."""
    if not decoding.do_sample:
        return logits.argmax(-1)
    from transformers import TopPLogitsWarper

    warped = logits.float() / decoding.temperature
    if decoding.top_p < 1:
        warped = TopPLogitsWarper(decoding.top_p)(None, warped)
    return torch.multinomial(warped.softmax(-1), 1)[:, 0]
