"""Checks of the records: leaks between the files, end marks as text, sizes, lengths.

`check_data` is quick enough to run before each training; near-duplicates and lengths take seconds
to minutes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuneproof.finding import Finding, finding, quoted, share
from tuneproof.formats.conversation import last_question
from tuneproof.formats.data_folder import FILES, DataFolder, Manifest, Split
from tuneproof.formats.example import TEST_PROMPTS, Example, read_prompts
from tuneproof.formats.template import Template
from tuneproof.plugins import checks_of
from tuneproof.prepdata.checks.advice import DATA
from tuneproof.prepdata.checks.labels import Key, check_counts, check_labels
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.near.comparing import Texts, question_key
from tuneproof.prepdata.near.index import DuplicateIndex
from tuneproof.prompts.fit import lengths

LEAKED = 0.01
"""Share of the test records from which a leak is an error: it can move the score by as much."""
FEW = 100
"""Fewer test records are a note: a share is known to 10 percentage points at best (1 / sqrt(n))."""
HARDLY_ANY = 20
"""Fewer still are a warning; two in twenty that differ are never significant."""
COMPARED = 50_000
"""Train records that are compared with what is held out; of more, so many, evenly spread."""
SHORTENED = 0.1
"""Share of the records from which a shortened input is a warning, not a note."""
TOO_LONG = 0.05
"""Share from which records that are left out are a warning."""
ENOUGH = 0.95
"""Share of the long records that the proposed max_length would hold."""
END_MARKS = (
    "<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "<eos>", "</s>",
    "<end_of_turn>", "[EOS]",
)  # fmt: skip
"""End marks of the common families of models."""


def check_data(folder: DataFolder) -> Iterator[Finding]:
    """Yield what is wrong with the records, as far as one quick look at each shows it."""
    if folder.edited:
        where = ", ".join(str(folder.path / name) for name in folder.edited)
        evidence = f"{where}: not as manifest.json says that `prepdata build` wrote it"
        yield finding(DATA, "data-edited", evidence)
    keys = {split: array("q", map(_key, part)) for split, part in folder.splits.items()}
    yield from _exact(folder, keys)
    yield from _groups(folder)
    prompts = read_prompts(TEST_PROMPTS)
    yield from check_prompts(folder, prompts, "prompts/test.json", keys["train"])
    yield from check_labels(folder, keys)
    yield from _size(folder)
    yield from check_end_marks(folder, END_MARKS)
    yield from checks_of("data", folder)


def check_manifest(manifest: Manifest) -> Iterator[Finding]:
    """Yield what one should know of a build before training on it, from its counts alone."""
    for split in ("validation", "test"):
        if (facts := manifest.files.get(FILES[split])) is not None and not facts.records:
            yield _empty(split)
    for task, labels in manifest.labels.items():
        yield from check_counts(task, labels, manifest.label_counts.get(task, {}))


def check_prompts(
    folder: DataFolder, prompts: Sequence[Example], name: str, trained: Iterable[Key] | None = None
) -> Iterator[Finding]:
    """Yield a finding where prompts that are asked were trained on.

    Args:
        folder: The training data.
        prompts: What is asked.
        name: The file they are from.
        trained: The keys of the training records, where they are known already.
    """
    asked = set(map(_key, prompts))
    leaks = asked.intersection(map(_key, folder.train) if trained is None else trained)
    leaked = [prompt for prompt in prompts if _key(prompt) in leaks]
    if leaked:
        where = f"{leaked[0].id}: {quoted(leaked[0].instruction)}"
        evidence = f"prompts of {name} are in {folder.file('train')}; {where}"
        yield _leak("prompts-in-train", folder, "test", len(leaked), len(prompts), evidence)


def check_end_marks(folder: DataFolder, marks: Sequence[str]) -> Iterator[Finding]:
    """Yield a finding where training outputs hold one of the marks as text."""
    marked = [(record, mark) for record in folder.train for mark in marks if mark in record.output]
    if marked:
        record, mark = marked[0]
        ids = {record.id for record, _ in marked}
        end = record.output[max(0, record.output.index(mark) - 30) :]
        yield finding(
            DATA,
            "eos-in-output",
            f"{share(len(ids), len(folder.train))} training outputs hold an end mark as text; "
            f"{record.id}: {quoted(end)}",
            file=folder.file("train"),
        )


@dataclass(frozen=True, kw_only=True)
class NearPairs:
    """Records that are held out, and train records that are nearly the same."""

    pairs: Mapping[Split, Sequence[tuple[Example, Example]]]
    """By split: the record that is held out, and one of train."""
    compared: int
    """Train records that were looked at."""
    available: int
    """Those that there are."""

    @property
    def is_part(self) -> bool:
        """Whether only a part of train was looked at."""
        return 0 < self.compared < self.available


def near_pairs(folder: DataFolder) -> NearPairs:
    """Return the near-duplicates across splits (MinHash, then compared in full)."""
    held = [(split, record) for split, part in folder.held_out.items() for record in part]
    available = len(folder.train)
    count = min(COMPARED, available) if held else 0
    compared = [folder.train[number * available // count] for number in range(count)]
    records = [*(record for _, record in held), *compared]
    texts = list(map(_texts, records))
    twins: dict[Split, dict[int, Example]] = {split: {} for split in folder.held_out}
    index = DuplicateIndex(len(texts), texts.__getitem__)
    for number in range(len(held)):
        index.add(number, is_held_out=True)
    for number, match in index.find(range(len(held), len(records))):
        if match is not None and match[0] == "near-duplicate":
            twins[held[match[1]][0]].setdefault(match[1], records[number])
    pairs = {
        split: [(records[number], twin) for number, twin in twin_of.items()]
        for split, twin_of in twins.items()
    }
    return NearPairs(pairs=pairs, compared=count, available=available)


def check_near(folder: DataFolder) -> Iterator[Finding]:
    """Yield near-duplicates between train and what is held out.

    Files that are still as `prepdata build` wrote them hold none: it compares in the same way.
    """
    if not folder.train or _has_no_near(folder):
        return
    near = near_pairs(folder)
    looked = f"{near.compared:,} of {near.available:,} train records were compared"
    for split, pairs in near.pairs.items():
        if pairs:
            record, twin = pairs[0]
            evidence = (
                f"{split} records are nearly in train{f' ({looked})' if near.is_part else ''}; "
                f"{record.id} is nearly {twin.id}: {quoted(record.instruction)}"
            )
            total = len(folder.held_out[split])
            yield _leak("leak-near", folder, split, len(pairs), total, evidence)
    if near.is_part and not any(near.pairs.values()):
        yield finding(DATA, "near-sampled", f"{looked} with test and validation; none is near")


def _has_no_near(folder: DataFolder) -> bool:
    """Return whether the files are as a build left them that left out all that is near."""
    if not folder.is_as_built or folder.manifest is None:
        return False
    config = folder.manifest.config
    is_as_strict = config.get("near_threshold", 1) <= BuildConfig.near_threshold
    return config.get("duplicates") == "near" and is_as_strict


def check_lengths(
    folder: DataFolder, template: Template, tokenizer: Any, max_length: int, context: int | None
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

    def measured(records: Sequence[Example], *, answered: bool) -> list[int]:
        rows = [record if answered else _unanswered(record) for record in records]
        return lengths(template, tokenizer, rows) if rows else []

    for split, records in folder.splits.items():
        answered = split != "test"
        whole = measured(records, answered=answered)
        long = [(record, n) for record, n in zip(records, whole, strict=True) if n > max_length]
        bare = measured([_shortest(record) for record, _ in long], answered=answered)
        for case, least in zip(long, bare, strict=True):
            (out if least > max_length else short).setdefault(split, []).append(case)
    totals = {split: len(records) for split, records in folder.splits.items()}
    for code, cases, limit in (
        ("records-too-long", out, TOO_LONG),
        ("inputs-shortened", short, SHORTENED),
    ):
        if cases:
            yield _length_finding(code, cases, totals, limit, max_length, context)


def _unanswered(record: Example) -> Example:
    """Return a record without its answer."""
    asked = last_question(record.messages)
    messages = record.messages if asked is None else record.messages[: asked + 1]
    return replace(record, output="", messages=messages)


def _shortest(record: Example) -> Example:
    """Return what is left of a record at least: no input; of a conversation the last question."""
    asked = last_question(record.messages)
    if asked is None:
        return replace(record, input="")
    system = [turn for turn in record.messages[:1] if turn.role == "system"]
    return replace(record, input="", messages=(*system, *record.messages[asked:]))


def _exact(folder: DataFolder, keys: Mapping[Split, Sequence[Key]]) -> Iterator[Finding]:
    held = {key for split in folder.held_out for key in keys[split]}
    trained = {key: number for number, key in enumerate(keys["train"]) if key in held}
    for split, records in folder.held_out.items():
        keyed = zip(records, keys[split], strict=True)
        pairs = [(record, key) for record, key in keyed if key in trained]
        if pairs:
            (record, key), count = pairs[0], len(pairs)
            twin = folder.train[trained[key]]
            where = f"{record.id} is {twin.id}: {quoted(record.text)}"
            evidence = f"{split} records are in train too; {where}"
            yield _leak("leak-exact", folder, split, count, len(records), evidence)


def _groups(folder: DataFolder) -> Iterator[Finding]:
    """Find groups on both sides; a record that is its own group says nothing."""
    held = {_group(record) for part in folder.held_out.values() for record in part}
    named = (_group(record) for record in folder.train if record.group != record.id)
    trained = held.intersection(named)
    for split, records in folder.held_out.items():
        cut = [record for record in records if _group(record) in trained]
        if cut:
            where = f"{cut[0].id} is of group {quoted(cut[0].group)}"
            evidence = f"{split} records are of a group that train holds too; {where}"
            yield _leak("leak-group", folder, split, len(cut), len(records), evidence)


def _size(folder: DataFolder) -> Iterator[Finding]:
    units = len(set(map(_group, folder.test)))
    if not units:
        yield _empty("test")
    elif units < FEW:
        yield finding(
            DATA,
            "few-test-items",
            f"{folder.file('test')} holds {len(folder.test)} records in {units} groups: a share is "
            f"known to about {100 / units**0.5:.0f} percentage points only",
            severity="warning" if units < HARDLY_ANY else "note",
        )


def _empty(split: Split) -> Finding:
    return finding(DATA, f"no-{split}", f"the {split} split is empty")


def _length_finding(
    code: str,
    cases: Mapping[str, Sequence[tuple[Example, int]]],
    totals: Mapping[Split, int],
    limit: float,
    max_length: int,
    context: int | None,
) -> Finding:
    counts = {split: len(cases.get(split, ())) for split in totals}
    shares = [f"{share(n, totals[split])} {split}" for split, n in counts.items() if n]
    listed = [case for part in cases.values() for case in part]
    longest, most = max(listed, key=lambda case: case[1])
    is_much = any(n > limit * totals[split] for split, n in counts.items())
    wanted = sorted(n for _, n in listed)[int(ENOUGH * (len(listed) - 1))]
    return finding(
        DATA,
        code,
        f"{', '.join(shares)} records are over {max_length} tokens: "
        f"{', '.join(record.id for record, _ in listed[:3])} ...; the longest, {longest.id}, has "
        f"{most:,}",
        severity="warning" if is_much else "note",
        tokens=wanted if context is None else min(wanted, max(context, max_length)),
    )


def _leak(
    code: str, folder: DataFolder, split: Split, count: int, total: int, evidence: str
) -> Finding:
    """Return the finding that so many records of a split leak; only the test is scored."""
    is_error = split == "test" and count >= LEAKED * total
    return finding(
        DATA,
        code,
        f"{share(count, total)} {evidence}",
        severity="error" if is_error else "warning",
        file=folder.file("train"),
    )


def _key(record: Example) -> Key:
    """Return what makes two questions the same."""
    return hash(question_key(_texts(record)))


def _group(record: Example) -> int:
    """Return what tells a record's group from those of others."""
    return hash((record.task, record.group))


def _texts(record: Example) -> Texts:
    return Texts(record.instruction, record.input, record.output)
