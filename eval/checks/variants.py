"""The variants: whether each is what its name says, and what it should be measured against."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tuneproof.eval.checks.advice import COMPARISON
from tuneproof.eval.checks.answers import SEVERAL
from tuneproof.eval.checks.conditions import scorer
from tuneproof.eval.checks.content import severity_of
from tuneproof.eval.stats.exact import fisher_p, sign_p
from tuneproof.finding import Finding, finding, share
from tuneproof.formats.comparison import Answer, Comparison, Item
from tuneproof.formats.variant import Variant

P_SWAPPED = 1e-4
"""Items are swapped where chance would so seldom let a base stop just where the tuned does not."""
P_BETTER = 0.05
"""A prompt beats the tuning where chance would so seldom win so many items (sign test)."""
TOKEN_BYTES = 20
"""Bytes of text that a token has at most on average over an answer; usual are 1 to 5."""
SPARE_TOKENS = 3
"""Tokens that an answer may have beyond its bytes: the end mark, and spaces around it."""
_PROMPTED = re.compile(r"few[-_ ]?shot|[-_ ]prompted$|^prompted", re.IGNORECASE)


def check_variants(comparison: Comparison) -> Iterator[Finding]:
    """Yield where a variant is not what it should be."""
    yield from _trained_base(comparison)
    for name in comparison.tuned:
        yield from _other_base(comparison, comparison.by_name[name])
        yield from _exchanged(comparison, name)
    for name in comparison.names:
        yield from _token_counts(comparison, name)
    yield from _beaten_by_prompt(comparison)


def is_prompted(variant: Variant) -> bool:
    """Return whether a variant is the untrained base with more in its prompt."""
    has_prompt = any(key in variant.details for key in ("few_shot", "shots", "system_prompt"))
    return not variant.adapter and (has_prompt or bool(_PROMPTED.search(variant.name)))


def _trained_base(comparison: Comparison) -> Iterator[Finding]:
    """Say so where the base has an adapter and a tuned variant has none: names exchanged."""
    base = comparison.by_name[comparison.base]
    bare = [
        name
        for name in comparison.tuned
        if not comparison.by_name[name].adapter and not comparison.by_name[name].is_merged
    ]
    if base.name in ("base", "regular") and base.adapter and bare:
        yield finding(
            COMPARISON,
            "variants-swapped",
            f"{base.name} has the adapter {base.adapter}, and {bare[0]} has none",
            severity="error",
        )


def _other_base(comparison: Comparison, variant: Variant) -> Iterator[Finding]:
    """Say so where an adapter was trained on another model than the one it is measured against."""
    base = comparison.by_name[comparison.base]
    if variant.is_head:  # it has no untrained form, and may stand beside any
        return
    if variant.adapter and variant.model and base.model and variant.model != base.model:
        yield finding(
            COMPARISON,
            "base-differs",
            f"{variant.name} is an adapter of {variant.model}, and {base.name} is {base.model}",
            run=variant.name,
        )


def _exchanged(comparison: Comparison, name: str) -> Iterator[Finding]:
    """Name items whose two answers seem exchanged.

    Some answers of the base look like the tuned model's, and just there the tuned model's look like
    the base's: where one stops by itself or is right, and the other does neither, though they
    otherwise do the reverse. Tasks are looked at one by one: a model may have forgotten another.
    """
    base = comparison.base
    for what, sign in _TELLING.items():
        for task in dict.fromkeys(item.task for item in comparison.items):
            marked = [
                (item, sign(item, item.answers[base]), sign(item, item.answers[name]))
                for item in comparison.items
                if item.task == task
            ]
            known = [(item, b, t) for item, b, t in marked if b is not None and t is not None]
            both = [item for item, b, t in known if b and not t]
            rest = sum(t and not b for _, b, t in known)
            base_too, none = (sum(b == t == value for _, b, t in known) for value in (True, False))
            if len(both) < 2 or rest <= len(both):
                continue
            if fisher_p(len(both), base_too, none, rest) < P_SWAPPED:
                yield finding(
                    COMPARISON,
                    "answers-swapped",
                    f"in {share(len(both), len(known))} items {base} {what} and {name} does not, "
                    f"against {rest:,} the other way round and {base_too + none:,} alike; "
                    f"{', '.join(item.id for item in both[:3])}",
                    severity=severity_of("answers-swapped", len(both), len(known)),
                    run=name,
                )
                return


def _stops(_: Item, answer: Answer) -> bool | None:
    return None if answer.finish_reason is None else answer.finish_reason == "eos"


def _is_right(item: Item, answer: Answer) -> bool | None:
    if answer.text is None or not item.output or answer.label is not None:
        return None
    return " ".join(answer.text.casefold().split()) == " ".join(item.output.casefold().split())


_TELLING = {"stops by itself": _stops, "gives the reference word for word": _is_right}


def _token_counts(comparison: Comparison, name: str) -> Iterator[Finding]:
    """Name answers that cannot have as many tokens as were counted."""
    known = [
        (item, answer)
        for item in comparison.items
        if (answer := item.answers[name]).text is not None and answer.tokens is not None
    ]
    wrong = [(item, answer) for item, answer in known if not _is_possible(answer)]
    if wrong:
        item, answer = wrong[0]
        yield finding(
            COMPARISON,
            "tokens-unlike-texts",
            f"{name}: {share(len(wrong), len(known))} answers cannot have the tokens counted; "
            f"{item.id} has {len(answer.text or ''):,} characters and {answer.tokens:,} tokens; "
            f"{', '.join(each.id for each, _ in wrong[:3])}",
            severity=severity_of("tokens-unlike-texts", len(wrong), len(known)),
            of_base=name == comparison.base,
            run=name,
        )


def _is_possible(answer: Answer) -> bool:
    size = len((answer.text or "").encode())
    tokens = (answer.tokens or 0) - (answer.thinking_tokens or 0)  # thoughts are not in the text
    return tokens <= size + SPARE_TOKENS and size <= TOKEN_BYTES * (tokens + 1)


def _beaten_by_prompt(comparison: Comparison) -> Iterator[Finding]:
    """Say so where the untrained base with examples in its prompt does better than a tuned one."""
    prompted = [name for name, variant in comparison.by_name.items() if is_prompted(variant)]
    score, what = scorer(comparison)
    for name in comparison.tuned:
        for other in prompted:
            if name in prompted:
                continue
            pairs = [(score(item, other), score(item, name)) for item in comparison.items]
            known = [(a, b) for a, b in pairs if a is not None and b is not None]
            theirs, mine = sum(a for a, _ in known), sum(b for _, b in known)
            if len(known) < SEVERAL or theirs <= mine:
                continue
            won, lost = sum(a > b for a, b in known), sum(a < b for a, b in known)
            is_sure = sign_p(won, lost) < P_BETTER
            yield finding(
                COMPARISON,
                "few-shot-beats-tuning",
                f"{other} has {theirs / len(known):.3f} and {name} {mine / len(known):.3f} "
                f"({what}, mean of {len(known):,} items); better in {won:,}, worse in {lost:,}",
                severity="warning" if is_sure else "note",
                run=name,
            )
