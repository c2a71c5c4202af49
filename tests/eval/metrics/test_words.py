from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tuneproof.eval.metrics.words import is_unspaced, spaced, tokens, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don\u2019t know; 3.14!", "i don t know 3 14"),
        ("na\u00efve S\u00e3o caf\u00e9", "na\u00efve s\u00e3o caf\u00e9"),
        ("cafe\u0301", "caf\u00e9"),  # one form of each letter
        ("\uff21\uff22\uff11\uff12 \ufb01rst", "ab12 first"),
        ("m\u00b2 \u00bd \u2122", "m"),  # as rouge_score, no sign becomes a letter
        ("今天很好。3点", "今 天 很 好 3 点"),
        ("我用Python写code", "我 用 python 写 code"),
        ("二〇二〇年", "二 〇 二 〇 年"),
        ("コンピューター", "コ ン ピ ュ ー タ ー"),
        ("ﾊﾟｿｺﾝ", "パ ソ コ ン"),
        ("か\u3099", "が"),
        ("สวัสดีที่นี่", "ส วั ส ดี ที่ นี่"),
        ("မြန်မာ", "မြ န် မ ာ"),
        ("ខ្មែរ", "ខ្មែ រ"),
        ("ພາສາລາວ", "ພ າ ສ າ ລ າ ວ"),
        ("आज मौसम अच्छा है।", "आज मौसम अच्छा है"),
        ("مرحبا، العالم", "مرحبا العالم"),
        ("می\u200cخواهم", "میخواهم"),  # a joiner is no border
        ("Привет, МИР!", "привет мир"),
        ("안녕하세요 세계", "안녕하세요 세계"),
        ("\U0001f44d \u2026", ""),
    ],
)
def test_words_of_every_script(text: str, expected: str) -> None:
    assert " ".join(words(text)) == unicodedata.normalize("NFKC", expected)


def test_tokens_have_marks_and_emoji_alone() -> None:
    assert tokens("Hi, you!!") == ("hi", ",", "you", "!", "!")
    assert tokens("a_b") == ("a", "_", "b")
    assert tokens("很好。") == ("很", "好", "。")
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert tokens(f"ok {family}\U0001f44d\U0001f3fd") == ("ok", family, "\U0001f44d\U0001f3fd")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello , world!", ["Hello", ",", "world!"]),
        ("今天，「天气」。", ["今", "天，「", "天", "气」。"]),
        ("3点 ok", ["3", "点", "ok"]),
        (
            "\u201cDon\u2019t!\u201d \u2014 he said",
            ["\u201cDon\u2019t!\u201d", "\u2014", "he", "said"],
        ),
        ("  ", []),
    ],
)
def test_lengths_are_counted_in_words_or_characters(text: str, expected: list[str]) -> None:
    assert spaced(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天天气很好", True),
        ("สวัสดี", True),
        ("我用Python写code", True),
        ("\U0001f44d", True),  # nothing between spaces either
        ("?!", True),
        ("the word 好 means good", False),
        ("안녕하세요 세계", False),
        ("आज मौसम", False),
        ("42", False),
    ],
)
def test_scripts_without_spaces_are_known(text: str, expected: bool) -> None:
    assert is_unspaced(text) is expected


@given(st.text(st.characters(codec="ascii")))
def test_words_of_ascii_are_those_of_rouge_score(text: str) -> None:
    assert list(words(text)) == re.sub(r"[^a-z0-9]+", " ", text.lower()).split()
    assert spaced(text) == text.split()
    assert [token for token in tokens(text) if token.isalnum()] == list(words(text))


@given(st.text())
@example("\U000100fb\u0f8d")  # a mark on what is no letter
@example("-\u0acd\u0915\u0abe")  # a mark that joins letters, on a sign
@example("\u0600a")  # a sign that is drawn around what follows
def test_nothing_visible_is_lost(text: str) -> None:
    assert "".join("".join(spaced(text)).split()) == "".join(text.split())
    assert set(words(text)) <= set(tokens(text))


def test_an_emoji_gives_no_mark_to_the_next_word() -> None:
    assert words("\u2764\ufe0fApple \u2b50\ufe0f") == ("apple",)
    assert tokens("\u2764\ufe0fApple") == ("\u2764\ufe0f", "apple")
