"""The forms of numbers: what the page says of each is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tuneproof.eval.metrics.numeric import numeric_match
from tuneproof.numbers import decimal_mark

PAGE = (Path(__file__).parents[2] / "docs/your-data.md").read_text(encoding="utf-8")


def rows(name: str) -> list[list[str]]:
    block = re.search(rf"<!-- numbers: {name} -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)
    assert block is not None
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in block[1].strip().splitlines()[2:]
    ]


READ = [
    (re.findall(r"`(.+?)`", reference)[0], answer, float(column))
    for reference, right, wrong in rows("read")
    for column, cell in ((1, right), (0, wrong))
    for answer in re.findall(r"`(.+?)`", cell)
]


@pytest.mark.parametrize(("reference", "answer", "expected"), READ)
def test_forms_of_the_page(reference: str, answer: str, expected: float) -> None:
    assert numeric_match(answer, reference) == expected
    assert numeric_match(reference, reference) == 1
    assert numeric_match("none", reference) == 0


def test_the_page_has_many_forms() -> None:
    assert len(READ) > 90
    assert len({reference for reference, *_ in READ}) == len(rows("read")) > 20


@pytest.mark.parametrize("row", rows("not read"), ids=lambda row: row[0])
def test_forms_that_are_not_read(row: list[str]) -> None:
    reference = row[0].strip("`| ")
    assert numeric_match(reference, reference) is None


def test_the_mark_that_references_show() -> None:
    for point in ("1.5", "1,234.50", "1,234,567", "0.125"):
        assert decimal_mark([point, "15", "1.234", "words"]) == "."
    for comma in ("1,5", "1.234,50", "1.234.567", "0,125"):
        assert decimal_mark([comma, "15", "1.234", "words"]) == ","
    assert decimal_mark(["1,5", "1.5"]) == decimal_mark(["15", "1.234", "1,234"]) == ""
