from __future__ import annotations

import math
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.prepdata.sources import finqa
from tuneproof.prepdata.sources.rows import Row

TABLE = [["", "2012", "2011"], ["net  sales", "$ 12", "$ 10"], ["loss", "-3 ( 3 )", "4% ( 4 % )"]]
PAGE = {"pre_text": ["Before .", "."], "table": TABLE, "post_text": ["After .", ""]}
NESTED = {
    **PAGE,
    "id": "V/2008/page_17.pdf-2",
    "filename": "V/2008/page_17.pdf",
    "qa": {"question": "what grew?", "answer": "20%", "exe_ans": 0.2, "program": "divide(2, 10)"},
}
FLAT = {**PAGE, "id": "V/2008/page_17.pdf-1", "question": "what grew?", "final_result": "0.2"}
COMPACT = {
    "question": "what percentage was it?",
    "retrieved_context": ["the loss of 2012 is -3 ( 3 ) ;"],
    "table": TABLE,
    "program": "divide(2, 10)",
    "exe_ans_computed": 0.2,
    "id": "V/2008/page_17.pdf-3",
}


def row(values: dict[str, Any]) -> Row:
    return Row(values, "file:1", None)


def test_table_keeps_its_header_row_and_separates_cells() -> None:
    text = finqa.record(row(NESTED)).input
    assert text == (
        " | 2012 | 2011\n--- | --- | ---\nnet sales | $ 12 | $ 10\nloss | -3 | 4%"
        "\n\nBefore .\n\nAfter ."
    )


def test_three_forms_of_one_page_are_one_group() -> None:
    records = [finqa.record(row(values)) for values in (NESTED, FLAT, COMPACT)]
    assert {record.group for record in records} == {"V/2008/page_17.pdf"}
    assert [record.output for record in records] == ["20%", "0.2", "20%"]
    assert records[2].input.endswith("\n\nthe loss of 2012 is -3 ;")


def test_row_without_id_gets_one_from_its_content() -> None:
    values = {name: value for name, value in COMPACT.items() if name != "id"}
    one, two = finqa.record(row(values)), finqa.record(row({**values, "question": "why?"}))
    assert one.id == finqa.record(row(values)).id != two.id
    assert one.group == one.id


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (127.4, "127.4"),
        (93.0, "93"),
        (-0.0, "0"),
        (0.53333, "0.53333"),
        (1e-06, "0.000001"),
        (12345.678, "12345.68"),
        (99999.999, "100000"),
        (36003776400000.0, "36003776400000"),
        (-11.3333333, "-11.333"),
        (float("nan"), ""),
        (float("inf"), ""),
    ],
)
def test_number_has_no_exponent_and_no_needless_digits(value: float, text: str) -> None:
    assert finqa.number_text(value) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"answer": "93.5%", "exe_ans": 0.935}, "93.5%"),
        ({"answer": "4.9\\\\n"}, "4.9"),
        ({"answer": "  ", "exe_ans": 1393.0}, "1393"),
        ({"answer": None, "final_result": "7"}, "7"),
        ({"exe_ans_computed": "yes"}, "yes"),
        ({"exe_ans": False}, "no"),
        ({"exe_ans": 5}, "5"),
        ({"answer": "", "final_result": math.nan, "exe_ans": 127.4}, "127.4"),
        ({"answer": ""}, ""),
    ],
)
def test_answer_is_the_first_that_is_not_empty(values: dict[str, Any], text: str) -> None:
    assert finqa.answer_text(row({"question": "how much?", **values})) == text


@pytest.mark.parametrize(
    ("question", "program", "text"),
    [
        ("what percentage is it?", "divide(1, 3)", "33.33%"),
        ("what % is it?", "subtract(4, 3), divide(#0, 3)", "33.33%"),
        ("what percentage is it?", "divide(1, 3), multiply(#0, const_100)", "0.33333"),
        ("what percentage is it?", "divide(1, const_1000)", "33.33%"),
        ("what percentage points are between them?", "subtract(2, 1.66667)", "0.33333"),
        ("what is the ratio?", "divide(1, 3)", "0.33333"),
    ],
)
def test_computed_share_asked_for_in_percent_is_a_percentage(
    question: str, program: str, text: str
) -> None:
    values = {"question": question, "program": program, "exe_ans_computed": 0.33333}
    assert finqa.answer_text(row(values)) == text


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"qa": {"answer": "1"}}, "missing field 'question'"),
        ({"question": "why?"}, "missing the answer; one of answer, final_result"),
        ({"qa": "why?"}, "'qa' must be an object"),
        ({"question": "why?", "answer": "1", "table": "a|b"}, "'table' must be a list"),
        ({"question": "why?", "answer": "1", "table": ["ab"]}, "'table' must be a list"),
        ({"question": "why?", "answer": "1", "pre_text": 3}, "'pre_text' must be a list"),
    ],
)
def test_row_of_another_shape_is_an_input_error(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError, match=f"file:1: {fault}"):
        finqa.record(row(values))


def counted(values: dict[str, Any]) -> list[str]:
    return list(finqa.notes(row(values)))


def test_program_is_executed_and_checked_against_both_answers() -> None:
    assert finqa.record(row(NESTED)).executed == "0.2"
    assert counted(NESTED) == ["program executed"]
    twisted = {**NESTED, "qa": {**NESTED["qa"], "answer": "2%", "exe_ans": 0.02}}
    assert finqa.record(row(twisted)).executed == "0.2"
    assert counted(twisted) == [
        "program executed",
        "program that comes to something else than exe_ans",
        "program that comes to something else than the written answer",
    ]


def test_row_without_a_program_has_no_executed_answer() -> None:
    assert finqa.record(row(FLAT)).executed == ""
    assert counted(FLAT) == []


def test_program_that_cannot_be_executed_is_counted_and_the_row_kept() -> None:
    broken = {**COMPACT, "program": "divide(1, 0)"}
    assert finqa.record(row(broken)).output == "20%"
    assert finqa.record(row(broken)).executed == ""
    assert counted(broken) == ["program that cannot be executed"]


def test_yes_and_no_are_executed_answers() -> None:
    asked = {**COMPACT, "program": "greater(2, 10)", "exe_ans_computed": "no"}
    assert finqa.record(row(asked)).executed == "no"
    assert counted(asked) == ["program executed"]
