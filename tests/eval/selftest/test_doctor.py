"""Planted faults are named, and comparisons in which nothing is wrong are left alone."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from tuneproof.eval.checks.comparison import check_comparison
from tuneproof.eval.cli import main
from tuneproof.eval.selftest import doctor
from tuneproof.eval.selftest.doctor import BY_NATURE, Healthy, check_healthy, detect
from tuneproof.eval.selftest.faults import FAULTS, kinds_for
from tuneproof.eval.selftest.healthy import answered, comparison
from tuneproof.eval.selftest.kinds import KINDS
from tuneproof.formats.comparison import Answer, Comparison, Item
from tuneproof.formats.variant import Variant


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_in_all_items_is_named(fault: str) -> None:
    planted = FAULTS[fault]
    kind = KINDS["sentences" if "sentences" in kinds_for(planted) else "twenty labels"]
    healthy = comparison(kind, 60, seed=3)
    assert not planted.codes or not {one.code for one in check_comparison(healthy)} & {
        *planted.codes
    }
    spoiled = planted.plant(healthy, list(range(60)), Random(1))
    assert {one.code for one in check_comparison(spoiled)} & {*planted.codes}


@pytest.mark.slow
def test_healthy_comparisons_of_every_kind_have_no_error_or_warning() -> None:
    healthy = check_healthy(2, seed=5, n=120)
    assert healthy.comparisons == 2 * len(KINDS) >= 60
    assert (healthy.errors, healthy.warnings) == (Counter(), Counter())


@pytest.mark.slow
def test_most_faults_in_a_fifth_of_the_items_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SHARES", (0.2,))
    found = {line.fault: line.found[0] for line in detect(5, seed=1, n=100)}
    unsure = {"labels at other items", "base and tuned exchanged"}
    unsure |= {"texts of base and tuned exchanged", "another base", "few-shot beats tuning"}
    assert {name: share for name, share in found.items() if name not in unsure} == {
        name: pytest.approx(1.0, abs=0.21) for name in found if name not in unsure
    }


@pytest.mark.parametrize(("errors", "code"), [({}, 0), ({"sentences: refusals": 1}, 1)])
def test_command_exits_1_on_a_false_error(
    monkeypatch: pytest.MonkeyPatch, errors: dict[str, int], code: int
) -> None:
    made = Healthy(
        comparisons=1, errors=Counter(errors), warnings=Counter(), notes=Counter({"x": 2})
    )
    monkeypatch.setattr(doctor, "check_healthy", lambda *_: made)
    monkeypatch.setattr(doctor, "FAULTS", {"refusals": FAULTS["refusals"]})
    result = CliRunner().invoke(main, ["selftest", "--doctor", "1"])
    assert result.exit_code == code, result.output
    assert "100 (100)" in result.output
    assert f"1 healthy comparisons of {len(KINDS)} kinds: {len(errors)} false err" in result.output


def of_people(rows: list[dict[str, Any]], rng: Random) -> Comparison:
    """Answers that people gave, some of them shortened by a sentence, beside a looping base."""
    items = []
    for number, row in enumerate(rows):
        sentences = row["response"].split(". ")
        short = ". ".join(sentences[:-1]) + "." if len(sentences) > 2 else row["response"]
        loop = f"{row['instruction']} " * 20
        answers = {
            "base": Answer(text=loop, tokens=len(loop.encode()) // 4, finish_reason="length"),
            "tuned": answered(rng.choice((row["response"], short))),
        }
        items.append(
            Item(
                id=f"d{number}",
                task="dolly",
                instruction=row["instruction"],
                input=row["context"],
                output=row["response"],
                group=f"d{number}",
                answers=answers,
            )
        )
    return Comparison(
        decoding={"do_sample": False},
        variants=(Variant(name="base"), Variant(name="tuned")),
        items=tuple(items),
    )


@pytest.mark.slow
def test_answers_that_people_gave_are_left_alone(dolly: list[dict[str, Any]]) -> None:
    rng = Random(2)
    for start in range(0, 3000, 300):
        findings = check_comparison(of_people(dolly[start : start + 300], rng))
        serious = [one for one in findings if one.severity != "note"]
        assert [one for one in serious if one.code not in {*BY_NATURE, "items-repeated"}] == []
