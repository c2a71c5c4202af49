"""Numeric match: does the answer give the reference's number, to the digits the reference shows?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

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
_SPLIT_SIGN = re.compile("^([-\N{MINUS SIGN}\N{EN DASH}])\\s+")


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number as it is written: the figure, and the power of ten its unit stands for."""

    figure: Decimal
    """The signed figure without its unit: 12.4 in ``12.4%``."""
    exponent: int
    """The unit as a power of ten: -2 for a percentage, 6 for millions, 0 for a plain number."""

    @property
    def value(self) -> Decimal:
        """The figure in its unit: 0.124 for ``12.4%``."""
        return self.figure.scaleb(self.exponent)

    @property
    def half_unit(self) -> Decimal:
        """Half a unit of the last digit shown: 0.05 for ``12.4%``."""
        return Decimal((0, (5,), int(self.figure.as_tuple().exponent) - 1))


def numeric_match(prediction: str, reference: str) -> float | None:
    """Return 1 when the answer's number is the reference's, otherwise 0; None for a text reference.

    Range {0, 1}, higher is better. Only references that are one number and nothing else are scored:
    an optional sign or accounting brackets, a currency sign, thousands separators, and a percent
    sign or a word such as `million`. The answer's number is the first after the last ``####``,
    ``answer is`` or ``answer:``; without such a mark it is the last one of the first line that
    holds a number, where a bare year counts only if the line has nothing else.

    The two agree when they differ by at most half a unit of the last digit the reference shows:
    12.38 and 12.4 % match ``12.4%``, 12 % does not. A unit is part of the value, so 0.124 matches
    ``12.4%``; a unit that only one of them has may have been left out, so 12.4 matches it too.
    An answer without a number, hence an empty one, scores 0. Source: Chen et al., 2021 (FinQA's
    execution accuracy, on text instead of programs).
    """
    target = parse_number(reference)
    if target is None:
        return None
    answer = find_number(prediction)
    return 0.0 if answer is None else float(_agrees(answer, target))


@lru_cache(maxsize=64)
def parse_number(text: str) -> Number | None:
    """Return the number that is the whole of `text` (a final full stop is allowed), or None."""
    written = _SPLIT_SIGN.sub(r"\1", text.strip().removesuffix("."))
    match = _NUMBER.fullmatch(written)
    return None if match is None else _number(match, bracket_is_minus=True)


@lru_cache(maxsize=64)
def find_number(text: str) -> Number | None:
    """Return the number that an answer gives, by the rule of `numeric_match`, or None."""
    marks = list(_MARK.finditer(text))
    if marks:
        after = _numbers(text[marks[-1].end() :])
        if after:
            return after[0]
    for line in text.splitlines():
        found = _numbers(line)
        if found:
            return ([number for number in found if not _is_year(number)] or found)[-1]
    return None


def _agrees(answer: Number, target: Number) -> bool:
    tolerance = target.half_unit
    if abs(answer.value - target.value) <= tolerance.scaleb(target.exponent):
        return True
    one_has_a_unit = (answer.exponent == 0) != (target.exponent == 0)
    return one_has_a_unit and abs(answer.figure - target.figure) <= tolerance


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
    )


def _is_year(number: Number) -> bool:
    whole = number.figure.as_tuple().exponent == 0 and number.exponent == 0
    return whole and 1900 <= number.figure < 2100
