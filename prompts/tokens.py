"""Text to tokens: where it begins, where it goes on, and where names of control tokens are text."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tuneproof.prompts.render import GAP, control_tokens


def following(tokenizer: Any, text: str, after: str) -> list[int]:
    """Return the tokens of a text that goes on, without the space that some tokenizers put first.

    Tokenizers made with SentencePiece (Llama 2, Mistral, Phi-3) put a space before every text. In
    the middle of one there is none: their own template, rendered whole, has none there either.
    """
    if not after or not _puts_space_first(tokenizer):
        return text_ids(tokenizer, text)
    pattern = control_tokens(tokenizer)
    marks = list(pattern.finditer(after)) if pattern else []
    begin = marks[-1][0] if marks and marks[-1].end() == len(after) else "\n"
    known, ids = text_ids(tokenizer, begin), text_ids(tokenizer, begin + text)
    return ids[len(known) :] if ids[: len(known)] == known else text_ids(tokenizer, text)


@lru_cache(maxsize=16)
def _puts_space_first(tokenizer: Any) -> bool:
    first: str = tokenizer.tokenize("a")[0]
    return first[0] in ("\N{LOWER ONE EIGHTH BLOCK}", "\N{LATIN CAPITAL LETTER G WITH DOT ABOVE}")


def begun(tokenizer: Any, text: str) -> list[int]:
    """Return the tokens of a text, with the BOS that the tokenizer begins texts with.

    A BOS that the template writes is not doubled, and no EOS closes the text, since it goes on.
    """
    bos = getattr(tokenizer, "bos_token", None)
    if bos and text.startswith(bos):
        return text_ids(tokenizer, text)
    if GAP in text:
        around: list[int] = tokenizer("", verbose=False)["input_ids"]
        return _unclosed(tokenizer, around) + text_ids(tokenizer, text)
    return _unclosed(tokenizer, tokenizer(text, verbose=False)["input_ids"])


def _unclosed(tokenizer: Any, ids: list[int]) -> list[int]:
    """Return the tokens without the EOS that some tokenizers put behind every text."""
    is_closed = len(ids) > 1 and ids[-1] == tokenizer.eos_token_id
    return ids[:-1] if is_closed else ids


def text_ids(tokenizer: Any, text: str) -> list[int]:
    """Return the tokens of a text; control tokens that `GAP` breaks up become plain text."""
    if GAP not in text:
        whole: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return whole
    pattern = control_tokens(tokenizer)
    assert pattern is not None  # it put the gaps there
    ids: list[int] = []
    at, before = 0, ""
    for mark in [*pattern.finditer(text), None]:
        for part in text[at : mark.start() if mark else None].split(GAP):
            ids += following(tokenizer, part, before)
            before = part or before
        if mark:
            ids.append(tokenizer.convert_tokens_to_ids(mark[0]))
            at, before = mark.end(), mark[0]
    return ids
