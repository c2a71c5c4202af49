from __future__ import annotations

from collections import Counter

import pytest

from tuneproof.errors import InputError
from tuneproof.prepdata.sources.rows import Row, matching

ROWS = [
    {"Company": "BANK OF AMERICA, N.A.", "Product": "Mortgage"},
    {"Company": "Bank of America", "Product": "Credit card"},
    {"Company": "Other Bank", "Product": "Mortgage"},
]


def found(*where: str) -> tuple[list[int], Counter[str]]:
    left_out = Counter[str]()
    rows = [Row(values, f"f:{number}", None) for number, values in enumerate(ROWS)]
    kept = matching(iter(rows), where, left_out)
    return [int(row.where[2:]) for row in kept], left_out


def test_no_condition_keeps_all() -> None:
    assert found() == ([0, 1, 2], {})


def test_values_are_compared_whole_whatever_their_case() -> None:
    assert found("company=bank of america") == ([1], {"not what --where asks for": 2})


def test_one_field_is_any_of_its_values_and_several_fields_are_all() -> None:
    assert found("product=mortgage", "product=credit card")[0] == [0, 1, 2]
    assert found("product=mortgage", "company=bank*")[0] == [0]


def test_a_star_stands_for_any_text() -> None:
    assert found("company=bank of america*")[0] == [0, 1]
    assert found("company=*bank*")[0] == [0, 1, 2]


def test_a_field_that_is_not_there_is_an_error_that_lists_those_that_are() -> None:
    with pytest.raises(InputError, match=r"f:0: missing field 'firm'; it has Company, Product"):
        found("firm=x")


def test_only_a_star_is_special() -> None:
    rows = [Row({"code": code}, f"f:{code}", None) for code in ("C[1]", "C1", "C?")]
    for value in ("C[1]", "C?"):
        kept = matching(iter(rows), (f"code={value}",), Counter[str]())
        assert [row.values["code"] for row in kept] == [value]
