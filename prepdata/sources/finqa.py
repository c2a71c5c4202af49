"""FinQA: questions on pages of company reports, with a table and the text around it.

Hub: PTPReasoning/finqa, MIT. Upstream JSON nests the question, the Hub's form is flat:

    {"id": "V/2008/page_17.pdf-1", "filename": "V/2008/page_17.pdf",
     "pre_text": ["the largest operators ..."],
     "table": [["company", "volume"], ["visa", "$ 2457"]],
     "post_text": ["( 1 ) visa inc ."],
     "qa": {"question": "what is the average ...?", "answer": "127.40", "exe_ans": 127.4,
            "program": "divide(637, const_5)"}}

The written answer is what is trained on; what the program comes to goes along as `executed`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.example import Example, content_id
from tuneproof.numbers import states_value
from tuneproof.prepdata.sources import programs
from tuneproof.prepdata.sources.rows import Row

ANSWERS = ("answer", "final_result", "exe_ans", "exe_ans_computed")
ECHO = re.compile(r"(\d[\d.,]*)(%?) \( \1 ?\2 \)")
"""Upstream writes negative numbers and percentages twice: ``-162 ( 162 )``, ``4.8% ( 4.8 % )``."""
STRAY_BREAK = re.compile(r"(\\+n)+$")
"""Some upstream answers end in a backslash and an n."""


def record(row: Row) -> Example:
    """Map one row; the questions of one page form a group."""
    row = _flat(row)
    row.require("question")
    if not any(name in row.values for name in ANSWERS):
        raise InputError(f"{row.where}: missing the answer; one of {', '.join(ANSWERS)} is needed")
    question = row.text("question")
    page = input_text(row)
    name = row.text("id") or content_id("finqa", question, page)
    return Example(
        id=name,
        task="finqa",
        instruction=ECHO.sub(r"\1\2", question),
        input=ECHO.sub(r"\1\2", page),
        output=answer_text(row),
        group=row.text("filename") or re.sub(r"-\d+$", "", name),
        executed=executed_text(row),
    )


def notes(row: Row) -> Iterator[str]:
    """Yield what became of the row's program, and where its answers contradict one another."""
    row = _flat(row)
    if not row.text("program"):
        return
    executed = executed_text(row)
    if not executed:
        yield "program that cannot be executed"
        return
    yield "program executed"
    given, written = _given(row), STRAY_BREAK.sub("", row.text("answer")).strip()
    if given and given != executed:
        yield "program that comes to something else than exe_ans"
    if written and not states_value(written, executed, written):
        yield "program that comes to something else than the written answer"


def executed_text(row: Row) -> str:
    """Return what the program of a flat row comes to, or nothing where it cannot be executed."""
    try:
        return _value_text(programs.execute(row.text("program"), _list(row, "table")))
    except ValueError:
        return ""


def _given(row: Row) -> str:
    """Return the executed answer that the row itself has, written like ours."""
    for name in ("exe_ans", "exe_ans_computed"):
        value = row.values.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                return _value_text(round(float(value), programs.DECIMALS))
            except OverflowError:  # a whole number beyond every float
                return str(value)
        if row.text(name):
            return row.text(name)
    return ""


def _value_text(value: programs.Value) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.{programs.DECIMALS}f}".rstrip("0").rstrip(".")


def input_text(row: Row) -> str:
    """Return the page as text: the table first, since what is too long is cut from the end."""
    parts = [table_text(_list(row, "table"))]
    parts += [_joined(_list(row, name)) for name in ("pre_text", "retrieved_context", "post_text")]
    return "\n\n".join(part for part in parts if part)


def table_text(table: list[list[Any]]) -> str:
    """Return a table as lines of cells set apart by ``|``, the header row first and ruled off."""
    lines = [" | ".join(" ".join(str(cell).split()) for cell in cells) for cells in table]
    if len(lines) > 1:
        lines.insert(1, " | ".join("---" for _ in table[0]))
    return "\n".join(lines)


def answer_text(row: Row) -> str:
    """Return the first answer given that is not empty, as the annotators write answers.

    Computed answers are numbers: they lose needless digits, and become a percentage where that is
    asked for and the program divides.
    """
    for name in ANSWERS:
        value = row.values.get(name)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            if not math.isfinite(value):
                continue
            return (
                number_text(round(100 * value, 2)) + "%"
                if _is_percentage(row)
                else number_text(value)
            )
        text = STRAY_BREAK.sub("", row.text(name)).strip()
        if text:
            return text
    return ""


def number_text(value: float) -> str:
    """Return a number with two decimals, or five digits where that is more; no trailing zeros."""
    if not math.isfinite(value):
        return ""
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    text = f"{value:.{max(2, 4 - magnitude)}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _is_percentage(row: Row) -> bool:
    """Return whether a computed answer is a share asked for in percent.

    Of upstream's answers of this kind 103 in 106 are written with a percent sign.
    """
    program = row.text("program")
    divides = "divide(" in program and not re.search(r"const_100\b", program)
    return divides and bool(re.search(r"percent|%", row.text("question")))


def _flat(row: Row) -> Row:
    """Return the row with the fields of `qa` beside the others."""
    nested = row.values.get("qa") or {}
    if not isinstance(nested, Mapping):
        raise InputError(f"{row.where}: 'qa' must be an object, found {str(nested)[:60]!r}")
    return Row({**row.values, **nested}, row.where, row.split)


def _list(row: Row, name: str) -> list[Any]:
    value = row.values.get(name)
    if value is None:
        return []
    if isinstance(value, str) and name != "table":
        return [value]
    if not isinstance(value, list) or (name == "table" and not all(type(c) is list for c in value)):
        raise InputError(f"{row.where}: {name!r} must be a list, found {str(value)[:60]!r}")
    return value


def _joined(lines: list[Any]) -> str:
    return " ".join(str(line).strip() for line in lines if str(line).strip(" .")).strip()
