from __future__ import annotations

import pytest

from eval.summary import headline

NONE = "no measurable difference"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (
            ["better", "better", NONE],
            "new is better than old on 2 of 3 metrics, and worse on none.",
        ),
        (["better", "worse", NONE], "new is better than old on 1 of 3 metrics, and worse on 1."),
        (["worse", NONE, NONE], "new is worse than old on 1 of 3 metrics, and better on none."),
        ([NONE, NONE, NONE], "No measurable difference between new and old on 3 metrics."),
    ],
)
def test_headline(verdicts: list[str], expected: str) -> None:
    names = ("rouge1", "rougeL", "loop_rate")
    gains = {name: {"verdict": verdict} for name, verdict in zip(names, verdicts, strict=True)}
    gains["length"] = {"verdict": "different"}  # has no direction, so it is not judged
    assert headline("new", "old", gains) == expected
