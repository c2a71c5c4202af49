"""Votes and judges in words: sentences and rows, the same in the table, the page and Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from tuneproof.eval.report.wording import bounded, bounded_change, counted
from tuneproof.formats.judging import JudgeFigures, Preferred, Rate, VoteFigures
from tuneproof.text import duration

UNCHECKED = "a judge's opinion, not checked"
SAID: dict[Preferred, str] = {
    "better": "{a} is better",
    "worse": "{a} is worse",
    "no measurable difference": "no difference is shown",
}
"""Verdict -> what is said of it."""
Row = tuple[str, str]
"""A name and its figure."""


def vote_sentence(figures: VoteFigures) -> str:
    """Say in one sentence what people prefer."""
    votes = counted(figures.votes, "vote")
    if figures.win_rate is None:
        return f"{votes} on {figures.a} and {figures.b}: too few for a win rate."
    return (
        f"By {votes} of {counted(len(figures.voters), 'person', 'people')}, {figures.a} wins "
        f"{bounded(figures.win_rate, 'share')} against {figures.b}: "
        f"{SAID[figures.verdict].format(a=figures.a)}."
    )


def vote_rows(figures: VoteFigures) -> Iterator[Row]:
    """Yield what must be known of the votes."""
    counts = figures.choices
    said = f"{counts['a']:,} for {figures.a}, {counts['b']:,} for {figures.b}"
    said += f", {counts['tie']:,} tie, {counts['bad']:,} both bad"
    on = f"{counted(figures.items, 'item')} of {figures.differing:,} whose answers differ"
    yield "Votes", f"{said}; on {on} ({figures.equal:,} are equal, and ties)"
    yield "Voters", ", ".join(figures.voters)
    if len(figures.voters) > 1:
        alpha = "not known" if figures.alpha is None else f"{figures.alpha:.2f}"
        shared = counted(figures.shared, "shared item")
        meaning = "1: they agree, 0: no more than by chance"
        yield "Their agreement", f"Krippendorff's alpha {alpha} on {shared} ({meaning})"
    if figures.left is not None:
        left = bounded(figures.left, "share")
        yield "Chose the left answer", f"{left} of the decided votes; half where place has no part"
    needed = [f"{100 * float(rate):.0f} %: {n:,}" for rate, n in figures.needed.items()]
    yield "Votes that see a win rate of", "; ".join(needed)
    if figures.left_out:
        yield "Left out", f"{counted(figures.left_out, 'vote')} on other answers than these"
    yield from (("Careful", caution) for caution in figures.cautions)


def judge_sentence(figures: JudgeFigures) -> str:
    """Say in one sentence what a judge says, and what that is worth."""
    who, a, b = figures.judge.name, figures.a, figures.b
    if figures.opinion is None:
        return f"{who} judged {counted(figures.items, 'item')}: too few for a win rate."
    opinion = bounded(figures.opinion, "share")
    if figures.corrected is None or figures.verdict is None or figures.agreement is None:
        return f"{UNCHECKED.capitalize()}: {who} says that {a} wins {opinion} against {b}."
    return (
        f"Corrected by {counted(figures.votes, 'vote')}, {a} wins "
        f"{bounded(figures.corrected, 'share')} against {b}: "
        f"{SAID[figures.verdict].format(a=a)}. {who} alone says {opinion}, and agrees with people "
        f"on {bounded(figures.agreement, 'share')} of the items."
    )


def judge_text(figures: JudgeFigures) -> str:
    """Return a judge's sentence and rows as plain text."""
    rows = [f"  {name}: {value}" for name, value in judge_rows(figures)]
    return "\n".join([judge_sentence(figures), *rows])


def judge_rows(figures: JudgeFigures) -> Iterator[Row]:
    """Yield a judge's figures, its accuracy beside what it says."""
    accuracy = _accuracy(figures)
    yield "In its opinion", f"{_share(figures.opinion)} for {figures.a}; {accuracy}"
    yield "At equal lengths", f"{_share(figures.length_controlled)}; {accuracy}"
    if figures.agreement is None:
        yield "Agrees with people", "not measured: no votes"
    else:
        blind = f"always to say the commonest verdict would be {100 * (figures.blind or 0):.1f} %"
        on = counted(figures.votes, "item")
        yield "Agrees with people", f"{_share(figures.agreement)} of {on}; {blind}"
    yield "Same verdict in both orders", f"{_share(figures.same_both_ways)} of the items"
    yield "Prefers the first answer", _excess(figures.position, "of all answers, to the second")
    if figures.agreement is not None:
        yield from _checked_rows(figures)
    yield "Asked", _asked(figures)
    yield from (("Careful", caution) for caution in figures.cautions)


def _checked_rows(figures: JudgeFigures) -> Iterator[Row]:
    """Yield what only votes can say of a judge."""
    people = "beyond what people do"
    yield "Prefers the longer answer", _excess(figures.length_bias, people)
    family = _excess(figures.family_bias, f"{people}; {figures.family}", figures.family)
    yield "Prefers its own family", family
    alone = f"the votes alone say {_share(figures.votes_alone)}"
    yield "Corrected by the votes", f"{_share(figures.corrected)}; {alone}"
    if figures.worth is not None:
        worth = f"as narrow as {figures.worth:,.0f} votes without it, instead of {figures.votes:,}"
        yield "Worth of the judge", f"{worth}; it counts {100 * (figures.weight or 0):.0f} %"


def _accuracy(figures: JudgeFigures) -> str:
    """Return what stands beside every figure of a judge."""
    if figures.agreement is None:
        return UNCHECKED
    return f"a judge that agrees with people on {100 * figures.agreement.value:.0f} %"


def _asked(figures: JudgeFigures) -> str:
    """Return what the judging took, and what went wrong in it."""
    cost = figures.cost
    parts = [
        f"{counted(figures.items, 'item')} in both orders",
        f"{counted(cost.calls, 'call')}, {cost.cached:,} of them answered before",
        f"{cost.prompt_tokens:,} tokens read, {cost.answer_tokens:,} written",
        duration(cost.seconds),
    ]
    if cost.price is not None:
        parts.append(f"price {cost.price:,.4g}")
    if figures.unread:
        parts.append(f"{counted(figures.unread, 'verdict')} could not be read and are ties")
    if figures.addressed:
        have = counted(figures.addressed, "item has", "items have")
        parts.append(f"{have} an answer that speaks to the judge, which cannot win")
    if figures.left_out:
        parts.append(f"{counted(figures.left_out, 'opinion')} on other answers left out")
    return "; ".join(parts)


def _share(rate: Rate | None) -> str:
    return "not available" if rate is None else bounded(rate, "share")


def _excess(rate: Rate | None, of: str, otherwise: str = "not available") -> str:
    return otherwise if rate is None else f"{bounded_change(rate, 'share')} {of}"
