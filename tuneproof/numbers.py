"""Numbers as people write them: read from a text, and compared to the digits that are shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

DIGITS = 4
"""Significant digits that count where nobody wrote the value."""
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_NUMBER = re.compile(
    r"""
    (?P<open>\(\s*)?
    (?<![\w.,])                             # not inside a word, a date or a longer number
    (?P<minus>[-\N{MINUS SIGN}\N{EN DASH}])?
    (?:[$\N{EURO SIGN}\N{POUND SIGN}]\s*)?
    (?P<inner>[-\N{MINUS SIGN}])?
    (?P<digits>(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)
    (?:\s*(?P<percent>%|percent\b|per\ cent\b|percentage\ points?\b)
      |\s*(?P<scale>thousand|million|billion|trillion)s?\b
      |x\b                                  # a ratio: 1.5x
      |(?!\w|\.[0-9]|,[0-9]{3}))            # not 5th, 1990s or half of a longer number
    (?P<close>\s*\))?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MARK = re.compile(r"####|\banswer\s*(?:is|:|=)", re.IGNORECASE)
_YES_NO = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
_SPLIT_SIGN = re.compile("^([-\N{MINUS SIGN}\N{EN DASH}])\\s+")


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number as it is written: the figure, and the power of ten its unit stands for."""

    figure: Decimal
    """The signed figure without its unit: 12.4 in ``12.4%``."""
    exponent: int
    """The unit as a power of ten: -2 for a percentage, 6 for millions, 0 for a plain number."""
    written: str
    """The number as it stands in the text, with its signs and its unit."""

    @property
    def value(self) -> Decimal:
        """The figure in its unit: 0.124 for ``12.4%``."""
        return self.figure.scaleb(self.exponent)

    @property
    def half_unit(self) -> Decimal:
        """Half a unit of the last digit shown: 0.05 for ``12.4%``."""
        return Decimal((0, (5,), int(self.figure.as_tuple().exponent) - 1))


@lru_cache(maxsize=64)
def parse_number(text: str) -> Number | None:
    """Return the number that is the whole of `text` (a final full stop is allowed), or None."""
    written = _SPLIT_SIGN.sub(r"\1", text.strip().removesuffix("."))
    match = _NUMBER.fullmatch(written)
    return None if match is None else _number(match, bracket_is_minus=True)


@lru_cache(maxsize=64)
def find_number(text: str) -> Number | None:
    """Return the number that an answer gives, or None.

    It is the first after the last ``####``, ``answer is`` or ``answer:``; without such a mark it is
    the last one of the first line that holds a number, where a bare year counts only if the line
    has nothing else.
    """
    marks = list(_MARK.finditer(text))
    if marks:
        after = _numbers(text[marks[-1].end() :])
        if after:
            return after[0]
    for line in text.splitlines():
        numbers = _numbers(line)
        if numbers:
            return ([number for number in numbers if not _is_year(number)] or numbers)[-1]
    return None


def agrees(answer: Number, target: Number) -> bool:
    """Say whether a number is another one, to the digits that the other shows.

    They may differ by half a unit of its last digit: 12.38 and 12.4 % agree with ``12.4%``, 12 %
    does not. A unit is part of the value, so 0.124 agrees with ``12.4%``; a unit that only one of
    them has may have been left out, so 12.4 agrees with it too.
    """
    return _is_within(answer, target.figure, target.exponent, target.half_unit)


def agrees_with_value(answer: Number, value: Decimal, shown: Number | None) -> bool:
    """Say whether a number is an exact value, to the digits in which somebody else wrote it.

    Args:
        answer: The number to be judged.
        value: The exact value, such as 0.34719.
        shown: The value as it was written, which says how many digits are wanted and in which unit:
            ``34.7%`` or ``34.7``. None: four significant digits, no unit.
    """
    if shown is None:
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
    if abs(answer.value - figure.scaleb(exponent)) <= tolerance.scaleb(exponent):
        return True
    one_has_a_unit = (answer.exponent == 0) != (exponent == 0)
    return one_has_a_unit and abs(answer.figure - figure) <= tolerance


def _numbers(line: str) -> list[Number]:
    """Return the numbers of a line; a bracketed one right after another is an aside, not a loss."""
    numbers, end = [], None
    for match in _NUMBER.finditer(line):
        aside = end is not None and not line[end : match.start()].strip()
        numbers.append(_number(match, bracket_is_minus=not aside))
        end = match.end()
    return numbers


def _number(match: re.Match[str], *, bracket_is_minus: bool) -> Number:
    bracketed = bool(match["open"] and match["close"]) and bracket_is_minus
    figure = Decimal(match["digits"].replace(",", ""))
    negative = bool(match["minus"] or match["inner"] or bracketed)
    scale = _SCALES[match["scale"].lower()] if match["scale"] else 0
    return Number(
        figure=figure.copy_negate() if negative else figure,
        exponent=-2 if match["percent"] else scale,
        written=match[0].strip(),
    )


def _is_year(number: Number) -> bool:
    whole = number.figure.as_tuple().exponent == 0 and number.exponent == 0
    return whole and 1900 <= number.figure < 2100
