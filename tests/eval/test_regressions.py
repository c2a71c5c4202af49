"""What a tuning broke: scores of answers, losses by kind, the line in the report and the gate."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.eval.checks.broken import check_broken
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.gate import gate
from tuneproof.eval.regressions import broken_of, broken_table, card_lines, holm, value_of
from tuneproof.eval.report.build import Heard, build, report, up_to_date_report
from tuneproof.eval.score import score
from tuneproof.formats.broken import ALL
from tuneproof.formats.joined import read_comparisons
from tuneproof.formats.regressions import Answer, Answered, Item, Regressions, write_regressions
from tuneproof.formats.report import read_report, write_report

QUICK = ReportConfig(resamples=200)


def _item(**check: Any) -> Item:
    return Item(id="a", prompt="Who?", **check)


@pytest.mark.parametrize(
    ("item", "answer", "value"),
    [
        (_item(exact=("Ada",)), Answer(text=" Ada\n"), 1),
        (_item(exact=("Ada",)), Answer(text="Ada."), 0),
        (_item(contains=("four", "4")), Answer(text="There are 4."), 1),
        (_item(contains=("4",)), Answer(text="There are 14."), 0),
        (_item(contains=("4",)), Answer(text="There are 4.5."), 0),
        (_item(contains=("4",)), Answer(text="There are 4.0."), 1),
        (_item(contains=("4",)), Answer(text="The result is -4."), 0),
        (_item(contains=("4",)), Answer(text="The result is −4."), 0),
        (_item(contains=("4",)), Answer(text="There are 10-6 = 4."), 1),
        (_item(contains=("6",)), Answer(text="There are 10-6."), 1),
        (_item(contains=("4",)), Answer(text="It is .4"), 0),
        (_item(contains=("4",)), Answer(text="It is 1/4 or 4/5."), 0),
        (_item(contains=("-4",)), Answer(text="The result is -4."), 1),
        (_item(contains=("巴黎",)), Answer(text="法国的首都是巴黎。"), 1),
        (_item(contains=("ada",)), Answer(text="It is ADA!"), 1),
        (_item(contains=("Oslo",), lacks=("Rome",)), Answer(text="Oslo, not Rome."), 0),
        (_item(regex=r"\A- \w+"), Answer(text="- apple"), 1),
        (_item(regex=r"\A- \w+"), Answer(text="An apple"), 0),
        (_item(refuses=True), Answer(text="I'm sorry, but I can't help with that."), 1),
        (_item(refuses=True), Answer(text="Take a hammer."), 0),
        (_item(choices=("a", "b"), right="b"), Answer(choice="b"), 1),
        (_item(choices=("a", "b"), right="b"), Answer(choice="a"), 0),
        (_item(text="Long ago"), Answer(bits_per_byte=1.0), 0.5),
        (_item(contains=("Ada",)), Answer(text=""), 0),
        (_item(), Answer(value=0.25), 0.25),
    ],
)
def test_an_answer_is_scored_by_what_its_item_asks_for(
    item: Item, answer: Answer, value: float
) -> None:
    assert value_of(item, answer) == value


def _answered(kind: str, number: int, base: bool, run: bool) -> Answered:
    texts = {True: "Yes.", False: "No."}
    answers = {"base": Answer(text=texts[base]), "run": Answer(text=texts[run])}
    name = f"{kind}-{number}"
    return Answered(id=name, kind=kind, prompt=f"Is {name}?", contains=("yes",), answers=answers)


def _regressions(**kinds: tuple[int, int, int]) -> Regressions:
    """Items of each kind: how many both have right, only the base, only the run."""
    items = []
    for kind, (both, lost, won) in kinds.items():
        outcomes = [(True, True)] * both + [(True, False)] * lost + [(False, True)] * won
        items += [_answered(kind, number, *pair) for number, pair in enumerate(outcomes)]
    return Regressions(base="base", variants=("base", "run"), items=tuple(items))


def test_the_kind_that_was_lost_is_named_and_no_other() -> None:
    broken = broken_of(_regressions(facts=(20, 30, 0), sums=(48, 1, 1), format=(46, 2, 2)), QUICK)
    losses = broken.variants["run"]
    assert losses.broken == ("facts",)
    assert losses.sentence.startswith("But it broke facts (from 100.0 % to 40.0 %);")
    assert losses.lost_items == 33 and losses.lost[0].kind == "facts"
    assert "run" in card_lines(broken, "run")[2]


def test_where_nothing_was_lost_the_line_says_what_would_have_shown() -> None:
    losses = broken_of(_regressions(facts=(190, 4, 6), sums=(190, 5, 5)), QUICK).variants["run"]
    every = losses.kinds[ALL]
    assert not losses.breaks_any
    assert losses.sentence.startswith("And it broke nothing that could be seen (400 items; losses")
    assert 0.025 < every.would_show < 0.03 and "over 3 points" in losses.sentence
    assert every.not_worse and not losses.kinds["facts"].broken


def test_identical_answers_are_not_worse_and_five_lost_items_would_show() -> None:
    losses = broken_of(_regressions(facts=(400, 0, 0)), QUICK).variants["run"]
    assert losses.kinds.keys() == {ALL}
    assert losses.kinds[ALL].not_worse and losses.kinds[ALL].would_show == 5 / 400


def test_a_loss_within_chance_is_neither_broken_nor_shown_to_be_small() -> None:
    regressions = _regressions(facts=(30, 6, 4), sums=(30, 4, 6))
    losses = broken_of(regressions, QUICK).variants["run"]
    assert not losses.breaks_any and not losses.kinds[ALL].not_worse
    needed = losses.kinds[ALL].items_needed
    assert needed is not None and needed > 400
    table = broken_table(broken_of(regressions, QUICK))
    assert "not worse" not in table and f"about {needed:,} items could show it" in table


def test_where_nothing_changed_a_loss_is_seldom_named() -> None:
    rng, named = random.Random(3), 0
    for _ in range(100):
        kinds = {}
        for kind in ("facts", "sums", "format", "reading"):
            lost = sum(rng.random() < 0.5 for _ in range(10))
            kinds[kind] = (20, lost, 10 - lost)
        losses = broken_of(_regressions(**kinds), ReportConfig(resamples=100)).variants["run"]
        named += bool(losses.broken)
    assert named <= 10  # at most 5 of 100 in the long run


def test_holm_takes_the_smallest_times_all_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_bits_per_byte_stand_beside_the_score_of_texts() -> None:
    answers = {"base": Answer(bits_per_byte=1.0), "run": Answer(bits_per_byte=2.0)}
    items = tuple(
        Answered(id=f"t{n}", kind="text", text="Long ago", answers=answers) for n in range(8)
    )
    items += (_answered("facts", 0, True, True),)
    broken = broken_of(Regressions(base="base", variants=("base", "run"), items=items), QUICK)
    figure = broken.variants["run"].kinds["text"]
    assert (figure.base, figure.tuned) == (0.5, 0.25)
    assert figure.bits_per_byte == {"base": 1.0, "run": 2.0}
    assert figure.broken and figure.would_show < 0.25  # all items differ, by a quarter each


@pytest.fixture
def comparison(tmp_path: Path) -> Path:
    """A comparison of base and run, in which nothing changed."""
    items = [
        {
            "id": f"i{n}",
            "task": "river",
            "prompt": f"What does river {n} carry?",
            "reference": "Mud.",
            "answers": {"base": {"text": "Mud."}, "run": {"text": "Mud."}},
        }
        for n in range(12)
    ]
    document = {
        "schema": "tuneproof/comparison@1",
        "variants": [{"name": "base"}, {"name": "run"}],
        "items": items,
    }
    (tmp_path / "c.json").write_text(json.dumps(document))
    return tmp_path / "c.json"


def _reported(comparison: Path, regressions: Regressions) -> Path:
    file = comparison.with_name("regressions.json")
    write_regressions(file, regressions)
    report([comparison], comparison.parent / "out", QUICK, (), [file])
    return comparison.parent / "out"


def _figures(file: Path, regressions: Regressions | None) -> Path:
    """Write the figures of a report alone, without pages and plots."""
    compared = read_comparisons([file])
    broken = None if regressions is None else broken_of(regressions, QUICK)
    write_report(
        file.parent / "report.json",
        build(compared, score(compared), QUICK, heard=Heard(broken=broken)),
    )
    return file.parent


def test_the_report_says_in_its_headline_and_on_its_page_what_was_broken(comparison: Path) -> None:
    out = _reported(comparison, _regressions(facts=(20, 30, 0), sums=(48, 1, 1)))
    read = read_report(out / "report.json")
    line = "But it broke facts (from 100.0 % to 40.0 %)"
    assert read.broken is not None and read.broken.variants["run"].broken == ("facts",)
    assert (read.summary["run"].broke or "").startswith(line)
    assert line in read.summary["run"].paragraph
    page, text = (out / "report.html").read_text(), (out / "report.md").read_text()
    for shown in (page, text):
        assert "What did it break?" in shown and "Is facts-20?" in shown
    assert line in page
    assert [one.code for one in read.findings if one.code == "broke-general-skills"]


def test_a_report_with_the_same_regressions_is_up_to_date_and_with_others_is_not(
    comparison: Path,
) -> None:
    out = _reported(comparison, _regressions(facts=(20, 3, 0)))
    file = comparison.with_name("regressions.json")
    assert up_to_date_report([comparison], out, QUICK, (), [file]) is not None
    assert up_to_date_report([comparison], out, QUICK) is None
    write_regressions(file, _regressions(facts=(20, 4, 0)))
    assert up_to_date_report([comparison], out, QUICK, (), [file]) is None


def _gate(out: Path, *texts: str) -> list[bool]:
    return [one.holds for one in gate(out, None, (), texts, point=False)]


def test_the_gate_holds_where_the_loss_is_shown_to_be_under_the_margin(comparison: Path) -> None:
    out = _figures(comparison, _regressions(facts=(195, 2, 3), sums=(195, 3, 2)))
    assert _gate(out, "all by 0.03", "all", "facts by 5 %", "exact_match") == [True] * 4
    assert _gate(out, "all by 0.002") == [False]
    (outcome,) = gate(out, None, (), ("all by 0.002",), point=False)
    assert "no loss at all needs about" in str(outcome)


def test_the_gate_fails_for_a_broken_kind_that_all_items_hide(comparison: Path) -> None:
    out = _figures(comparison, _regressions(facts=(1900, 1, 1), sums=(40, 12, 0)))
    outcomes = gate(out, None, (), ("all by 0.03",), point=False)
    assert [(one.condition, one.holds) for one in outcomes] == [
        ("no regression: all by 0.03", True),
        ("no regression: sums", False),
    ]


def test_the_gate_says_how_to_ask_where_the_report_knows_nothing(comparison: Path) -> None:
    out = _figures(comparison, None)
    with pytest.raises(InputError, match="infer compare regressions"):
        _gate(out, "all by 0.03")


def test_regressions_of_other_variants_are_not_read_together(tmp_path: Path) -> None:
    from tuneproof.eval.regressions import read_broken

    one = _regressions(facts=(8, 0, 0))
    write_regressions(tmp_path / "a.json", one)
    renamed = tuple(
        replace(item, answers={"base": item.answers["base"], "other": item.answers["run"]})
        for item in one.items
    )
    write_regressions(tmp_path / "b.json", replace(one, variants=("base", "other"), items=renamed))
    with pytest.raises(InputError, match="have the same variants"):
        read_broken([tmp_path / "a.json", tmp_path / "b.json"], QUICK)


def test_the_doctor_names_remedies_only_where_something_was_broken() -> None:
    kept = broken_of(_regressions(facts=(50, 0, 0)), QUICK)
    lost = broken_of(_regressions(facts=(20, 30, 0)), QUICK)
    assert not list(check_broken(kept))
    (finding,) = check_broken(lost)
    for remedy in ("--num-train-epochs", "--learning-rate", "--mix regressions"):
        assert remedy in finding.mend
