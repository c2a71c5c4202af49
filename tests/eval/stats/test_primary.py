from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.score import score
from tuneproof.eval.stats.estimates import Analysis, analyse
from tuneproof.formats.comparison import read_comparison

Write = Callable[..., Path]


def analysed(path: Path, **settings: Any) -> Analysis:
    comparison = read_comparison(path)
    return analyse(comparison, score(comparison), ReportConfig(resamples=500, **settings))


def test_metric_goes_by_task_unless_it_is_declared(
    document: dict[str, Any], topics: dict[str, Any], write: Write
) -> None:
    by_task = [analysed(write(one)).primary for one in (document, topics)]
    assert [(one.metric, one.is_declared) for one in by_task if one] == [
        ("rougeL", False), ("accuracy", False),
    ]  # fmt: skip
    declared = analysed(write(topics), primary="macro_f1")
    assert declared.primary is not None
    assert (declared.primary.metric, declared.primary.is_declared) == ("macro_f1", True)
    firsts = [name for name, gain in declared.gains["tuned"].items() if gain.is_primary]
    assert firsts == ["macro_f1"]
    assert {pair.metric for pair in declared.pairs} == {"accuracy"}  # pairs are of answers


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("rougel", "unknown metric 'rougel'. Did you mean 'rougeL'?"),
        ("length", "--primary length: it has no better direction"),
        ("numeric_match", "--primary numeric_match: not available: no item has a number"),
        ("accuracy", "--primary accuracy: no answer here is scored by it; "),
        ("macro_f1", "--primary macro_f1: no answer here is scored by it; "),
    ],
)
def test_what_cannot_decide_is_refused(
    metric: str, message: str, document: dict[str, Any], write: Write
) -> None:
    with pytest.raises(InputError) as caught:
        analysed(write(document), primary=metric)
    assert message in str(caught.value)


def test_ladder_ranks_all_variants_with_their_verdicts(
    topics: dict[str, Any], write: Write
) -> None:
    found = analysed(write(topics))
    assert found.primary is not None
    assert [rung.variant for rung in found.primary.ladder] == ["tuned", "majority", "base"]
    first, second, base = found.primary.ladder
    gain = found.gains["tuned"]["accuracy"]
    assert first.difference is not None
    assert (first.verdict, first.difference.low) == (gain.verdict, gain.low)
    assert second.difference is not None
    assert second.difference.value == pytest.approx(4 / 12)
    assert (base.verdict, base.difference) == (None, None)
    assert found.primary.seen_from == gain.mde
    for rung in found.primary.ladder:  # three intervals together are wider than each alone
        alone = found.metrics[rung.variant]["accuracy"]
        assert rung.low < alone.low < alone.high < rung.high


def test_lower_is_better_turns_the_ladder(document: dict[str, Any], write: Write) -> None:
    found = analysed(write(document), primary="loop_rate").primary
    assert found is not None
    assert [(rung.variant, rung.value) for rung in found.ladder] == [("tuned", 0), ("base", 1)]
    assert found.ladder[0].verdict == "better"


def test_nothing_to_rank_without_a_value_of_the_primary_metric(write: Write) -> None:
    rows = [{"prompt": "p", "fine_tuned": "a", "regular": "b"}]
    assert analysed(write(rows)).primary is None


def test_margin_gives_equivalence_to_gains_and_pairs(topics: dict[str, Any], write: Write) -> None:
    for item in topics["items"]:
        item["answers"]["tuned"] = item["answers"]["base"]
    found = analysed(write(topics), margin=0.3)
    within = found.gains["tuned"]["accuracy"].equivalence
    assert within is not None
    assert (within.margin, within.same, within.not_worse) == (0.3, True, True)
    assert found.gains["tuned"]["macro_f1"].equivalence is None
    tight = analysed(write(topics), margin=0.01).gains["tuned"]["accuracy"].equivalence
    assert tight is not None and not tight.same
    against = next(p for p in found.pairs if (p.a, p.b) == ("tuned", "majority"))
    assert against.equivalence is not None and not against.equivalence.not_worse
    turned = against.seen_from("majority", "tuned")
    assert turned is not None and turned.equivalence is not None
    assert turned.equivalence.not_worse
