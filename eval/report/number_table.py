"""How the numbers in answers were read: every form that was accepted, with a few samples."""

from __future__ import annotations

from collections import Counter, defaultdict

from tuneproof.formats.comparison import Comparison, Item
from tuneproof.formats.report import NumberForm, NumberSample
from tuneproof.numbers import Number, agrees, find_number, parse_number, states_value

SAMPLES = 3
"""Samples of each form, of different items."""
SHOWN_CHARACTERS = 60
"""Most characters of an answer that a sample shows, around the number."""
FORMS: dict[str, str] = {
    "as written": "the same digits and the same signs as in the reference",
    "rounded": "rounds to the reference in the digits that the reference shows",
    "other signs": "the same number with or without a currency sign, zeros or a plus",
    "thousands separators": "the same number with or without commas between the thousands",
    "brackets": "brackets around a number are a minus sign, as in accounts",
    "another unit": "the same value: 0.124 is 12.4 %, 193 million is 193,000,000",
    "percent left out": "only one of the two has a percent sign: 12.4 is taken for 12.4 %",
    "unit left out": "only one of the two has a word such as million: 193 is taken for 193 million",
    "no match": "another number",
    "no number": "the answer holds no number",
}
"""Form -> what it means, in the order of the table."""
_UNITS = {-2: " %", 0: "", 3: " thousand", 6: " million", 9: " billion", 12: " trillion"}


def number_forms(comparison: Comparison) -> tuple[NumberForm, ...]:
    """Return every form that occurs: what it means, how often it occurs, and samples of it.

    Only items whose reference is a number count, as in numeric match; nothing for label tasks.
    """
    if comparison.labels is not None:
        return ()
    counts: Counter[str] = Counter()
    samples: dict[str, dict[str, NumberSample]] = defaultdict(dict)
    for item in comparison.items:
        target = parse_number(item.output)
        if target is None:
            continue
        for variant in comparison.names:
            text = item.answers[variant].text
            if text is None:
                continue
            number = find_number(text)
            form = form_of(number, target)
            counts[form] += 1
            if len(samples[form]) < SAMPLES:
                samples[form].setdefault(item.id, _sample(item, variant, text, number, target))
    return tuple(
        NumberForm(
            form=form, means=means, answers=counts[form], samples=tuple(samples[form].values())
        )
        for form, means in FORMS.items()
        if counts[form]
    )


def form_of(read: Number | None, target: Number) -> str:
    """Return in which form a number matches its target, or that it does not; a key of `FORMS`."""
    if read is None:
        return "no number"
    if not agrees(read, target):
        return "no match"
    if read.exponent != target.exponent:
        if abs(read.value - target.value) <= target.half_unit.scaleb(target.exponent):
            return "another unit"
        return "percent left out" if -2 in (read.exponent, target.exponent) else "unit left out"
    written = read.written, target.written
    if read.figure != target.figure:
        return "rounded"
    if len({_has_brackets(text) for text in written}) > 1:
        return "brackets"
    if len({"," in text for text in written}) > 1:
        return "thousands separators"
    return "as written" if written[0] == written[1] else "other signs"


def shown(number: Number) -> str:
    """Return a number as it was understood: ``-12.4 %``, ``193 million``."""
    return f"{number.figure:f}{_UNITS[number.exponent]}"


def _sample(
    item: Item, variant: str, text: str, number: Number | None, target: Number
) -> NumberSample:
    executed = item.executed or None
    return NumberSample(
        id=item.id,
        variant=variant,
        answer=_around(text, "" if number is None else number.written),
        read=None if number is None else shown(number),
        reference=item.output,
        wanted=shown(target),
        tolerance=f"{target.half_unit:f}{_UNITS[target.exponent]}",
        match=number is not None and agrees(number, target),
        executed=executed,
        executed_match=None if executed is None else states_value(text, executed, item.output),
    )


def _has_brackets(text: str) -> bool:
    return text.startswith("(") and text.endswith(")")


def _around(text: str, part: str) -> str:
    """Return the text around a part of it, on one line."""
    position = max(text.find(part), 0)
    start = max(0, min(position - SHOWN_CHARACTERS // 2, len(text) - SHOWN_CHARACTERS))
    shown = " ".join(text[start : start + SHOWN_CHARACTERS].split())
    before = "… " if start else ""
    after = " …" if start + SHOWN_CHARACTERS < len(text) else ""
    return f"{before}{shown}{after}"
