"""Numbers and verdicts in words: the same in the table, the page and the Markdown file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tuneproof.formats.figures import Verdict

MINUS = "\N{MINUS SIGN}"


class Bounded(Protocol):
    """A value with an interval: an estimate, or a figure of a report."""

    @property
    def value(self) -> float:
        """The value."""

    @property
    def low(self) -> float | None:
        """The lower end of its interval."""

    @property
    def high(self) -> float | None:
        """The upper end."""


def bounded(figure: Bounded, unit: str) -> str:
    """Write a metric's value with its interval: '0.412 (0.391 to 0.436)'."""
    return f"{amount(figure.value, unit)} ({interval(figure.low, figure.high, unit)})"


def bounded_change(figure: Bounded, unit: str) -> str:
    """Write a difference with its interval: '+0.113 (0.090 to 0.140)'."""
    return f"{change(figure.value, unit)} ({interval(figure.low, figure.high, unit)})"


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


def sentence(title: str, unit: str, difference: Bounded, verdict: Verdict) -> str:
    """Say in one sentence what happened to a metric: 'ROUGE-L rose by 0.113 (0.090 to 0.140)'."""
    value, low, high = difference.value, difference.low, difference.high
    if verdict == "no measurable difference" or low is None or high is None:
        text = f"{title} changed by {change(value, unit)} ({interval(low, high, unit)})"
        return f"{text}: {verdict}"
    verb = "rose" if value > 0 else "fell"
    return f"{title} {verb} by {size(difference, unit)}: {verdict}"


def size(difference: Bounded, unit: str) -> str:
    """Write how far two are apart, without a sign: '4.8 points (0.6 to 9.0)'."""
    low, high = difference.low, difference.high
    if difference.value < 0 and low is not None and high is not None:
        low, high = -high, -low
    suffix = {"share": " points", "score": ""}.get(unit, f" {unit}")
    return f"{_size(abs(difference.value), unit)}{suffix} ({interval(low, high, unit)})"


def headline(variant: str, base: str, judged: Sequence[Verdict]) -> str:
    """Say whether a variant differs from the base at all, where no one metric can decide."""
    better, worse = judged.count("better"), judged.count("worse")
    if not better and not worse:
        return f"No measurable difference between {variant} and {base}."
    if better and worse:
        return f"{variant} is better than {base} in some ways and worse in others."
    return f"{variant} is {'better' if better else 'worse'} than {base}."


def p_value(p: float) -> str:
    """Write a p-value: three decimals, or '< 0.001'."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def large(value: float) -> str:
    """Write a large number with three digits: '1.09 T' for 1,090,000,000,000."""
    for size, name in ((1e18, " E"), (1e15, " P"), (1e12, " T"), (1e9, " G"), (1e6, " M")):
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{name}"
    return f"{value:,.0f}"


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
