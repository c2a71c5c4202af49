"""Models that read trained virtual tokens before every text: prompt tuning and prefix tuning.

PEFT's own generation with them drops the positions of a left-padded batch. Here the virtual tokens
are in the cache before the first token is read, so that such models are called like any other.
"""

from __future__ import annotations

from typing import Any

from tuneproof.errors import InputError


def virtual_tokens_of(model: Any) -> int:
    """Return how many trained virtual tokens a model reads before every text."""
    from peft import PeftModel

    if not isinstance(model, PeftModel) or not model.active_peft_config.is_prompt_learning:
        return 0
    return int(model.active_peft_config.num_virtual_tokens)


class VirtualTokens:
    """A PEFT model with virtual tokens, to be called like the model below it."""

    def __init__(self, adapted: Any) -> None:
        """Take PEFT's model; it must be in eval mode."""
        self._adapted = adapted
        self._core = adapted.get_base_model()
        self.count = virtual_tokens_of(adapted)
        """Virtual tokens before every text."""

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the model below, such as its config or device."""
        return getattr(self._core, name)

    def get_base_model(self) -> Any:
        """Return the model below."""
        return self._core

    def generate(self, **_: Any) -> Any:
        """Refuse: transformers' own loop would leave the virtual tokens out."""
        raise InputError(
            f"{type(self._core).__name__} does not keep all keys and values; it cannot be asked "
            "with virtual tokens before the text"
        )

    def __call__(
        self,
        *,
        input_ids: Any,
        attention_mask: Any = None,
        position_ids: Any = None,
        past_key_values: Any = None,
        **others: Any,
    ) -> Any:
        """Return the model's output with the virtual tokens before every row.

        Args:
            input_ids: Tokens, padded on the left, shape (rows, tokens).
            attention_mask: 0 on padding, shape (rows, tokens read so far and now); or what is
                added to the attention scores, shape (rows, 1, tokens, tokens read). None where
                nothing is padded and nothing has been read.
            position_ids: Positions without the virtual tokens, shape (rows, tokens); needed where
                something is padded or has been read.
            past_key_values: A cache; where nothing has been read yet, the virtual tokens go first.
            others: Further arguments of the model.
        """
        import torch
        from transformers import DynamicCache

        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        cache = DynamicCache() if past_key_values is None else past_key_values
        if cache.get_seq_length() == 0:
            cache.layers = self._read(len(input_ids)).layers
        if attention_mask.dim() == 2:
            seen = attention_mask.new_ones(len(attention_mask), self.count)
        else:
            seen = attention_mask.new_zeros(*attention_mask.shape[:-1], self.count)
        return self._core(
            input_ids=input_ids,
            attention_mask=torch.cat([seen, attention_mask], -1),
            position_ids=position_ids + self.count,
            past_key_values=cache,
            **others,
        )

    def _read(self, rows: int) -> Any:
        """Return the cache of a model that has read the virtual tokens, for so many rows."""
        prompt = self._adapted.get_prompt(batch_size=rows)
        if hasattr(prompt, "layers"):  # keys and values: a cache already
            return prompt
        embeddings = prompt.to(self._core.get_input_embeddings().weight.dtype)
        return self._core(inputs_embeds=embeddings, use_cache=True).past_key_values
