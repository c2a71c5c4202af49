"""Signs of a fault in one text: each function returns the piece that shows it, or nothing.

How often each sign stands in answers that people wrote is measured: see `docs/doctor.md`.
"""

from __future__ import annotations

import re

_CONTINUES = "".join(
    bytes([byte]).decode("cp1252", "ignore") + chr(byte) for byte in range(0x80, 0xC0)
)
"""What the second and later bytes of a letter in UTF-8 become when read as Windows-1252."""
_CLOSING = "\u201d\u2019\u2026\u00bb\u203a"
"""... but for quotes that may well close after a capital with an accent."""
_GARBLED = re.compile(
    "|".join(
        (
            rf"[\u00c2\u00c3](?![{_CLOSING}])[{_CONTINUES}]",
            rf"\u00e2\u20ac[{_CONTINUES}]|\u00e2\u0080[{_CONTINUES}]|\u00f0[\u0178\u009f]",
            rf"(?:[\u00c4-\u00df][{_CONTINUES}]){{2,}}",
            rf"(?:[\u00e0-\u00ef][{_CONTINUES}]{{2}}){{2,}}",
            "[\u0080-\u0084\u0086-\u009f]",
            "\ufffd(?!\ufffd*\\s*$)",
            r"(?<=[a-z,.])[\u0120\u010a](?=\w)|\u00e2\u0122|\u2581\w+\u2581",
        )
    )
)
_THINKING = re.compile(
    r"</?(?:think|thinking|thought|reasoning|reflection|scratchpad)>|\[/?THINK\]"
    r"|<\|channel\|>\s*analysis",
    re.IGNORECASE,
)
_SPECIAL = re.compile(
    r"<\|[a-z0-9_]{2,40}\|>|<\uff5c[^\uff5c>]{2,40}\uff5c>|</?s>|<</?SYS>>|\[/?INST\]"
    r"|<(?:bos|eos|pad|unk|start_of_turn|end_of_turn)>|\[(?:PAD|CLS|SEP|UNK|MASK|BOS|EOS)\]",
    re.IGNORECASE,
)
_MARKUP = re.compile(
    r"</?(?:br|div|span|em|strong|[uo]l|li|h[1-6]|table|t[rdh]|tbody|font|img|center|blockquote)"
    r"(?:\s[^<>\n]{0,200})?/?>|</[pabiu]>|<(?:a|img)\s[^<>\n]{1,200}>"
    r"|&(?:nbsp|amp|lt|gt|quot|apos|[lr][sd]quo|[mn]dash|hellip|\#\d{2,5}|\#x[0-9a-f]{2,5});",
    re.IGNORECASE,
)
_ON_MARKUP = re.compile(
    r"\b(?:x?html5?|xml|css|javascript|jsx|react|svg|markup|tags?|web ?pages?)\b", re.IGNORECASE
)
_TURN = re.compile(
    r"^[ \t]*(?:\#{2,6}[ \t]*(?:instruction|input|response|human|user|assistant|system)\b[ \t]*:?"
    r"|(?:human|user|assistant|instruction|response)[ \t]*:)",
    re.IGNORECASE | re.MULTILINE,
)
_REFUSAL = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|virtual assistant)\b"
    r"|\bi(?:['\u2019]m| am) (?:very |so )?(?:sorry|afraid)\b[^.!?\n]{0,40}"
    r"\b(?:can(?:no|['\u2019])t|unable|not able)\b"
    r"|\bi (?:can(?:no|['\u2019])t|am (?:unable|not able) to|won['\u2019]t) (?:assist|provide"
    r"|answer|fulfill?|comply|create|generate|engage|discuss|write|help(?!\s+(?:but|it|\w+ing)))\b"
    r"|\bals (?:eine? )?ki\b|\ben tant qu['\u2019]ia\b|\bcomo (?:una? )?(?:ia|modelo de lenguaje)\b"
    r"|作为(?:一个|一名|一款)?(?:ai|人工智能|语言模型)|(?:抱歉|对不起)[,\uff0c]?\s*我(?:无法|不能)",
    re.IGNORECASE,
)
REFUSED_WITHIN = 200
"""Characters at the beginning of an answer in which a refusal stands."""
PLACEHOLDERS = {"nan", "none", "null", "undefined", "[object object]"}
"""What programs write for nothing at all."""
ENDS = (
    ".!?:\"')]}*`>|\u2026\u201d\u2019\u00bb"
    "\u3002\uff01\uff1f\uff09\u3011\u300d\u300f"  # also Chinese and Japanese
    "\u0964\u0965\u061f\u104b\u17d4"  # Hindi, Arabic, Burmese, Khmer
)
"""Signs with which a text may end."""
_GOING_ON_WORDS = (
    "the a an of and or but with from by into than because their its my your which whose "
    "der das dem den ein eine einen und oder mit von für bei zum zur weil dass "
    "le la les des du un une et ou avec pour dans sur que qui "
    "el los las una y o con por para del al que "
    "il lo gli della di e con per che "
    "het een voor "
    "के का की और में से को"
)
"""Words after which a sentence goes on in English, German, French, Spanish, Italian, Dutch and
Hindi."""
_GOING_ON = frozenset(_GOING_ON_WORDS.split())
_LAST = re.compile(r"(\w[\w\u0900-\u097f]*|[^\w\s])\W*$")
CUT_WORDS = 8
"""Words of an answer from which its end is looked at; shorter ones are often no sentence."""


def garbled(text: str) -> str:
    """Return characters that were decoded wrongly: UTF-8 read as Windows-1252 or never joined."""
    return "" if text.isascii() else _piece(_GARBLED, text)


def thinking(text: str) -> str:
    """Return a mark around what a model thinks before it answers."""
    return _piece(_THINKING, text) if "<" in text or "[" in text else ""


def special_token(text: str) -> str:
    """Return a special token that stands in the text as text."""
    return _piece(_SPECIAL, text) if "<" in text or "[" in text else ""


def markup(text: str) -> str:
    """Return an HTML tag or entity."""
    return _piece(_MARKUP, text) if "<" in text or "&" in text else ""


def is_on_markup(text: str) -> bool:
    """Return whether a question is about HTML or the like."""
    return bool(_ON_MARKUP.search(text) or _MARKUP.search(text))


def next_turn(text: str) -> str:
    """Return a line that begins another turn, such as ``### Instruction:`` or ``User:``."""
    return _piece(_TURN, text)


def refusal(text: str) -> str:
    """Return words by which an assistant declines."""
    return _piece(_REFUSAL, text[:REFUSED_WITHIN])


def blank(text: str) -> str:
    """Return ``nothing``, or what a program wrote for nothing, where that is the whole text."""
    stripped = text.strip().strip("\u200b\u200c\u200d\u2060\ufeff")
    if not stripped:
        return "nothing"
    return stripped if stripped.casefold() in PLACEHOLDERS else ""


def ends_open(text: str) -> bool:
    """Return whether a text ends without any sign that ends a sentence, a list or a quote."""
    return bool(text.strip()) and text.rstrip()[-1] not in ENDS


def going_on(text: str) -> str:
    """Return the last word of a text that breaks off in mid-sentence: ``of``, ``the``, a comma."""
    end = text.rstrip()
    if (len(end.split()) < CUT_WORDS and end.isascii()) or len(end) < 2 * CUT_WORDS:
        return ""
    if end[-1] in ",;([{\uff0c\u3001\uff1b\uff08\u00ab\u201e":
        return end[-1]
    if not ends_open(end):
        return ""
    last = _LAST.search(end)
    word = last[1] if last else ""
    return word if word in _GOING_ON or (word and word[-1] in "的和与") else ""


def _piece(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[0].strip() or match[0] if match else ""
