from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneproof.eval.metrics.chrf import chrf


def test_hand_computed_value() -> None:
    # n-grams of "abc" and "abd": 2 of 3, 1 of 2, 0 of 1 for n = 1, 2, 3; precision is recall
    assert chrf("abc", "abd") == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_white_space_is_left_out_and_case_is_not() -> None:
    assert chrf("a b\nc", "abc") == 1
    assert chrf("ABC", "abc") == 0


def test_empty_answer_scores_zero() -> None:
    assert chrf("", "a") == 0


@settings(deadline=None)
@given(st.text(max_size=60), st.text(min_size=1, max_size=60))
def test_range(answer: str, reference: str) -> None:
    assert 0 <= chrf(answer, reference) <= 1


def test_is_sacrebleus_sentence_chrf(dolly: list[dict[str, Any]]) -> None:
    import sacrebleu

    texts = [row["response"][:300] for row in dolly[:100]]
    for answer, reference in zip(texts, [*texts[1:], texts[0]], strict=True):
        expected = sacrebleu.sentence_chrf(answer, [reference])
        assert chrf(answer, reference) == expected.score / 100


def test_sacrebleu_is_not_loaded_for_help() -> None:
    code = "import sys, tuneproof.eval.cli; print({'sacrebleu', 'regex'} & set(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "set()"
