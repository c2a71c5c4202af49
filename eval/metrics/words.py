"""How every metric cuts a text into words, in any script.

A word is a run of letters, digits and the marks that stand on them (Hindi, Thai and Arabic write
vowels so). In scripts that put no spaces between words, such as Chinese, Japanese and Thai, every
character is a word. Case is lowered, and forms of one letter that differ only in width or in how
they are encoded are one. Texts of ASCII letters give the words of `rouge_score`, which reads no
others.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

_ASCII_WORD = re.compile(r"[a-z0-9]+")
_ASCII_TOKEN = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
_UNSPACED = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Yi}\p{Line_Break=Complex_Context}\u30fc\uff70"
)
"""Scripts without spaces between words; Complex_Context are those of South East Asia, the last two
the Japanese mark of a long vowel."""
_LETTER = r"\p{L}\p{M}\p{Nd}\u3007"
"""Letters, marks, digits, and the Chinese zero, which Unicode counts as a sign."""


@lru_cache(maxsize=64)
def words(text: str) -> tuple[str, ...]:
    """Return the lower-cased words without punctuation."""
    if text.isascii():
        return tuple(_ASCII_WORD.findall(text.lower()))
    return tuple(_patterns()["word"].findall(fold(text)))


@lru_cache(maxsize=64)
def tokens(text: str) -> tuple[str, ...]:
    """Return the lower-cased words and punctuation marks; every mark stands alone."""
    if text.isascii():
        return tuple(_ASCII_TOKEN.findall(text.lower()))
    return tuple(_patterns()["token"].findall(fold(text)))


def spaced(text: str) -> list[str]:
    """Return what stands between white space, and each character of a script without spaces.

    Punctuation stays with its neighbour, so that ``"Hello, world!"`` is two.
    """
    return text.split() if text.isascii() else _patterns()["spaced"].findall(text)


def is_unspaced(text: str) -> bool:
    """Return whether most words of a text are characters of scripts without spaces, or none is."""
    parts = words(text)
    if text.isascii():
        return not parts
    character = _patterns()["character"]
    return 2 * sum(character.match(word) is not None for word in parts) >= len(parts)


def fold(text: str) -> str:
    """Return the text in lower case, with one form for each letter and digit (NFKC); signs stay."""
    lowered = text.lower()
    if text.isascii():
        return lowered
    joined = _patterns()["joiner"].sub("", lowered)
    return str(_patterns()["letters"].sub(_one_form, joined))


def ngrams(sequence: tuple[str, ...], n: int) -> list[tuple[str, ...]]:
    """Return all runs of `n` consecutive tokens, in order; empty when the text is shorter."""
    return list(zip(*(sequence[start:] for start in range(n)), strict=False))


def _one_form(match: Any) -> str:
    return unicodedata.normalize("NFKC", match[0])


@lru_cache(maxsize=1)
def _patterns() -> dict[str, Any]:
    r"""Return the patterns by name; ``\X`` is a character with all its marks.

    No word begins with a mark, which may stand on a sign. A sign has its marks, an emoji what is
    joined to it, a flag both its letters; but never a letter behind it, as ``\X`` would.
    """
    import regex

    character = rf"(?=[{_UNSPACED}])\X"
    letters = f"[{_LETTER}--[{_UNSPACED}]]+"
    word = rf"(?![\p{{GCB=Extend}}\p{{GCB=SpacingMark}}])(?:{character}|{letters})"
    marks = r"[\p{M}\p{GCB=Extend}\u200d]*"
    joined = rf"(?:(?<=\u200d)\p{{Extended_Pictographic}}{marks})*"
    sign = rf"(?:\p{{Regional_Indicator}}{{2}}|\S){marks}{joined}"
    sources = {
        "character": character,
        "word": word,
        "token": f"{word}|{sign}",
        "spaced": rf"\p{{P}}*{character}\p{{P}}*|(?:(?!\p{{P}}*[{_UNSPACED}])\S)+|\S",
        "letters": f"[{_LETTER}\uff9e\uff9f]+",
        "joiner": f"(?<=[{_LETTER}])[\u200c\u200d](?=[{_LETTER}])",
    }
    return {name: regex.compile(source, regex.V1) for name, source in sources.items()}
