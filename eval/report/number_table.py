"""How the numbers in answers were read: every form that was accepted, with a few samples."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace

from tuneproof.eval.metrics.numeric import is_ambiguous, read_numbers
from tuneproof.eval.score import decimal_marks, references_of
from tuneproof.formats.comparison import Comparison, Item
from tuneproof.formats.report import NumberForm, NumberSample
from tuneproof.numbers import Number, agrees, parse_number, states_value

SAMPLES = 3
"""Samples of each form, of different items."""
SHOWN_CHARACTERS = 60
"""Most characters of an answer that a sample shows, around the number."""
FORMS: dict[str, str] = {
    "as written": "the same digits and the same signs as in the reference",
    "rounded": "rounds to the reference in the digits that the reference shows",
    "other signs": "the same number with or without a currency sign, a unit, zeros or a plus",
    "thousands separators": "the same number with other marks, or none, between the thousands",
    "brackets": "brackets around a number are a minus sign, as in accounts",
    "another unit": "the same value: 0.124 is 12.4 %, 193 million is 193,000,000, 5 km is 5000 m",
    "percent left out": "only one of the two has a percent sign: 12.4 is taken for 12.4 %",
    "unit left out": "only one of the two has a word such as million: 193 is taken for 193 million",
    "no match": "another number",
    "no number": "the answer holds no number",
    "two readings": "not scored: it hangs on whether 1.234 is a thousand and more, or 1 and a bit; "
    "no reference shows which",
}
"""Form -> what it means, in the order of the table."""
_CHOICE = sorted(FORMS, key=lambda form: form in ("no match", "no number", "two readings"))
"""The forms, those that match first: of several references the best counts."""
_UNITS = {-2: " %", 0: "", 3: " thousand", 6: " million", 9: " billion", 12: " trillion"}


def number_forms(comparison: Comparison) -> tuple[NumberForm, ...]:
    """Return every form that occurs: what it means, how often it occurs, and samples of it.

    Only items whose reference is a number count, as in numeric match; nothing for label tasks.
    """
    if comparison.labels is not None:
        return ()
    counts: Counter[str] = Counter()
    samples: dict[str, dict[str, NumberSample]] = defaultdict(dict)
    marks = decimal_marks(comparison)
    for item in comparison.items:
        mark = marks[item.task]
        if not any(parse_number(reference, mark) for reference in references_of(item)):
            continue
        for variant in comparison.names:
            text = item.answers[variant].text
            if text is None:
                continue
            form, sample = _read(item, variant, text, mark)
            counts[form] += 1
            if len(samples[form]) < SAMPLES:
                samples[form].setdefault(item.id, sample)
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
    if read.unit and target.unit and read.unit_exponent != target.unit_exponent:
        return "another unit"
    if read.exponent != target.exponent:
        if abs(read.value - target.value) <= target.half_unit.scaleb(target.exponent):
            return "another unit"
        return "percent left out" if -2 in (read.exponent, target.exponent) else "unit left out"
    written = read.written, target.written
    if read.figure != target.figure:
        return "rounded"
    if len({_has_brackets(text) for text in written}) > 1:
        return "brackets"
    if _is_grouped(read) != _is_grouped(target):
        return "thousands separators"
    return "as written" if written[0] == written[1] else "other signs"


def shown(number: Number) -> str:
    """Return a number as it was understood: ``-12.4 %``, ``193 million``."""
    if number.until is not None:
        return f"{shown(replace(number, until=None))} to {shown(number.until)}"
    scale = _UNITS.get(number.exponent, f" x 10^{number.exponent}")
    unit = f" {number.unit}" if number.unit else ""
    return f"{number.figure.scaleb(number.unit_exponent):f}{scale}{unit}"


def _read(item: Item, variant: str, text: str, mark: str) -> tuple[str, NumberSample]:
    """Return the form of an answer's number beside the reference it fits best, and the sample."""
    read: dict[str, NumberSample] = {}
    for reference in references_of(item):
        number, target = read_numbers(text, reference, mark)
        if target is not None:
            is_open = is_ambiguous(text, reference, mark)
            form = "two readings" if is_open else form_of(number, target)
            read.setdefault(form, _sample(item, variant, text, number, target, reference))
    best = min(read, key=_CHOICE.index)
    return best, read[best]


def _sample(
    item: Item, variant: str, text: str, number: Number | None, target: Number, reference: str
) -> NumberSample:
    executed = item.executed or None
    return NumberSample(
        id=item.id,
        variant=variant,
        answer=_around(text, "" if number is None else number.written),
        read=None if number is None else shown(number),
        reference=reference,
        wanted=shown(target),
        tolerance=shown(replace(target, figure=target.half_unit, until=None)),
        match=number is not None and agrees(number, target),
        executed=executed,
        executed_match=None if executed is None else states_value(text, executed, item.output),
    )


def _is_grouped(number: Number) -> bool:
    """Return whether a number is written with marks between its thousands."""
    marks = re.findall(r"(?<=\d)[.,'\u2019\s](?=\d)", number.written)
    return len(marks) > (int(number.figure.as_tuple().exponent) < 0)


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
