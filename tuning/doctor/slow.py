"""What takes seconds or minutes over a data folder: near-duplicates, swapped labels, lengths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuneproof.finding import Finding, Severity, found, quoted, share
from tuneproof.formats.example import Example, Split
from tuneproof.prompts.template import Template
from tuneproof.tuning.doctor.data import severity_of
from tuneproof.tuning.doctor.folder import Folder
from tuneproof.tuning.doctor.labels import labelled_tasks
from tuneproof.tuning.doctor.registry import DATA

COMPARED = 50_000
"""Train records that are compared with what is held out; of more, so many, evenly spread."""
CHECKED = 2_000
"""Test records that the order of the labels is checked on."""
LEARNED = 20_000
"""Training records that the check learns the labels from."""
SHORTENED = 0.1
"""Share of the records from which a shortened input is a warning, not a note."""
TOO_LONG = 0.05
"""Share from which records that are left out are a warning."""
ENOUGH = 0.95
"""Share of the long records that the proposed max_length would hold."""


def check_near(folder: Folder) -> Iterator[Finding]:
    """Yield near-duplicates between train and what is held out (MinHash, then compared in full).

    Files that are still as `prepdata build` wrote them hold none: it compares in the same way.
    """
    from tuneproof.prepdata.duplicates import DuplicateIndex

    if folder.is_as_built or not folder.train:
        return
    held = [(split, each) for split, records in folder.held_out.items() for each in records]
    count, total = min(COMPARED, len(folder.train)) if held else 0, len(folder.train)
    compared = [folder.train[place * total // count] for place in range(count)]
    both = [*(record for _, record in held), *compared]
    texts = [(record.instruction, record.input) for record in both]
    index = DuplicateIndex(texts, texts.__getitem__)
    for number in range(len(held)):
        index.add(number)
    pairs: dict[Split, dict[int, Example]] = {split: {} for split in folder.held_out}
    for number, match in index.find(range(len(held), len(both))):
        if match is not None and match[0] == "near-duplicate":
            pairs[held[match[1]][0]].setdefault(match[1], both[number])
    looked = f"{count:,} of {total:,} train records were compared"
    is_part = 0 < count < total
    for split, found_here in pairs.items():
        if found_here:
            among = len(folder.held_out[split])
            number, twin = next(iter(found_here.items()))
            nearly = held[number][1]
            yield found(
                DATA,
                "leak-near",
                f"{share(len(found_here), among)} {split} records are nearly in train"
                f"{f' ({looked})' if is_part else ''}; {nearly.id} is nearly {twin.id}: "
                f"{quoted(nearly.instruction)}",
                severity=severity_of(len(found_here), among) if split == "test" else "warning",
            )
    if is_part and not any(pairs.values()):
        yield found(DATA, "near-sampled", f"{looked} with test and validation; none is near")


def check_swapped(folder: Folder) -> Iterator[Finding]:
    """Yield tasks whose labels mean one thing in train and another in test.

    A TF-IDF classifier learns train and labels the test; a renaming that does decisively better
    (`eval.mapping`) is a swap.
    """
    from tuneproof.eval.checks.label_order import check_mapping
    from tuneproof.inference.baselines import pick_label, predict

    for task in labelled_tasks(folder):
        labels = folder.labels[task]
        train, test = (
            [each for each in part if each.task == task and each.output in labels]
            for part in (folder.train[:LEARNED], folder.test[:CHECKED])
        )
        if len(labels) < 2 or not test or len({each.output for each in train}) < 2:
            continue
        texts = [each.text for each in test]
        learned = [each.text for each in train]
        chances = predict("tf-idf", learned, [each.output for each in train], texts, labels)
        given = [pick_label(row, text) for row, text in zip(chances, texts, strict=True)]
        mapping = check_mapping([each.output for each in test], given, labels)
        if mapping.is_turned:
            read = ", ".join(f"{a!r} in train is {b!r} in test" for a, b in mapping.renamed.items())
            yield found(
                DATA,
                "labels-swapped",
                f"{task}: TF-IDF and logistic regression are right in {mapping.accuracy:.1%} of "
                f"{len(test):,} test records, but in {mapping.best_accuracy:.1%} if {read}",
            )


def check_lengths(
    folder: Folder, template: Template, tokenizer: Any, max_length: int, context: int | None
) -> Iterator[Finding]:
    """Yield which records do not fit into `max_length` tokens; the test's answers do not count.

    Args:
        folder: The records.
        template: Renders the prompts.
        tokenizer: A fast tokenizer.
        max_length: Most tokens of an example.
        context: Most tokens that the model reads; None where it has no such limit.
    """
    out: dict[str, list[tuple[Example, int]]] = {}
    short: dict[str, list[tuple[Example, int]]] = {}
    for split, records in folder.splits.items():
        answered = split != "test"
        whole = _lengths(template, tokenizer, records, answered=answered)
        long = [(record, n) for record, n in zip(records, whole, strict=True) if n > max_length]
        kept = [replace(record, input="") for record, _ in long]
        bare = _lengths(template, tokenizer, kept, answered=answered)
        for case, least in zip(long, bare, strict=True):
            (out if least > max_length else short).setdefault(split, []).append(case)
    totals = {split: len(records) for split, records in folder.splits.items()}
    for code, cases, limit in (
        ("records-too-long", out, TOO_LONG),
        ("inputs-shortened", short, SHORTENED),
    ):
        if cases:
            yield _length_finding(code, cases, totals, limit, max_length, context)


def _length_finding(
    code: str,
    cases: Mapping[str, Sequence[tuple[Example, int]]],
    totals: Mapping[Split, int],
    limit: float,
    max_length: int,
    context: int | None,
) -> Finding:
    counted = {split: len(cases.get(split, ())) for split in totals}
    told = [f"{share(n, totals[split])} {split}" for split, n in counted.items() if n]
    listed = [case for each in cases.values() for case in each]
    longest, most = max(listed, key=lambda case: case[1])
    is_much = any(n > limit * totals[split] for split, n in counted.items())
    severity: Severity = "warning" if is_much else "note"
    wanted = sorted(n for _, n in listed)[int(ENOUGH * (len(listed) - 1))]
    return found(
        DATA,
        code,
        f"{', '.join(told)} records are over {max_length} tokens: "
        f"{', '.join(record.id for record, _ in listed[:3])} ...; the longest, {longest.id}, has "
        f"{most:,}",
        severity=severity,
        tokens=wanted if context is None else min(wanted, max(context, max_length)),
    )


def _lengths(
    template: Template, tokenizer: Any, records: Sequence[Example], *, answered: bool
) -> list[int]:
    """Return the tokens of prompt, answer (where it counts) and EOS of each record."""
    from tuneproof.prompts.fit import lengths

    rows = [(each.instruction, each.input, each.output if answered else "") for each in records]
    return lengths(template, tokenizer, rows) if rows else []
