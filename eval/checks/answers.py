"""The form of the answers: how they begin, how they end, and whether training changed them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from tuneproof.eval.checks.advice import COMPARISON
from tuneproof.eval.metrics.repetition import loop_rate
from tuneproof.eval.metrics.words import spaced
from tuneproof.finding import Finding, Severity, finding, quoted, share
from tuneproof.formats.comparison import Answer, Comparison, Item

COMMON = 0.1
"""Share of answers from which a fault of form is reported; good models have it in hardly any."""
SEVERAL = 3
"""... and so many answers at least (or all, where there are fewer): one or two are accidents."""
HALF = 0.5
"""Share of answers that do not stop from which the training, not the limit, is to blame."""
NEARLY_ALL = 0.95
"""Share from which a model has not learned to stop at all, or the tuned model is the base."""
ENOUGH = 10
"""Answers that "nearly all" needs to mean anything."""
TOKENS_PER_WORD = 4 / 3
"""English, byte-level BPE of 50,000 tokens: the usual rule of thumb."""

_WORD = (
    "(?:instructions?|input|output|response|answer|question|context|prompt|user|assistant|human"
    "|system)"
)
_OPENING = re.compile(
    rf"\s*((?:(?:(?:\#{{1,6}}[ \t]*|\*\*)?{_WORD}[ \t]*:(?:\*\*)?|\#{{1,6}}[ \t]*{_WORD}\b"
    r"|<\|[a-z_]+\|>|\[/?INST\])\s*)+)",
    re.IGNORECASE,
)

Answered = Sequence[tuple[Item, Answer, str]]
"""Items with a variant's answer and its text."""


def check_answers(comparison: Comparison) -> Iterator[Finding]:
    """Yield what is wrong with the form of each variant's answers."""
    for name, reasons in comparison.faults.items():
        total = len(comparison.items) + len(comparison.failed)
        evidence = f"{name}: {share(len(reasons), total)} prompts have no answer: {reasons[0]}"
        yield finding(COMPARISON, "answers-failed", evidence)
    for name in comparison.models:
        is_tuned = name in comparison.tuned
        answered = [
            (item, item.answers[name], item.answers[name].text or "")
            for item in comparison.items
            if item.answers[name].text is not None
        ]
        if not answered:  # labels only
            continue
        yield from _openings(name, answered, is_tuned=is_tuned)
        yield from _loops(name, answered, is_tuned=is_tuned)
        yield from _endings(comparison, name, answered, is_tuned=is_tuned)
    for name in comparison.tuned:
        if comparison.by_name[name].is_tuned:  # the same model behind a server answers the same
            yield from _unchanged(comparison, name)


def opening(text: str) -> str:
    """Return the template words that a text begins with, such as ``Input: Output:``, or nothing."""
    match = _OPENING.match(text)
    return " ".join(match[1].split()) if match else ""


def is_common(count: int, total: int) -> bool:
    """Return whether a fault of form is frequent enough to be reported."""
    return count >= max(1, min(SEVERAL, total)) and count >= COMMON * total


def _openings(name: str, answered: Answered, *, is_tuned: bool) -> Iterator[Finding]:
    """Name the template words; where the reference begins with them too they belong there."""
    begun = [
        (item, text, words)
        for item, _, text in answered
        if (words := opening(text)) and opening(item.reference or "") != words
    ]
    if not is_common(len(begun), len(answered)):
        return
    counts = Counter(words for *_, words in begun).most_common(4)
    named = ", ".join(f'"{words}" ({count:,})' for words, count in counts)
    item, text, _ = begun[0]
    yield finding(
        COMPARISON,
        "template-words",
        f"{name}: {share(len(begun), len(answered))} answers begin with words of a prompt "
        f"template: {named}; {item.id}: {quoted(text)}",
        severity="error",
        of_base=not is_tuned,
        run=name,
    )


def _loops(name: str, answered: Answered, *, is_tuned: bool) -> Iterator[Finding]:
    looping = [(item, text) for item, _, text in answered if loop_rate(text)]
    if is_common(len(looping), len(answered)):
        item, text = looping[0]
        end = " ".join(text.split())[-50:]
        yield finding(
            COMPARISON,
            "answers-loop",
            f"{name}: {share(len(looping), len(answered))} answers end in a loop; {item.id} ends "
            f"with {quoted(end)}",
            severity="warning",
            of_base=not is_tuned,
            run=name,
        )


def _endings(
    comparison: Comparison, name: str, answered: Answered, *, is_tuned: bool
) -> Iterator[Finding]:
    """Distinguish answers cut too early from answers that would never have stopped."""
    known = [row for row in answered if row[1].finish_reason is not None]
    cut = [row for row in known if row[1].finish_reason == "length"]
    if not is_common(len(cut), len(known)):
        return
    limit = _limit(comparison, cut)
    reached = f"answers reach the limit{f' of {limit:,} tokens' if limit else ''}"
    evidence = f"{name}: {share(len(cut), len(known))} {reached}"
    needed = [len(spaced(item.reference)) * TOKENS_PER_WORD for item, *_ in cut if item.reference]
    if limit and needed and median(needed) > limit:
        length = round(median(needed))
        yield finding(
            COMPARISON,
            "answers-cut",
            f"{evidence}; their references have about {length:,} (median)",
            severity="warning" if is_tuned else "note",
            tokens=2 * length,
            run=name if is_tuned else "RUN",
        )
    elif len(cut) >= HALF * len(known):
        nearly_all = len(cut) >= NEARLY_ALL * len(known) and len(known) >= ENOUGH
        severity: Severity = "error" if nearly_all else "warning"
        yield finding(
            COMPARISON,
            "not-stopping",
            f"{evidence}; first {cut[0][0].id}",
            severity=severity,
            of_base=not is_tuned,
            run=name,
        )
    elif is_common(going_on := sum(not loop_rate(text) for *_, text in cut), len(known)):
        yield finding(  # those that loop have their own
            COMPARISON,
            "answers-cut",
            f"{name}: {share(going_on, len(known))} {reached} without looping",
            severity="note",
            tokens=2 * (limit or 200),
            run=name if is_tuned else "RUN",
        )


def _limit(comparison: Comparison, cut: Answered) -> int | None:
    recorded = (comparison.decoding or {}).get("max_new_tokens")
    if isinstance(recorded, int):
        return recorded
    return max((answer.tokens for _, answer, _ in cut if answer.tokens), default=None)


def _unchanged(comparison: Comparison, name: str) -> Iterator[Finding]:
    """Say so where a tuned variant says what the base says, word for word."""
    pairs = [(item.answers[name], item.answers[comparison.base]) for item in comparison.items]
    known = [
        (mine, base) for mine, base in pairs if mine.text is not None and base.text is not None
    ]
    same = sum(mine == base for mine, base in known)
    is_all = bool(known) and same == len(known) >= SEVERAL
    if is_all or (len(known) >= ENOUGH and same >= NEARLY_ALL * len(known)):
        yield finding(
            COMPARISON,
            "tuned-equals-base",
            f"{name}: {share(same, len(known))} answers are those of {comparison.base}, word for "
            "word",
            severity="error" if is_all else "warning",
            run=name,
        )
