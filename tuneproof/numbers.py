"""Numbers as people write them: read from a text, and compared to the digits that are shown.

The forms that are read stand in a table of docs/your-data.md, which a test goes through.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from tuneproof.number_forms import (
    CURRENCIES,
    GROUPS,
    LETTERS,
    MINUS,
    NUMBER,
    RAISED,
    SCALES,
    UNITS,
)

DIGITS = 4
"""Significant digits that count where nobody wrote the value."""
LONGEST = 200
"""Characters of the longest text that may be a number and nothing else."""
NEAR = 100
"""Characters before a number in which words speak of it."""
_PLAIN = str.maketrans(RAISED + "\u2212\u2013", "0123456789-+--")
_THREE_DIGITS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
"""1.234 or 1,234: the mark may be a decimal one, or stand between thousands."""
_DOTTED = re.compile(r"(?<![\w.,])([1-9][0-9]{0,2})\.([0-9]{3})(?![0-9]|[.,][0-9])")
_ANSWER = re.compile(r"####(?!#)(?P<line>[^\n]*)|\banswer\s*(?:is|:|=)", re.IGNORECASE)
_HEADING = re.compile(r"\s*#{1,6}\s")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\ufe63\uff0d", "-"))
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_GROUPED = re.compile(rf"[0-9]+[{GROUPS}](?:(?:\s?[0-9]+[{GROUPS}])+(?:[0-9]+)?|[0-9]+)")
_YES_NO = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
_SPLIT_SIGN = re.compile(rf"^([{MINUS}])\s+")
_SPACED_DIGITS = re.compile(r"(?<=[0-9]) (?=[0-9]{3}(?![0-9]))")
_BRACKETS = re.compile(r"\([^()]*\)")
_COMPARED = re.compile(r"\b(?:from|versus|vs\.?|than|compared (?:to|with))\s*$", re.IGNORECASE)
_CHANGE = re.compile(
    r"\b(?:from|by|up|down|went|rose|ris|rais|grew|grow|increas|decreas|reduc|fell|fall|declin|drop"
    r"|improv)",
    re.IGNORECASE,
)
"""Words after which ``5 to 10`` is a change, not a range."""
_RANGE = re.compile(r"\s*(?:[-\u2013\u2014~\uff5e\u301c]|\b(?:to|bis|and)\b)\s*", re.IGNORECASE)
_BETWEEN = re.compile(r"\bbetween\s*$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number as it is written: the figure, and the power of ten its scale stands for."""

    figure: Decimal
    """The signed figure without scale and unit: 12.4 in ``12.4%``."""
    exponent: int
    """The scale as a power of ten: -2 for a percentage, 6 for millions, 0 for a plain number."""
    written: str
    """The number as it stands in the text, with its signs and its unit."""
    unit: str = ""
    """The basic unit of what is counted: ``m`` for 5 km, ``$`` for 5 USD; empty where none is."""
    unit_exponent: int = 0
    """The basic units that make up the unit, as a power of ten: 3 for km."""
    mark: str = ""
    """The decimal mark that the form shows, ``.`` or ``,``; empty where it shows none."""
    until: Number | None = None
    """The upper end of a range, such as 5-10, or None."""

    @property
    def value(self) -> Decimal:
        """The figure in its scale, not in its unit: 0.124 for ``12.4%``."""
        return self.figure.scaleb(self.exponent)

    @property
    def half_unit(self) -> Decimal:
        """Half a unit of the last digit shown: 0.05 for ``12.4%``."""
        return Decimal((0, (5,), int(self.figure.as_tuple().exponent) - 1))


@lru_cache(maxsize=64)
def parse_number(text: str, decimal_mark: str = "") -> Number | None:
    """Return the number or range that is the whole of `text`, or None.

    A final full stop, a sign for about, and a bracket with words, such as ``(up from 40)``, may
    stand beside it.

    Args:
        text: What is read.
        decimal_mark: ``,`` where 1.234 is a thousand and more; otherwise it is 1 and a bit.
    """
    if len(text) > LONGEST or "\n" in text.strip():
        return None
    written = _plain_digits(text).strip().removesuffix(".").lstrip("~\u2248").strip()
    written = _without_asides(_SPLIT_SIGN.sub(r"\1", written)).strip()
    written = _SPACED_DIGITS.sub("\u00a0", written)
    match = NUMBER.fullmatch(written)
    if match:
        return _number(match, decimal_mark, bracket_is_minus=True)
    numbers = _numbers(written, decimal_mark)
    is_range = len(numbers) == 1 and numbers[0].until and numbers[0].written == written
    return numbers[0] if is_range else None


@lru_cache(maxsize=64)
def find_number(text: str, decimal_mark: str = "") -> Number | None:
    """Return the number or range that an answer gives, or None.

    It is the first after the last ``answer is``, ``answer:`` or ``####`` with nothing else on its
    line; without such a mark it is the last one of the first line that holds a number, where a
    bare year, and what another is compared with (``from 40``, ``than 40``), count only if the line
    has nothing else. Headings of Markdown are read last. Of a fraction, a time or a power no part
    is a number.

    Args:
        text: What is read.
        decimal_mark: As in `parse_number`.
    """
    text = _plain_digits(text)
    marks = [
        match.start("line") if match["line"] is not None else match.end()
        for match in _ANSWER.finditer(text)
        if match["line"] is None or parse_number(match["line"], decimal_mark)
    ]
    if marks:
        after = _numbers(text[marks[-1] :], decimal_mark)
        if after:
            return after[0]
    for line in sorted(text.splitlines(), key=lambda line: _HEADING.match(line) is not None):
        whole = parse_number(line, decimal_mark)
        numbers = [whole] if whole else _numbers(line, decimal_mark)
        if numbers:
            return ([number for number in numbers if not _is_year(number)] or numbers)[-1]
    return None


def decimal_mark(texts: Iterable[str]) -> str:
    """Return the decimal mark, ``.`` or ``,``, that the numbers among the texts agree on.

    ``1.5``, ``1,234,567`` and ``1,234.5`` show a point, ``1,5``, ``1.234.567`` and ``1.234,5`` a
    comma, ``15``, ``1.234`` and ``1,234`` neither. Empty where none shows one, or they differ.
    """
    numbers = filter(None, map(parse_number, texts))
    marks = {number.mark for number in numbers} - {""}
    return marks.pop() if len(marks) == 1 else ""


def without_dots(text: str) -> str:
    """Return a text in which 1.234 is 1234: the other way to read it."""
    return _DOTTED.sub(r"\1\2", text)


def agrees(answer: Number, target: Number) -> bool:
    """Say whether a number is another one, to the digits that the other shows.

    They may differ by half a unit of its last digit: 12.38 and 12.4 % agree with ``12.4%``, 12 %
    does not. A scale is part of the value, so 0.124 agrees with ``12.4%``; a scale or unit that
    only one of them has may have been left out, so 12.4 agrees with it too. Other units than the
    target's do not agree, unless they differ by a power of ten, as m and km do. Of a range both
    ends must agree.
    """
    if answer.until is not None and target.until is not None:
        ends = (answer.until, target.until)
        low = (replace(number, until=None) for number in (answer, target))
        return agrees(*ends) and agrees(*low)
    if answer.until is not target.until:
        return False
    if not (answer.unit and target.unit):
        return _is_within(answer, target.figure, target.exponent, target.half_unit)
    shift = answer.unit_exponent - target.unit_exponent
    scaled = replace(answer, figure=answer.figure.scaleb(shift))
    return answer.unit == target.unit and _is_within(
        scaled, target.figure, target.exponent, target.half_unit
    )


def agrees_with_value(answer: Number, value: Decimal, shown: Number | None) -> bool:
    """Say whether a number is an exact value, to the digits in which somebody else wrote it.

    Args:
        answer: The number to be judged.
        value: The exact value, such as 0.34719.
        shown: The value as it was written, which says how many digits are wanted and in which unit:
            ``34.7%`` or ``34.7``. None: four significant digits, no unit.
    """
    if answer.until is not None:
        return False
    if shown is None or shown.until is not None:
        half_unit = Decimal(5).scaleb(value.adjusted() - DIGITS)
        return _is_within(answer, value, 0, half_unit)
    shift = min(
        (0, -shown.exponent, 2),  # in the same unit, without it, a share written in percent
        key=lambda power: abs(abs(value.scaleb(power)) - abs(shown.figure)),
    )
    exponent = -2 if shift == 2 else shown.exponent
    return _is_within(answer, value.scaleb(shift), exponent, shown.half_unit)


def is_value(text: str) -> bool:
    """Say whether a text is what a program comes to: a number without unit, yes or no."""
    return text in ("yes", "no") or re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def states_value(answer: str, value: str, written: str) -> bool:
    """Say whether an answer gives an executed value.

    A number must be the value to the digits, and in the unit, in which somebody wrote it; for yes
    and no the first such word counts.

    Args:
        answer: The text to be judged.
        value: A number without unit, ``yes`` or ``no``.
        written: The value as somebody wrote it; any text.
    """
    if value in ("yes", "no"):
        match = _YES_NO.search(answer)
        return match is not None and match[0].lower() == value
    number = find_number(answer)
    return number is not None and agrees_with_value(number, Decimal(value), parse_number(written))


def _is_within(answer: Number, figure: Decimal, exponent: int, tolerance: Decimal) -> bool:
    scale, room = Fraction(10) ** exponent, Fraction(tolerance)  # exact, however many digits
    own, wanted = Fraction(answer.figure), Fraction(figure)
    if abs(own * Fraction(10) ** answer.exponent - wanted * scale) <= room * scale:
        return True
    one_has_a_scale = (answer.exponent == 0) != (exponent == 0)
    return one_has_a_scale and abs(own - wanted) <= room


def _numbers(line: str, mark: str) -> list[Number]:
    """Return the numbers and ranges of a line, without what they are only compared with.

    A bracketed number right after another is the same in other words, not a loss.
    """
    line = _without_asides(line)
    matches = list(NUMBER.finditer(line))
    numbers: list[Number] = []
    compared = []
    end: int | None = None
    for match in matches:
        between = None if end is None else line[end : match.start()]
        is_bare = between is not None and not between.strip()
        number = _number(match, mark, bracket_is_minus=not is_bare)
        whole = _range_of(numbers, number, line, match, between)
        if whole:
            numbers[-1] = whole
        else:
            numbers.append(number)
            before = line[max(0, match.start() - NEAR) : match.start()]
            compared.append(_COMPARED.search(before) is not None)
        end = match.end()
    kept = [number for number, is_other in zip(numbers, compared, strict=True) if not is_other]
    return kept or numbers


def _range_of(
    numbers: list[Number], high: Number, line: str, match: re.Match[str], between: str | None
) -> Number | None:
    """Return the range from the last number to this one, where they are written as one."""
    if between is None or not _RANGE.fullmatch(between) or numbers[-1].until is not None:
        return None
    low = numbers[-1]
    start = line[: match.start() - len(between) - len(low.written)][-NEAR:]
    word = between.strip().lower()
    if (word.isalpha() and _CHANGE.search(start)) or (word == "and" and not _BETWEEN.search(start)):
        return None
    if not low.exponent and not low.unit:
        low = replace(low, exponent=high.exponent, unit=high.unit, unit_exponent=high.unit_exponent)
    if low.value >= high.value or low.unit not in ("", high.unit):
        return None
    return replace(low, written=f"{low.written}{between}{high.written}", until=high)


def _number(match: re.Match[str], mark: str, *, bracket_is_minus: bool) -> Number:
    bracketed = bool(match["open"] and match["close"]) and bracket_is_minus
    figure, shown = _figure(match["digits"] or "1", mark)
    if match["power"]:
        figure = figure.scaleb(_power(match["power"]))
    elif match["ten"]:
        figure = Decimal(f"{figure.scaleb(_power(match['ten'])):f}")  # all of its digits count
    negative = bool((match["minus"] or "+") != "+" or match["inner"] or bracketed)
    beside = (match["unit"] or match["currency"] or "").strip()
    unit, unit_exponent = UNITS.get(beside, (CURRENCIES.get(beside.lower(), ""), 0))
    return Number(
        figure=figure.copy_negate() if negative else figure,
        exponent=_scale(match),
        written=match[0].strip(),
        unit=unit,
        unit_exponent=unit_exponent,
        mark=shown,
    )


def _figure(digits: str, mark: str) -> tuple[Decimal, str]:
    """Return digits as a number, and the decimal mark that they show or an empty text."""
    digits = re.sub("['\u2019\u00a0\u2009\u202f ]", "", digits)
    dots, commas = digits.count("."), digits.count(",")
    if not dots and not commas:
        return Decimal(digits), ""
    if _THREE_DIGITS.fullmatch(digits):
        decimal, shown = mark or ".", ""
    elif dots and commas:
        decimal = shown = max(".,", key=digits.rfind)
    else:  # a mark that occurs twice stands between thousands
        decimal = shown = "." if (dots == 1 or commas > 1) else ","
    return Decimal(digits.replace("," if decimal == "." else ".", "").replace(",", ".")), shown


def _scale(match: re.Match[str]) -> int:
    if match["percent"]:
        return -2
    if match["basis"]:
        return -4
    if match["scale"]:
        return SCALES[match["scale"].lower()]
    return LETTERS[match["letter"].strip().lower()] if match["letter"] else 0


def _power(text: str) -> int:
    """Return the exponent of a power of ten: 6 for ``x 10^6``, ``e6`` and a raised 6."""
    raised = re.search(f"[{RAISED}]+", text)
    exponent = raised[0] if raised else re.findall(rf"[{MINUS}+]?[0-9]+", text)[-1]
    return int(exponent.translate(_PLAIN))


def _without_asides(line: str) -> str:
    """Blank out brackets that hold words beside their numbers, unless nothing else has a number."""

    def blank(match: re.Match[str]) -> str:
        words = re.search(r"[^\W\d_]{2}", NUMBER.sub(" ", match[0]))
        return " " * len(match[0]) if words else match[0]

    bare = _BRACKETS.sub(blank, line) if "(" in line else line
    return bare if bare != line and NUMBER.search(bare) else line


def _plain_digits(text: str) -> str:
    """Return a text with the digits of all scripts as 0 to 9, and signs and marks as ours.

    LaTeX's percent, dollar and fractions are as in plain text, and numbers of several scales, such
    as 1億2000万, as one.
    """
    if "\\" in text:
        text = _FRACTION.sub(r"\1/\2", text).replace("\\%", "%").replace("\\$", "$")
    if text.isascii():
        return text
    text = text.replace("\u066b", ".").replace("\u066c", ",").replace("\uff0e", ".")
    text = "".join(
        str(unicodedata.digit(c)) if not c.isascii() and c.isdecimal() else c for c in text
    )
    return _GROUPED.sub(_joined, text.translate(_DASHES))


def _joined(match: re.Match[str]) -> str:
    """Return the sum of a number's groups, where each has a smaller scale than the one before."""
    groups = re.findall(rf"([0-9]+)([{GROUPS}]?)", match[0])
    powers = [SCALES.get(scale, 0) for _, scale in groups]
    if any(high <= low for high, low in pairwise(powers)):
        return match[0]
    return str(
        sum(int(digits) * 10**power for (digits, _), power in zip(groups, powers, strict=True))
    )


def _is_year(number: Number) -> bool:
    whole = number.figure.as_tuple().exponent == 0 and number.exponent == 0 and not number.unit
    return whole and 1900 <= number.figure < 2100
