from __future__ import annotations

from pathlib import Path

import pytest

from tuneproof.formats.comparison import Comparison
from tuneproof.formats.variant import Variant

BASELINES = ("chance", "majority", "tf-idf")


def compared(kinds: dict[str, str]) -> Comparison:
    variants = [Variant(name=name, details={"kind": kind}) for name, kind in kinds.items()]
    baselines = [Variant(name=name, details={"kind": "baseline"}) for name in BASELINES]
    return Comparison(sources=(Path("a"),), variants=(*variants, *baselines), items=())


@pytest.mark.parametrize(
    ("kinds", "base", "tuned"),
    [
        ({"mine": "adapter", "base": "model"}, "base", ["mine"]),
        ({"one": "model", "two": "adapter"}, "one", ["two"]),
        ({"head": "head"}, "majority", ["head"]),
        ({"head": "head", "other": "head"}, "majority", ["head", "other"]),
        ({"head": "head", "base": "model"}, "base", ["head"]),
    ],
)
def test_heads_alone_are_measured_against_the_majority(
    kinds: dict[str, str], base: str, tuned: list[str]
) -> None:
    found = compared(kinds)
    assert found.base == base
    assert found.tuned == tuned
