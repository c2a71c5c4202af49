"""Votes and judges in a report: what is counted, what stands beside a judge, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tuneproof.errors import InputError
from tuneproof.eval.cli import main
from tuneproof.eval.judging.figures import family_of, judge_figures, vote_figures, votes_needed
from tuneproof.formats.comparison import Comparison, read_comparison
from tuneproof.formats.judgements import (
    Judge,
    JudgeCost,
    Judgements,
    Opinion,
    read_judgements,
    write_judgements,
)
from tuneproof.formats.votes import Choice, Vote, Votes, drawn, key_of_answers, read_all_votes

Write = Callable[..., Path]
N = 80


@pytest.fixture
def compared(document: dict[str, Any], write: Write) -> Path:
    """80 items; the tuned answer of every tenth is the base's."""
    first = document["items"][0]

    def base(number: int) -> str:
        return f"base {number} " + "long " * (number % 7)

    document["items"] = [
        {
            **first,
            "id": f"q{number}",
            "prompt": f"What about the matter of {chr(97 + number % 26) * 3}{number}?",
            "answers": {
                "base": {"text": base(number)},
                "tuned": {"text": f"tuned {number}" if number % 10 else base(number)},
            },
        }
        for number in range(N)
    ]
    document["variants"] = [
        {"name": "base", "model": "/models/SmolLM2-135M", "kind": "base", "adapter": None},
        {"name": "tuned", "model": "/models/SmolLM2-135M", "adapter": "runs/tuned/adapter"},
    ]
    return write(document)


def better(number: int) -> str:
    """The truth: tuned is better in three of four."""
    return "base" if number % 4 == 1 else "tuned"


def ballot(comparison: Comparison) -> list[int]:
    """The numbers of the items whose answers differ, in the order drawn."""
    differ = [
        n for n, i in enumerate(comparison.items) if len({a.text for a in i.answers.values()}) > 1
    ]
    return [differ[place] for place in drawn([comparison.items[n] for n in differ])]


def votes_of(
    comparison: Comparison,
    numbers: list[int],
    voter: str = "ann",
    choice: Callable[[int], str | None] = better,
) -> Votes:
    votes = []
    for turn, number in enumerate(numbers):
        left, right = ("base", "tuned") if turn % 2 else ("tuned", "base")
        wanted = choice(number)
        picked: Choice = "tie" if wanted is None else "left" if wanted == left else "right"
        item = comparison.items[number]
        votes.append(
            Vote(
                id=item.id,
                left=left,
                right=right,
                choice=picked,
                answers=key_of_answers(item, "base", "tuned"),
            )
        )
    return Votes(voter=voter, votes=tuple(votes))


def judged(
    comparison: Comparison, said: Callable[[int], tuple[str | None, str | None]], **other: Any
) -> Judgements:
    opinions = []
    for number in ballot(comparison):
        item = comparison.items[number]
        a_first, b_first = said(number)
        opinions.append(
            Opinion(
                id=item.id,
                answers=key_of_answers(item, "tuned", "base"),
                a_first=a_first,  # type: ignore[arg-type]
                b_first=b_first,  # type: ignore[arg-type]
            )
        )
    cost = JudgeCost(
        calls=2 * len(opinions), cached=0, prompt_tokens=9000, answer_tokens=0, seconds=3.0
    )
    settings = {
        "judge": Judge(name="SmolLM2-135M", model="/models/SmolLM2-135M", kind="model"),
        "a": "tuned",
        "b": "base",
        "rubric": "By taste.",
        "cost": cost,
        "opinions": tuple(opinions),
    }
    return Judgements(**{**settings, **other})


def test_votes_give_a_win_rate_with_equal_answers_as_ties(compared: Path) -> None:
    comparison = read_comparison(compared)
    votes = votes_of(comparison, ballot(comparison)[:40])
    (figures,) = vote_figures(comparison, None, [votes], 0.95)
    wins = sum(better(number) == "tuned" for number in ballot(comparison)[:40])
    assert (figures.a, figures.b, figures.equal, figures.differing) == ("tuned", "base", 8, 72)
    assert figures.choices == {"a": wins, "b": 40 - wins, "tie": 0, "bad": 0}
    assert figures.win_rate is not None
    assert figures.win_rate.value == pytest.approx(0.9 * wins / 40 + 0.05)
    assert figures.win_rate.low < 0.9 * 0.75 + 0.05 < figures.win_rate.high
    assert (figures.verdict, figures.alpha, figures.cautions) == ("better", None, ())
    assert figures.left is not None and figures.left.low < 0.5 < figures.left.high


def test_several_voters_have_an_alpha(compared: Path) -> None:
    comparison = read_comparison(compared)
    order = ballot(comparison)
    ann, ben = votes_of(comparison, order[:40]), votes_of(comparison, order[:30], "ben")
    odd = votes_of(comparison, order[:40], "eve", lambda n: "tuned" if n % 2 else "base")
    (same,) = vote_figures(comparison, None, [ann, ben], 0.95)
    (unlike,) = vote_figures(comparison, None, [ann, odd], 0.95)
    assert (same.shared, same.alpha) == (30, 1)
    assert unlike.alpha is not None and unlike.alpha < 0.2


def test_items_that_somebody_chose_and_few_votes_are_said_to_be(compared: Path) -> None:
    comparison = read_comparison(compared)
    by_name, drawn_few = sorted(ballot(comparison))[:35], ballot(comparison)[:9]
    (chosen,) = vote_figures(comparison, None, [votes_of(comparison, by_name)], 0.95)
    (few,) = vote_figures(comparison, None, [votes_of(comparison, drawn_few)], 0.95)
    assert [caution[:36] for caution in chosen.cautions] == ["ann did not vote on the items in the"]
    assert few.cautions == ("votes on 9 items are few; intervals are tested from 30",)


def test_votes_on_other_answers_are_left_out_and_counted(compared: Path) -> None:
    comparison = read_comparison(compared)
    votes = votes_of(comparison, ballot(comparison)[:40])
    document = json.loads(compared.read_text())
    number = int(votes.votes[0].id.removeprefix("q"))
    document["items"][number]["answers"]["tuned"]["text"] = "something else"
    compared.write_text(json.dumps(document))
    (figures,) = vote_figures(read_comparison(compared), None, [votes], 0.95)
    assert (figures.votes, figures.left_out) == (39, 1)


def test_judge_without_votes_has_no_verdict(compared: Path) -> None:
    comparison = read_comparison(compared)
    judgements = judged(comparison, lambda number: ("a", "a"))
    figures = judge_figures(comparison, None, judgements, (), 0.95)
    assert figures.opinion is not None and figures.opinion.value == pytest.approx(0.95)
    assert (figures.verdict, figures.corrected, figures.agreement, figures.votes) == (
        None,
        None,
        None,
        0,
    )


def test_judge_that_chooses_the_first_answer_only_says_nothing(compared: Path) -> None:
    comparison = read_comparison(compared)
    figures = judge_figures(comparison, None, judged(comparison, lambda n: ("a", "b")), (), 0.95)
    assert figures.opinion is not None and figures.opinion.value == 0.5
    assert figures.same_both_ways is not None and figures.same_both_ways.value == 0
    assert figures.position is not None and (
        figures.position.value,
        figures.position.low > 0.8,
    ) == (1, True)


def test_judge_is_checked_and_corrected_by_votes(compared: Path) -> None:
    comparison = read_comparison(compared)
    votes = votes_of(comparison, ballot(comparison)[:40])

    def said(number: int) -> tuple[str, str]:  # the truth, but for every fifth: then the base
        wrong = number % 5 == 0
        verdict = "b" if wrong or better(number) == "base" else "a"
        return verdict, verdict

    figures = judge_figures(comparison, None, judged(comparison, said), [votes], 0.95)
    truth = 0.05 + 0.9 * sum(better(n) == "tuned" for n in ballot(comparison)) / 72
    assert figures.agreement and figures.opinion and figures.corrected and figures.votes_alone
    assert figures.votes == 40
    assert 0.75 < figures.agreement.value < 1
    assert figures.opinion.value < truth - 0.05
    assert figures.corrected.low < truth < figures.corrected.high
    assert figures.worth is not None and figures.worth > 40
    assert figures.verdict == "better"
    assert figures.family_bias is not None and figures.family_bias.value > 0
    assert figures.family.startswith("base is the judge itself")


def test_bias_for_length_is_what_people_do_not_share(compared: Path) -> None:
    comparison = read_comparison(compared)
    lengths = {
        n: len(i.answers["tuned"].text or "") - len(i.answers["base"].text or "")
        for n, i in enumerate(comparison.items)
    }

    def longer(number: int) -> str | None:
        return None if not lengths[number] else "tuned" if lengths[number] > 0 else "base"

    def said(number: int) -> tuple[str, str]:
        verdict = {"tuned": "a", "base": "b", None: "tie"}[longer(number)]
        return verdict, verdict

    order = ballot(comparison)
    apart = judge_figures(
        comparison, None, judged(comparison, said), [votes_of(comparison, order[:50])], 0.95
    )
    alike = judge_figures(
        comparison,
        None,
        judged(comparison, said),
        [votes_of(comparison, order[:50], "ann", longer)],
        0.95,
    )
    assert apart.length_bias is not None and apart.length_bias.low > 0.2
    assert alike.length_bias is not None and alike.length_bias.value == 0


def test_answer_that_speaks_to_the_judge_cannot_win(compared: Path) -> None:
    comparison = read_comparison(compared)
    judgements = judged(comparison, lambda number: ("a", "a"))
    opinion = judgements.opinions[0]
    assert judgements.score(opinion) == 1
    from dataclasses import replace

    assert judgements.score(replace(opinion, addressed=("tuned",))) == 0.5
    assert judgements.score(replace(opinion, addressed=("base",))) == 1


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "smollm"),
        ("/cache/smollm2", "smollm"),
        ("meta-llama/Llama-3.2-1B", "llama"),
        ("Qwen/Qwen3-0.6B", "qwen"),
        (None, ""),
    ],
)
def test_family_is_the_beginning_of_the_name(model: str | None, family: str) -> None:
    assert family_of(model) == family


def test_votes_needed_are_those_of_the_plan() -> None:
    assert votes_needed(0.6, alpha=0.05) == 199  # (1.96 + 0.84)^2 0.25 / 0.01, and 1.96^2 / 2
    assert votes_needed(0.75, alpha=0.05) == 34
    assert votes_needed(0.6, alpha=0.05, error=0.03, n=100) == 73


def test_report_shows_a_judge_beside_its_accuracy(compared: Path, tmp_path: Path) -> None:
    comparison = read_comparison(compared)
    votes, opinions = tmp_path / "votes.json", tmp_path / "judgements.json"
    cast = votes_of(comparison, ballot(comparison)[:40])
    votes.write_text(
        json.dumps(
            {"schema": cast.schema, "voter": "ann", "votes": [vars(one) for one in cast.votes]}
        )
    )
    write_judgements(
        opinions, judged(comparison, lambda n: ("b", "b") if n % 5 == 0 else ("a", "a"))
    )
    assert read_judgements(opinions).opinions[0].a_first in ("a", "b")

    def report(*arguments: str | Path) -> Result:
        out = ["--out", str(tmp_path / "out"), "--resamples", "100"]
        return CliRunner().invoke(main, ["report", str(compared), *out, *map(str, arguments)])

    unchecked = report("--judgements", opinions)
    assert unchecked.exit_code == 0, unchecked.output
    assert "A judge's opinion, not checked: SmolLM2-135M says that tuned wins" in unchecked.output
    checked = report("--judgements", opinions, "--votes", votes)
    assert checked.exit_code == 0, checked.output
    assert "Corrected by 40 votes, tuned wins" in checked.output
    assert "By 40 votes of 1 person, tuned wins" in checked.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Which answer is better?" in page and "Prefers its own family" in page
    document = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [Path(one["file"]).name for one in document["beside_files"]] == [
        "votes.json",
        "judgements.json",
    ]
    assert document["judges"][0]["votes"] == 40
    gate = CliRunner().invoke(main, ["gate", str(tmp_path / "out"), "--require", "length < 1000"])
    assert gate.exit_code == 0, gate.output  # it is read again as it was written


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "other"}, "no votes"),
        ({"voter": " "}, "'voter' is empty"),
        (
            {"votes": [{"id": "q1", "left": "base", "right": "base", "choice": "tie"}]},
            "both 'base'",
        ),
        (
            {"votes": [{"id": "q1", "left": "base", "right": "tuned", "choice": "best"}]},
            "one of 'left'",
        ),
        (
            {"votes": 2 * [{"id": "q1", "left": "base", "right": "tuned", "choice": "tie"}]},
            "second vote",
        ),
    ],
)
def test_what_are_no_votes_is_refused(change: dict[str, Any], message: str, write: Write) -> None:
    document = {"schema": "tuneproof/votes@1", "voter": "ann", "votes": []}
    with pytest.raises(InputError, match=message):
        read_all_votes([write({**document, **change}, "votes.json")])


def test_one_person_votes_once_and_on_what_is_compared(compared: Path, write: Write) -> None:
    document = {"schema": "tuneproof/votes@1", "voter": "ann", "votes": []}
    files = [write(document, "one.json"), write(document, "two.json")]
    with pytest.raises(InputError, match=r"voter 'ann' is in .*one\.json too"):
        read_all_votes(files)
    stray = Votes(voter="ann", votes=(Vote(id="q1", left="base", right="tunde", choice="tie"),))
    with pytest.raises(InputError, match="unknown variant 'tunde'"):
        vote_figures(read_comparison(compared), None, [stray], 0.95)


def test_order_of_the_draw_goes_by_ids_alone(compared: Path) -> None:
    items = read_comparison(compared).items
    order = [items[number].id for number in drawn(items)]
    turned = list(reversed(items))
    assert [turned[number].id for number in drawn(turned)] == order
    assert order != sorted(order)
