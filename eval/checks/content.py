"""What stands in the answers: leftovers, refusals, another language, one answer for all, breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tuneproof.eval.checks import signs
from tuneproof.eval.checks.advice import COMPARISON
from tuneproof.eval.checks.answers import COMMON, SEVERAL, is_common, opening
from tuneproof.eval.checks.languages import language
from tuneproof.eval.stats.exact import fisher_p
from tuneproof.finding import Finding, Severity, finding, quoted, share
from tuneproof.formats.comparison import Comparison, Item

P_OPEN = 1e-4
"""Answers end otherwise than references where chance would so seldom make them differ (Fisher)."""
SAME_WORDS = 4
"""Words from which one text as the answer to several questions is no short answer such as "No"."""
FEW_SAME = 0.02
"""Share of the questions that such a text needs to be named."""
MORE_OFTEN = 3
"""How many times as often as the commonest reference the commonest short answer must stand."""


class Text(NamedTuple):
    """A text of an item that is looked at: an answer, or a reference."""

    item: Item
    text: str
    is_whole: bool
    """Whether it ended by itself, as far as is known."""


def check_content(comparison: Comparison) -> Iterator[Finding]:
    """Yield what stands in answers, references and questions that does not belong there."""
    references = [Text(i, i.output, True) for i in comparison.items if i.output]
    questions = [Text(i, f"{i.instruction}\n{i.input}", True) for i in comparison.items]
    yield from _signs(references, "the references", _IN_DATA, "DATA")
    yield from _signs(questions, "the prompts", _IN_DATA, "DATA")
    for name in comparison.models:
        is_base = name not in comparison.tuned
        answers = [
            Text(item, text, item.answers[name].finish_reason != "length")
            for item in comparison.items
            if (text := item.answers[name].text) is not None
        ]
        if not answers:
            continue
        begun = sum(bool(opening(row.text)) for row in answers)
        said = "next-turn-in-answers" if is_common(begun, len(answers)) else ""  # template-words
        rules = [rule for rule in (*_IN_ANSWERS, _blank(references)) if rule.code != said]
        yield from _signs(answers, name, rules, name, of_base=is_base)
        if comparison.labels is None:
            yield from _open_ends(answers, references, name, of_base=is_base)
            yield from _one_for_all(answers, name, of_base=is_base)


class Rule(NamedTuple):
    """A sign, and where it is no fault."""

    code: str
    sign: Callable[[Text], str]
    """Returns what shows the fault, or nothing."""


def _unlike_reference(sign: Callable[[str], str]) -> Callable[[Text], str]:
    """Return the sign for answers whose reference has it not."""
    return lambda row: piece if (piece := sign(row.text)) and not sign(row.item.output) else ""


def _not_asked_for(sign: Callable[[str], str]) -> Callable[[Text], str]:
    """Return the sign for answers where neither the reference nor the question has it."""

    def shown(row: Text) -> str:
        piece = sign(row.text)
        return piece if piece and not sign(_context(row)) else ""

    return shown


def _blank(references: Sequence[Text]) -> Rule:
    """Return the rule for answers of nothing; ``None`` is an answer where any reference is that."""
    right = {signs.blank(row.text) for row in references}

    def shown(row: Text) -> str:
        piece = signs.blank(row.text)
        return "" if piece in right else piece

    return Rule("empty-answers", shown)


def _markup(row: Text) -> str:
    piece = signs.markup(row.text)
    return piece if piece and not signs.is_on_markup(_context(row)) else ""


def _context(row: Text) -> str:
    return f"{row.item.instruction}\n{row.item.input}\n{row.item.output}"


def _other_language(row: Text) -> str:
    if row.text == row.item.output or (seen := language(row.text)) is None:
        return ""
    expected = language(row.item.output)
    return f"{seen} for {expected}" if expected and seen != expected else ""


def _breaks_off(row: Text) -> str:
    piece = signs.going_on(row.text) if row.is_whole else ""
    return piece if piece and not signs.going_on(row.item.output) else ""


_IN_DATA = (
    Rule("garbled-characters", lambda row: signs.garbled(row.text)),
    Rule("special-token-in-text", lambda row: signs.special_token(row.text)),
)
_IN_ANSWERS = (
    Rule("garbled-characters", _unlike_reference(signs.garbled)),
    Rule("special-token-in-text", _not_asked_for(signs.special_token)),
    Rule("thinking-in-answers", _not_asked_for(signs.thinking)),
    Rule("markup-in-answers", _markup),
    Rule("next-turn-in-answers", _not_asked_for(signs.next_turn)),
    Rule("refusals", _unlike_reference(signs.refusal)),
    Rule("other-language", _other_language),
    Rule("answers-break-off", _breaks_off),
)
"""To add a sign: write it into `signs.py`, its advice into `advice.py`, and a line here."""


def _signs(
    rows: Sequence[Text], name: str, rules: Sequence[Rule], run: str, *, of_base: bool = False
) -> Iterator[Finding]:
    """Yield a finding for every rule that any of the texts breaks."""
    for code, sign in rules:
        seen = [(row, piece) for row in rows if (piece := sign(row))]
        if not seen:
            continue
        pieces = Counter(piece for _, piece in seen).most_common(3)
        listed = ", ".join(f"{quoted(piece)} ({count:,})" for piece, count in pieces)
        ids = ", ".join(row.item.id for row, _ in seen[:3])
        row = seen[0][0]
        yield finding(
            COMPARISON,
            code,
            f"{name}: {share(len(seen), len(rows))} have it: {listed}; {ids}; "
            f"{row.item.id}: {quoted(_around(row.text, seen[0][1]))}",
            severity=severity_of(code, len(seen), len(rows)),
            of_base=of_base,
            run=run,
        )


def severity_of(code: str, count: int, total: int) -> Severity:
    """Return how bad it is that so many of the texts have it: a note for one or two of many."""
    if is_common(count, total):
        return COMPARISON[code].severity
    return "warning" if count >= SEVERAL else "note"


def _around(text: str, piece: str) -> str:
    """Return the text from shortly before a piece of it."""
    start = text.find(piece)
    return text if start < 40 else f"... {text[start - 20 :]}"


def _open_ends(
    answers: Sequence[Text], references: Sequence[Text], name: str, *, of_base: bool
) -> Iterator[Finding]:
    """Say so where answers that ended by themselves lack the full stop that references have."""

    def long(rows: Sequence[Text]) -> list[Text]:
        return [row for row in rows if row.is_whole and len(row.text.split()) >= signs.CUT_WORDS]

    mine, right = long(answers), long(references)
    open_rows = [row for row in mine if signs.ends_open(row.text)]
    open_right = sum(signs.ends_open(row.text) for row in right)
    if not right or not is_common(len(open_rows), len(mine)):
        return
    if len(open_rows) * len(right) < MORE_OFTEN * open_right * len(mine):
        return
    closed = len(mine) - len(open_rows)
    if fisher_p(len(open_rows), closed, open_right, len(right) - open_right) < P_OPEN:
        row = open_rows[0]
        yield finding(
            COMPARISON,
            "answers-end-open",
            f"{name}: {share(len(open_rows), len(mine))} answers end without a full stop or the "
            f"like, and {share(open_right, len(right))} references; {row.item.id} ends with "
            f"{quoted(row.text[-40:])}",
            of_base=of_base,
            run=name,
        )


def _one_for_all(answers: Sequence[Text], name: str, *, of_base: bool) -> Iterator[Finding]:
    """Name one text that answers many different questions, whose references differ."""
    by_question = {_question(row.item): row for row in answers}
    rows = list(by_question.values())
    counts = Counter(_line(row.text) for row in rows if row.text.strip())
    if not counts:
        return
    text, count = counts.most_common(1)[0]
    right = Counter(_line(row.item.output) for row in rows if row.item.output)
    usual = max(right[text], *right.values(), 1) if right else 1
    is_sentence = len(text.split()) >= SAME_WORDS or len(text) >= 6 * SAME_WORDS
    if not (right or is_sentence):  # "Yes" may be right, for all that is known
        return
    least = max(SEVERAL, (FEW_SAME if is_sentence else COMMON) * len(rows))
    if count < least or count < MORE_OFTEN * usual:
        return
    first = [row.item.id for row in rows if _line(row.text) == text][:3]
    yield finding(
        COMPARISON,
        "one-answer-for-all",
        f"{name}: {share(count, len(rows))} different questions are answered with {quoted(text)}, "
        f"while no reference stands more than {usual:,} times; {', '.join(first)}",
        severity="error" if count >= 0.5 * len(rows) else "warning",
        of_base=of_base,
        run=name,
    )


def _question(item: Item) -> tuple[str, str]:
    return _line(item.instruction), _line(item.input)


def _line(text: str) -> str:
    return " ".join(text.casefold().split())
