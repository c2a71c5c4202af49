"""FinQA's programs: a few steps of arithmetic that lead from a page to the answer, executed.

A program is a list of steps such as ``subtract(5829, 5735), divide(#0, 5735)``. A step takes two
arguments: numbers as the page has them (``6.9%``), constants (``const_100``, ``const_m1`` is -1) or
results of earlier steps (``#0`` is the first). ``table_sum(net sales, none)`` and its like take the
name of a table row instead. The last step is the answer: a number, or yes or no of ``greater``.
Source: Chen et al., 2021, FinQA: A Dataset of Numerical Reasoning over Financial Data, section 3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

Value = float | str
"""A number, or ``yes`` or ``no``."""
DECIMALS = 5
"""Upstream rounds executed answers so."""

_TWO: dict[str, Callable[[float, float], Value]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "exp": lambda a, b: math.pow(a, b),
    "greater": lambda a, b: "yes" if a > b else "no",
}
_ROW: dict[str, Callable[[Sequence[float]], float]] = {
    "table_average": lambda numbers: math.fsum(numbers) / len(numbers),
    "table_max": max,
    "table_min": min,
    "table_sum": math.fsum,
}
_STEP = re.compile(
    r"\s*(?P<name>[a-z_]+)\((?P<first>.+?),\s*(?P<second>[^,]+?)\s*\)"
    r"\s*(?:,(?=\s*[a-z_]+\()|$)"  # a row's name may hold commas and brackets
)


def execute(program: str, table: Sequence[Sequence[object]]) -> Value:
    """Return what a program comes to.

    Args:
        program: The steps, separated by commas.
        table: The page's table: rows of cells, the first of which is the row's name.

    Raises:
        ValueError: It is no program, names a row that is not there or holds a text, or comes to no
            number (a division by zero).
    """
    results: list[Value] = []
    position = 0
    while position < len(program):
        step = _STEP.match(program, position)
        if step is None:
            raise ValueError(f"no step of a program: {program[position:].strip()!r}")
        results.append(_run(step, results, table))
        position = step.end()
    if not results:
        raise ValueError("an empty program")
    last = results[-1]
    if isinstance(last, str):
        return last
    return round(last, DECIMALS) + 0.0  # not -0


def _run(step: re.Match[str], results: Sequence[Value], table: Sequence[Sequence[object]]) -> Value:
    name, first, second = step["name"], step["first"].strip(), step["second"]
    try:
        if name in _ROW:
            return _ROW[name](_row(first, table))
        if name in _TWO:
            value = _TWO[name](_number(first, results), _number(second, results))
            if isinstance(value, str) or math.isfinite(value):
                return value
            raise ValueError(f"{name} comes to {value}")
    except ArithmeticError as error:
        raise ValueError(f"{name}({first}, {second}): {error}") from error
    raise ValueError(f"unknown operation {name!r}; known: {', '.join([*_TWO, *_ROW])}")


def _number(text: str, results: Sequence[Value]) -> float:
    """Return the number that an argument stands for."""
    if re.fullmatch(r"#\d+", text):
        earlier = int(text[1:])
        if earlier >= len(results):
            raise ValueError(f"{text}: no such step before")
        value = results[earlier]
        if isinstance(value, str):
            raise ValueError(f"{text} is {value!r} and no number")
        return value
    return _read(re.sub("^const_m", "-", text).removeprefix("const_"))


def _row(name: str, table: Sequence[Sequence[object]]) -> list[float]:
    """Return the numbers of the row of that name, the last one where several have it."""
    rows: Mapping[str, Sequence[object]] = {
        str(cells[0]): cells[1:] for cells in table if len(cells) > 1
    }
    if name not in rows:
        raise ValueError(f"the table has no row {name!r}")
    return [_read(str(cell).replace("$", "").partition("(")[0]) for cell in rows[name]]


def _read(text: str) -> float:
    """Return a number as a page has it: ``5,829``, ``-3``, ``6.9%`` (0.069)."""
    written = text.strip().replace(",", "")
    digits = written.removesuffix("%")
    if not re.fullmatch(r"[-+]?\s?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*", digits):
        raise ValueError(f"{text!r} is no number")
    value = float(digits.replace(" ", ""))
    return value / 100 if written.endswith("%") else value
