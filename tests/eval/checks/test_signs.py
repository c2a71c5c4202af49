"""Every sign is seen where it is, and not in what looks like it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tuneproof.eval.checks import signs
from tuneproof.eval.checks.languages import language


def misread(text: str) -> str:
    """UTF-8 read as Windows-1252."""
    return text.encode().decode("cp1252", "replace")


@pytest.mark.parametrize(
    ("sign", "text"),
    [
        (signs.garbled, misread("caf\u00e9")),
        (signs.garbled, misread("it\u2019s")),
        (signs.garbled, misread("\u043f\u0440\u0438\u0432\u0435\u0442")),
        (signs.garbled, misread("\u5317\u4eac\u5927\u5b66")),
        (signs.garbled, misread("\u0928\u092e\u0938\u094d\u0924\u0947")),
        (signs.garbled, "it\u00e2\x80\x99s"),
        (signs.garbled, "a letter \ufffd lost"),
        (signs.garbled, "the\u0120cat"),
        (signs.garbled, "\u2581the\u2581cat"),
        (signs.thinking, "<think>hm</think> Four."),
        (signs.thinking, "so it is four.</think>Four"),
        (signs.special_token, "Four.<|im_end|>"),
        (signs.special_token, "Four.</s>"),
        (signs.special_token, "[INST] Four"),
        (signs.special_token, "<start_of_turn>model"),
        (signs.special_token, "<\uff5cend\u2581of\u2581sentence\uff5c>"),
        (signs.markup, "Four<br>five"),
        (signs.markup, "<p>Four</p>"),
        (signs.markup, "salt &amp; pepper"),
        (signs.markup, "<a href='x'>Four"),
        (signs.next_turn, "Four.\n### Instruction:\nAnd"),
        (signs.next_turn, "Four.\nUser: and five?"),
        (signs.refusal, "As an AI language model, I"),
        (signs.refusal, "I\u2019m sorry, but I can\u2019t do that."),
        (signs.refusal, "I cannot assist with that."),
        (signs.refusal, "\u4f5c\u4e3a\u4e00\u4e2a\u4eba\u5de5\u667a\u80fd"),
        (signs.blank, ""),
        (signs.blank, " \n\u200b"),
        (signs.blank, "NaN"),
        (signs.going_on, "There were many people in the house of the"),
        (signs.going_on, "There were many people in the house, and also,"),
        (signs.going_on, "这些瓷碗都来自北京的一个老房子和"),
    ],
)  # fmt: skip
def test_faults_are_seen(sign: Callable[[str], str], text: str) -> None:
    assert sign(text)


@pytest.mark.parametrize(
    ("sign", "text"),
    [
        (signs.garbled, "café, naïve, ÉTÉ, NÃO, MANHÃ\u201d, Å\u201d, 20 °C, 5 €"),
        (signs.garbled, "привет 北京 नमस्ते \U0001f600"),
        (signs.garbled, "\u0120or\u0121 lives in Malta \u2581\u2582\u2583"),
        (signs.garbled, "cut in a letter \ufffd\ufffd"),
        (signs.thinking, "I think [so] <b>"),
        (signs.special_token, "a < b | c > d, [1], <T>"),
        (signs.markup, "List<A> and Map<B, C>, a<b, R&D, AT&T"),
        (signs.next_turn, "The user: a person. Response time."),
        (signs.refusal, "Robots serve as an aid. I cannot swim."),
        (signs.refusal, "I can't help but laugh, I can't help it, I can't help thinking of it."),
        (signs.blank, "0"),
        (signs.blank, "none of them"),
        (signs.going_on, "What are you thinking of"),
        (signs.going_on, "There were many people in the house of the king."),
    ],
)  # fmt: skip
def test_what_looks_like_them_is_none(sign: Callable[[str], str], text: str) -> None:
    assert not sign(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cat is on the mat and it has not been fed for days.", "English"),
        ("Die Katze ist auf dem Dach und wird nicht von mir gefüttert.", "German"),
        ("Le chat est dans la maison et les chiens sont avec nous.", "French"),
        ("El gato no está en la casa, pero los perros son del vecino.", "Spanish"),
        ("Кошка сидит на крыше и не хочет слезать.", "Cyrillic"),
        ("这些瓷碗都来自北京的老房子。", "Chinese"),
        ("この茶碗は京都のものです。", "Japanese"),
        ("आगरा के पुराने घर में अनिल के परिवार के पास दीपक और घड़े थे।", "Devanagari"),
        ("42", None),
        ("Don Quixote - yes, El Ingenioso Hidalgo de la Mancha - yes", None),
    ],
)
def test_language_of_a_text(text: str, expected: str | None) -> None:
    assert language(text) == expected


def test_hardly_any_answer_that_people_wrote_has_a_sign(dolly: list[dict[str, str]]) -> None:
    for sign in (
        signs.garbled, signs.thinking, signs.special_token, signs.markup, signs.next_turn,
        signs.blank, signs.going_on,
    ):  # fmt: skip
        assert sum(bool(sign(row["response"])) for row in dolly) <= 0.003 * len(dolly), sign
    languages = [language(row["response"]) for row in dolly]
    assert languages.count("English") > 0.6 * len(dolly)
    assert sum(name not in ("English", None) for name in languages) <= 0.003 * len(dolly)
