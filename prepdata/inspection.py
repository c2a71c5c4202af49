"""Looking at a build: how much of what, how long, which labels, and a few records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.example import FILES, Example, read_examples
from tuneproof.hub import hub_or_cache
from tuneproof.models.load import TINY as TINY_FOLDER
from tuneproof.prepdata import manifest, summary
from tuneproof.prompts import template as templates
from tuneproof.prompts.fit import lengths
from tuneproof.text import bar, bars, indented, one_line, table

TINY = "tiny"
BATCH = 500
SHORTEST = 32
"""The histogram's first bar holds what is up to so many tokens long; each next up to twice that."""
SHARES = (0.5, 0.9, 0.99)


def inspect(folder: Path, *, tokenizer: str = TINY, records: int = 3) -> str:
    """Return a report on a folder that `prepdata build` wrote.

    Raises:
        InputError: The folder is no build, its files are not those of its manifest, or the
            tokenizer cannot be loaded.
    """
    facts = manifest.read(folder)
    encoder = load_tokenizer(tokenizer)
    template = templates.load()
    found: Counter[int] = Counter()
    for name, stated in facts["files"].items():
        count = 0
        for batch in _batches(read_examples(folder / name)):
            texts = [(record.instruction, record.input, record.output) for record in batch]
            found.update(lengths(template, encoder, texts))
            count += len(batch)
        if count != stated["records"]:
            raise InputError(
                f"{folder / name} holds {count:,} records, but its manifest says "
                f"{stated['records']:,}; run `prepdata build` again"
            )
    title = f"tokens per record (prompt by template {template.name!r} + answer, {tokenizer})"
    parts = [
        summary.overview(facts),
        f"{title}\n{indented(histogram(found))}",
        *_label_charts(facts),
        *(_shown(record) for record in islice(read_examples(folder / FILES["train"]), records)),
    ]
    return "\n\n".join(parts)


def load_tokenizer(name: str) -> Any:
    """Load a tokenizer: ``tiny``, a folder, or a Hub id.

    Raises:
        InputError: There is none; the message says what to type instead.
    """
    from transformers import AutoTokenizer

    path = TINY_FOLDER if name == TINY else Path(name).expanduser()
    if path.is_dir():
        if not any(path.glob("tokenizer*")):
            raise InputError(f"{path} holds no tokenizer; give --tokenizer a folder that does")
        try:
            return AutoTokenizer.from_pretrained(path)
        except Exception as error:  # of many kinds, by what is wrong with which file
            raise InputError(f"{path}: cannot load the tokenizer: {error!r}") from error
    with hub_or_cache() as answers:
        try:
            return AutoTokenizer.from_pretrained(name)
        except Exception as error:  # the Hub's client raises many kinds
            reason = str(error).strip().split("\n")[0] if answers else "the Hub does not answer"
            raise InputError(
                f"no folder {name!r}, and no tokenizer of that name on the Hub ({reason}); "
                "`--tokenizer tiny` needs no network"
            ) from error


def histogram(found: Mapping[int, int]) -> str:
    """Return bars for the lengths in doubling steps, then the lengths that most keep within."""
    steps: Counter[int] = Counter()
    for length, count in found.items():
        step = SHORTEST
        while step < length:
            step *= 2
        steps[step] += count
    edges = []
    step = SHORTEST
    while step <= max(steps):
        edges.append(step)
        step *= 2
    width = len(f"{edges[-1]:,}")
    chart = bars([(f"up to {edge:>{width},}", steps[edge]) for edge in edges])
    within = ", ".join(f"{share:.0%} within {quantile(found, share):,}" for share in SHARES)
    return f"{chart}\n{within}, longest {max(found):,}"


def quantile(found: Mapping[int, int], share: float) -> int:
    """Return the smallest length that at least `share` of the records, in (0, 1], keep within."""
    needed = share * sum(found.values())
    seen = 0
    for length in sorted(found):
        seen += found[length]
        if seen >= needed:
            return length
    raise ValueError("no lengths")


def _batches(records: Iterator[Example]) -> Iterator[list[Example]]:
    while batch := list(islice(records, BATCH)):
        yield batch


def _label_charts(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield a chart per classification task, the labels by their number of training records."""
    for task, names in facts["labels"].items():
        found = facts["label_counts"][task]
        numbers = {name: [found.get(name, {}).get(split, 0) for split in FILES] for name in names}
        ordered = sorted(names, key=lambda name: (-numbers[name][0], name))
        most = max(counts[0] for counts in numbers.values())
        rows = [("label", *FILES)]
        rows += [
            (one_line(name, 48), *(f"{number:,}" for number in numbers[name])) for name in ordered
        ]
        lines = table(rows).split("\n")
        charted = [
            f"{line}  {bar(numbers[name][0], most)}"
            for line, name in zip(lines[1:], ordered, strict=True)
        ]
        yield f"labels of {task}\n" + indented("\n".join([lines[0], *charted]))


def _shown(record: Example) -> str:
    fields = [
        ("instruction", record.instruction),
        ("input", record.input),
        ("output", record.output),
    ]
    lines = [f"  {name + ':':12} {one_line(text)}" for name, text in fields if text]
    return "\n".join([f"{record.task} {record.id}", *lines])
