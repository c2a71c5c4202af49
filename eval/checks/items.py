"""The items themselves: asked twice, answered in the prompt, or with probabilities of nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tuneproof.eval.checks.advice import COMPARISON
from tuneproof.eval.checks.answers import NEARLY_ALL, SEVERAL, is_common
from tuneproof.eval.checks.content import severity_of
from tuneproof.finding import Finding, finding, quoted, share
from tuneproof.formats.comparison import Comparison, Item

LEAKED_WORDS = 5
"""Words of a reference which, at the very end of what is asked, are given away."""
SPAN = 3
"""An extracted answer may well be the last words of a passage: from so many times as many that
stand at the end as elsewhere, they are appended and not extracted."""
EVEN = 1e-9
"""Difference of probabilities that counts as none."""
_MARKER = re.compile(
    r"(?:^|[\s(\[#*])(?:answer|response|output|label|class|solution|reference|target|ground truth"
    r"|gold|completion|result|expected(?: answer| output)?|antwort|réponse|respuesta|答案)"
    r"[\s*)\]]*(?:[:\uff1a=]|\bis\b)[\s*]*$",
    re.IGNORECASE,
)


def check_items(comparison: Comparison) -> Iterator[Finding]:
    """Yield what is wrong with the items, whatever was answered."""
    yield from _repeated(comparison)
    yield from _leaked(comparison)
    yield from _even_probabilities(comparison)


def _repeated(comparison: Comparison) -> Iterator[Finding]:
    """Name questions that stand under two ids, where no common group says so."""
    first: dict[tuple[str, ...], Item] = {}
    pairs = []
    for item in comparison.items:
        earlier = first.setdefault(question_key(item), item)
        if earlier is not item and earlier.group != item.group:
            pairs.append((earlier, item))
    if pairs:
        named = ", ".join(f"{one.id} and {other.id}" for one, other in pairs[:3])
        yield finding(
            COMPARISON,
            "items-repeated",
            f"{share(len(pairs), len(comparison.items))} items ask what an earlier one asks: "
            f"{named}; {quoted(pairs[0][0].instruction)}",
            severity=severity_of("items-repeated", len(pairs), len(comparison.items)),
        )


def question_key(item: Item) -> tuple[str, ...]:
    """Return what two items share that ask the same: but for case, spaces and a full stop."""
    history = [turn.content for turn in item.messages]
    texts = (item.instruction, item.input, *history)
    return tuple(" ".join(text.casefold().split()).rstrip(".?! ") for text in texts)


def _leaked(comparison: Comparison) -> Iterator[Finding]:
    """Name items that are asked with their own reference."""
    known = [item for item in comparison.items if item.output.strip()]
    leaked = {item.id: item for item in known if is_marked(item)}
    for field in ("instruction", "input"):
        at_end = [item for item in known if _at_end(getattr(item, field), item.output)]
        elsewhere = sum(_is_inside(getattr(item, field), item.output) for item in known)
        least = max(SPAN * (elsewhere - len(at_end)), SEVERAL if field == "input" else 1)
        if len(at_end) >= least:
            leaked |= {item.id: item for item in at_end}
    rests = Counter(_rest(item) for item in leaked.values())
    leaked = {key: item for key, item in leaked.items() if rests[_rest(item)] == 1}  # no copying
    leaked |= {item.id: item for item in _labels_at_end(comparison)}
    if leaked:
        item = next(iter(leaked.values()))
        asked = item.input or item.instruction
        yield finding(
            COMPARISON,
            "reference-in-prompt",
            f"{share(len(leaked), len(known))} items are asked with their own reference; "
            f"{', '.join(list(leaked)[:3])}; {item.id}: {quoted(asked[-56:])} for "
            f"{quoted(item.output)}",
            severity=severity_of("reference-in-prompt", len(leaked), len(known)),
        )


def is_marked(item: Item) -> bool:
    """Return whether an item ends with its own reference after ``Answer:`` or the like."""
    right = item.output.strip()
    for text in (item.instruction, item.input):
        asked = text.rstrip()
        if asked.casefold().endswith(right.casefold()):
            before = asked[: len(asked) - len(right)]
            if _MARKER.search(before[-40:]):
                return True
    return False


def _rest(item: Item) -> tuple[str, ...]:
    """Return what is asked without the reference."""
    right = _words(item.output)
    return tuple(_words(text).removesuffix(right) for text in (item.instruction, item.input))


def _labels_at_end(comparison: Comparison) -> list[Item]:
    """Return items that end with their own label, where hardly any ends with another one."""
    labels = comparison.labels or ()
    own, other = [], 0
    for item in comparison.items:
        text = f" {_words(f'{item.instruction} {item.input}')}"
        ends = {label for label in labels if text.endswith(f" {_words(label)}")}
        if item.output in ends:
            own.append(item)
        other += bool(ends - {item.output})
    is_leak = is_common(len(own), len(comparison.items)) and len(own) > SPAN * len(labels) * other
    return own if is_leak else []


def _at_end(text: str, reference: str) -> bool:
    words = _words(reference)
    return len(words.split()) >= LEAKED_WORDS and f" {_words(text)}".endswith(f" {words}")


def _is_inside(text: str, reference: str) -> bool:
    words = _words(reference)
    return len(words.split()) >= LEAKED_WORDS and f" {words} " in f" {_words(text)} "


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _even_probabilities(comparison: Comparison) -> Iterator[Finding]:
    """Name variants that give every label the same probability, or every item the same ones."""
    if comparison.labels is None:
        return
    for name in comparison.names:
        rows = [item.answers[name].label_probabilities for item in comparison.items]
        given = [tuple(row.values()) for row in rows if row]
        if name in comparison.baselines or len(given) < SEVERAL:
            continue
        even = [n for n, row in enumerate(given) if max(row) - min(row) < EVEN]
        same, count = Counter(given).most_common(1)[0]
        if even:
            what = f"{share(len(even), len(given))} items have the same probability for every label"
            first = comparison.items[even[0]].id
            severity = severity_of("probabilities-constant", len(even), len(given))
        elif count >= NEARLY_ALL * len(given) and len(comparison.items) > SEVERAL:
            what = f"{share(count, len(given))} items have the very same probabilities"
            first, severity = comparison.items[given.index(same)].id, "error"
        else:
            continue
        yield finding(
            COMPARISON,
            "probabilities-constant",
            f"{name}: {what}; first {first}",
            severity=severity,
            of_base=name not in comparison.tuned,
        )
