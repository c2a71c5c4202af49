from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuneproof.prepdata.sources.programs import execute

TABLE = [
    ["", "2012", "2011", "2010"],
    ["balance as of december 31, net ( 1 )", "$ 24,412", "-12034 ( 12034 )", "5.5"],
    ["margin", "9.3% ( 9.3 % )", "10.7%", ""],
    ["yield", "25%", "50 %", "0"],
    ["short"],
]


@pytest.mark.parametrize(
    ("program", "value"),
    [
        ("subtract(5829, 5735), divide(#0, 5735)", 0.01639),
        ("add(1,234.5, 2)", 1236.5),
        ("multiply(351, const_m1), add(#0, 538)", 187),
        (
            "divide(6.9%, const_100), add(const_1, #0), exp(#1, 10), multiply(4273.1, #2)",
            4302.67611,
        ),
        ("subtract(-3, -3)", 0),
        ("divide(const_1000000, const_1000)", 1000),
        ("greater(5, 4)", "yes"),
        ("greater(4, 4)", "no"),
        ("add(1, 2), subtract(5, #0), greater(#0, #1)", "yes"),
        ("table_sum(balance as of december 31, net ( 1 ), none)", 12383.5),
        ("table_average(yield, none), table_max(yield, none), subtract(#1, #0)", 0.25),
        ("table_min(yield, none)", 0),
    ],
)
def test_program_comes_to(program: str, value: float | str) -> None:
    assert execute(program, TABLE) == value


def test_nothing_is_never_minus_nothing() -> None:
    assert str(execute("multiply(0, const_m1)", [])) == "0.0"


@pytest.mark.parametrize(
    ("program", "fault"),
    [
        ("", "an empty program"),
        ("none", "no step of a program"),
        ("add(1)", "no step of a program"),
        ("add(1, 2) and more", "no step of a program"),
        ("divide(1, 0)", "division by zero"),
        ("exp(10, 1000)", "exp"),
        ("exp(-8, 0.5)", "math domain error"),
        ("add(#0, 1)", "#0: no such step before"),
        ("greater(1, 2), add(#0, 1)", "#0 is 'no' and no number"),
        ("add(one, 2)", "'one' is no number"),
        ("power(1, 2)", "unknown operation 'power'"),
        ("table_sum(sales, none)", "the table has no row 'sales'"),
        ("table_sum(short, none)", "the table has no row 'short'"),
        ("table_sum(margin, none)", "'' is no number"),
    ],
)
def test_what_is_no_program_is_an_error(program: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        execute(program, TABLE)


def test_every_program_of_the_source_comes_to_the_answer_that_stands_beside_it(
    shared_data: Path,
) -> None:
    compared = 0
    for name in ("train.json", "dev.json"):
        if not (shared_data / "finqa" / name).is_file():
            pytest.skip("no FinQA in the public data")
        for row in json.loads((shared_data / "finqa" / name).read_text()):
            found, wanted = execute(row["qa"]["program"], row["table"]), row["qa"]["exe_ans"]
            assert found == (wanted if isinstance(wanted, str) else pytest.approx(wanted, abs=1e-5))
            compared += 1
    assert compared >= 300
