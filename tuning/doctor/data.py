"""A data folder: leaks between its files, labels that cannot be right, marks in the answers.

Everything here is fast enough to run before each training; `slow.py` has what takes longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tuneproof.finding import Finding, Severity, found, quoted, share
from tuneproof.formats.example import TEST_PROMPTS, Example, Split, read_prompts
from tuneproof.tuning.doctor.folder import Folder, Key, key
from tuneproof.tuning.doctor.labels import check_labels
from tuneproof.tuning.doctor.registry import DATA

LEAKED = 0.01
"""Share of the test records from which a leak is an error: it can move the score by as much."""
FEW = 100
"""Fewer test records are told: a share is known to 10 percentage points at best (1 / sqrt(n))."""
HARDLY_ANY = 20
"""Fewer still are a warning; two in twenty that differ are never significant."""
END_MARKS = (
    "<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "<eos>", "</s>",
    "<end_of_turn>", "[EOS]",
)  # fmt: skip
"""End marks of the common families of models."""


def check_data(folder: Folder) -> Iterator[Finding]:
    """Yield what is wrong with the records, as far as one quick look at each shows it."""
    keys = {split: [key(record) for record in part] for split, part in folder.splits.items()}
    yield from _exact(folder, keys)
    yield from _groups(folder)
    yield from _project_prompts(folder, keys["train"])
    yield from check_labels(folder, keys)
    yield from _size(folder)
    yield from end_marks(folder, END_MARKS)


def severity_of(count: int, total: int) -> Severity:
    """Return how bad it is that so many test records leak."""
    return "error" if count >= LEAKED * total else "warning"


def _exact(folder: Folder, keys: Mapping[Split, Sequence[Key]]) -> Iterator[Finding]:
    trained = {each: number for number, each in enumerate(keys["train"])}
    for split, records in folder.held_out.items():
        pairs = [
            (record, folder.train[trained[each]])
            for record, each in zip(records, keys[split], strict=True)
            if each in trained
        ]
        if pairs:
            record, twin = pairs[0]
            yield found(
                DATA,
                "leak-exact",
                f"{share(len(pairs), len(records))} {split} records are in train too; {record.id} "
                f"is {twin.id}: {quoted(record.input or record.instruction)}",
                severity=severity_of(len(pairs), len(records)) if split == "test" else "warning",
                file=folder.file("train"),
            )


def _groups(folder: Folder) -> Iterator[Finding]:
    """Find groups on both sides; a record that is its own group says nothing."""
    trained = {(each.task, each.group) for each in folder.train if each.group != each.id}
    for split, records in folder.held_out.items():
        cut = [each for each in records if (each.task, each.group) in trained]
        if cut:
            yield found(
                DATA,
                "leak-group",
                f"{share(len(cut), len(records))} {split} records are of a group that train holds "
                f"too; {cut[0].id} is of group {quoted(cut[0].group)}",
                severity=severity_of(len(cut), len(records)) if split == "test" else "warning",
            )


def _project_prompts(folder: Folder, trained: Sequence[Key]) -> Iterator[Finding]:
    yield from asked_prompts(folder, read_prompts(TEST_PROMPTS), "prompts/test.json", set(trained))


def asked_prompts(
    folder: Folder, prompts: Sequence[Example], name: str, trained: set[Key] | None = None
) -> Iterator[Finding]:
    """Yield a finding where prompts that are asked were trained on.

    Args:
        folder: The training data.
        prompts: What is asked.
        name: The file they are from.
        trained: The keys of the training records, where they are known already.
    """
    trained = {key(record) for record in folder.train} if trained is None else trained
    leaked = [prompt for prompt in prompts if key(prompt) in trained]
    if leaked:
        yield found(
            DATA,
            "prompts-in-train",
            f"{share(len(leaked), len(prompts))} prompts of {name} are in "
            f"{folder.file('train')}; {leaked[0].id}: {quoted(leaked[0].instruction)}",
            severity=severity_of(len(leaked), len(prompts)),
            file=folder.file("train"),
        )


def _size(folder: Folder) -> Iterator[Finding]:
    units = len({(record.task, record.group) for record in folder.test})
    if not units:
        yield found(DATA, "no-test", f"{folder.file('test')} holds no records")
    elif units < FEW:
        yield found(
            DATA,
            "few-test-items",
            f"{folder.file('test')} holds {len(folder.test)} records in {units} groups: a share is "
            f"known to about {100 / units**0.5:.0f} percentage points only",
            severity="warning" if units < HARDLY_ANY else "note",
        )


def end_marks(folder: Folder, marks: Sequence[str]) -> Iterator[Finding]:
    """Yield a finding where training outputs hold one of the marks as text."""
    marked = [(record, mark) for record in folder.train for mark in marks if mark in record.output]
    if marked:
        record, mark = marked[0]
        ids = {each.id for each, _ in marked}
        end = record.output[max(0, record.output.index(mark) - 30) :]
        yield found(
            DATA,
            "eos-in-output",
            f"{share(len(ids), len(folder.train))} training outputs hold an end mark as text; "
            f"{record.id}: {quoted(end)}",
            file=folder.file("train"),
        )
