"""A tokenizer as GGUF metadata: tokens, merges, special tokens, chat template."""

from __future__ import annotations

import json
from typing import Any

from tuneproof.errors import InputError
from tuneproof.models.gguf import SPLITS

PADDING = "[PAD{}]"
"""What llama.cpp calls rows of the embeddings that no token has."""


def add_tokenizer(writer: Any, tokenizer: Any, stops: list[int], rows: int) -> None:
    """Add a byte-level BPE tokenizer to a GGUF file that is being written.

    Args:
        writer: gguf's GGUFWriter.
        tokenizer: A fast tokenizer; its chat template is the one that is written.
        stops: Tokens that end an answer, the main one first.
        rows: Number of embeddings, which may be more than there are tokens.

    Raises:
        InputError: It is of another kind, or splits texts in a way that llama.cpp has no name for.
    """
    from gguf import TokenType

    state = json.loads(tokenizer.backend_tokenizer.to_str())
    splitter = splitter_of(state)
    added = tokenizer.added_tokens_decoder
    tokens = {number: token for token, number in tokenizer.get_vocab().items()}
    listed, types = [], []
    for number in range(rows):
        listed.append(tokens.get(number, PADDING.format(number)))
        if number not in tokens:
            types.append(TokenType.UNUSED)
        elif number in added:
            special = added[number].special
            types.append(TokenType.CONTROL if special else TokenType.USER_DEFINED)
        else:
            types.append(TokenType.NORMAL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splitter)
    writer.add_token_list(listed)
    writer.add_token_types(types)
    merges = state["model"]["merges"]
    writer.add_token_merges([one if isinstance(one, str) else " ".join(one) for one in merges])
    _add_special(writer, tokenizer, stops)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _add_special(writer: Any, tokenizer: Any, stops: list[int]) -> None:
    """Add the numbers of the special tokens, and whether texts begin or end with one."""
    writer.add_eos_token_id(stops[0])
    if len(stops) > 1:  # llama.cpp ends an answer at either
        writer.add_eot_token_id(stops[1])
    known = {
        "bos": tokenizer.bos_token_id,
        "pad": tokenizer.pad_token_id,
        "unk": tokenizer.unk_token_id,
    }
    for name, number in known.items():
        if number is not None:
            getattr(writer, f"add_{name}_token_id")(number)
    writer.add_add_bos_token(begins_with_bos(tokenizer))
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)


def begins_with_bos(tokenizer: Any) -> bool:
    """Return whether a tokenizer begins every text with BOS."""
    bos = tokenizer.bos_token_id
    return bos is not None and tokenizer("a")["input_ids"][:1] == [bos]


def splitter_of(state: dict[str, Any]) -> str:
    """Return llama.cpp's name for how a tokenizer splits texts before it merges bytes.

    Args:
        state: The content of a tokenizer.json.

    Raises:
        InputError: llama.cpp has no name for it here.
    """
    model, before = state["model"], state.get("pre_tokenizer") or {}
    parts = before.get("pretokenizers", [before])
    kinds = [part.get("type") for part in parts]
    if model.get("type") != "BPE" or not kinds or kinds[-1] != "ByteLevel":
        raise InputError(
            f"the tokenizer is a {model.get('type')} model over {' and '.join(map(str, kinds))}; "
            "only byte-level BPE (GPT-2, SmolLM, Llama 3, Qwen) is written to GGUF. "
            "`--to safetensors` or `--to vllm` takes any"
        )
    if kinds == ["ByteLevel"] and parts[0].get("use_regex", True):
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"] and parts[0].get("individual_digits"):
        return "smollm"
    pattern = parts[0].get("pattern", {}).get("Regex") if kinds == ["Split", "ByteLevel"] else None
    for name, known in SPLITS.items():
        if pattern == known:
            return name
    raise InputError(
        f"the tokenizer splits texts by {' and '.join(map(str, kinds))} in a way that llama.cpp "
        "has no name for; `--to safetensors` or `--to vllm` takes any"
    )
