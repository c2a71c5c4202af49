"""Numbers and verdicts in words: the same in the table, the page and the Markdown file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MINUS = "\N{MINUS SIGN}"
VERDICTS = ("better", "worse", "no measurable difference", "different")


def amount(value: float, unit: str) -> str:
    """Write a metric's value: 0.412 for a score, 37.5 % for a share, 58.3 for a length."""
    if unit == "share":
        return _signed(f"{100 * value:.1f} %")
    return _signed(f"{value:.3f}" if unit == "score" else f"{value:.1f}")


def change(value: float, unit: str) -> str:
    """Write a difference with its sign; shares differ by percentage points."""
    plus = "+" if value > 0 else ""
    return plus + _signed(_size(value, unit)) + ("" if unit != "share" else " pp")


def interval(low: float | None, high: float | None, unit: str) -> str:
    """Write an interval without its unit, or say that there is none."""
    if low is None or high is None:
        return "no interval"
    return f"{_signed(_size(low, unit))} to {_signed(_size(high, unit))}"


def verdict(
    low: float | None, high: float | None, p_holm: float, alpha: float, direction: str
) -> str:
    """Judge a gain: its interval must exclude zero and its corrected p-value be below `alpha`."""
    if low is None or high is None or low <= 0 <= high or p_holm >= alpha:
        return "no measurable difference"
    if direction == "none":
        return "different"
    return "better" if (low > 0) == (direction == "higher") else "worse"


def sentence(title: str, unit: str, gain: Mapping[str, Any]) -> str:
    """Say in one sentence what happened to a metric: 'ROUGE-L rose by 0.113 (0.090 to 0.140)'."""
    value, low, high = gain["value"], gain["low"], gain["high"]
    if gain["verdict"] == "no measurable difference":
        text = f"{title} changed by {change(value, unit)} ({interval(low, high, unit)})"
        return f"{text}: no measurable difference"
    if value < 0:
        low, high = -high, -low
    size = _size(abs(value), unit) + {"share": " points", "score": ""}.get(unit, f" {unit}")
    verb = "rose" if value > 0 else "fell"
    return f"{title} {verb} by {size} ({interval(low, high, unit)}): {gain['verdict']}"


def p_value(p: float) -> str:
    """Write a p-value: three decimals, or '< 0.001'."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def large(value: float) -> str:
    """Write a large number with three digits: '1.09 T' for 1,090,000,000,000."""
    for size, name in ((1e18, " E"), (1e15, " P"), (1e12, " T"), (1e9, " G"), (1e6, " M")):
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{name}"
    return f"{value:,.0f}"


def duration(seconds: float) -> str:
    """Write a time: '42 s', '3.5 min', '2.1 h'."""
    if seconds < 99.5:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.1f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


def counted(number: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun: '1 item', '1,200 items'."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(parts: list[str]) -> str:
    """Join parts as a sentence does: 'a, b and c'."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _size(value: float, unit: str) -> str:
    if unit == "share":
        return f"{100 * value:.1f}"
    return f"{value:.3f}" if unit == "score" else f"{value:.1f}"


def _signed(text: str) -> str:
    """Replace the hyphen by a minus sign, and -0.000 by 0.000."""
    if text.startswith("-"):
        return text[1:] if not text.strip("-0. %") else MINUS + text[1:]
    return text
