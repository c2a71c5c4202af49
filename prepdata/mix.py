"""General rows among the training records, so that a tuning breaks less (`--mix`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import Split
from tuneproof.formats.regressions import read_mixed
from tuneproof.prepdata import registry
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.near.comparing import Texts, question_key
from tuneproof.prepdata.sources.rows import ReadLog
from tuneproof.prepdata.splits import fraction_of
from tuneproof.prepdata.spool import Entries, Entry, Numbers, Spool

HELD_OUT: tuple[Split, ...] = ("validation", "test")
NAME = "general"
"""The source of the rows, as the manifest and the records name it."""


def check_mix(sources: Iterable[str], config: BuildConfig) -> None:
    """Raise InputError where general rows cannot stand beside what is read."""
    if not config.mixed_share:
        return
    for name in sources:
        if name == NAME:
            raise InputError(f"--mix takes rows of the source {NAME!r}; leave out --source {NAME}")
        check_texts(registry.find(name, config), name, config)


def check_texts(source: registry.Source, name: str, config: BuildConfig) -> None:
    """Raise InputError where a source's answers are labels, as may be seen by its rows alone."""
    if config.mixed_share and source.labels is not None:
        raise InputError(
            f"--mix adds rows whose answers are texts, and those of {name!r} are labels; leave it "
            "out"
        )


def add_mixed(
    entries: Entries, numbers: Numbers, spool: Spool, config: BuildConfig, log: ReadLog
) -> Numbers:
    """Add so many general entries that they have their share of train, or all there are.

    Args:
        entries: They are added here.
        numbers: Of those that stay.
        spool: Gets their texts.
        config: The settings.
        log: Is told what was read.

    Returns:
        The numbers, with those of the general entries behind them.
    """
    share = config.mixed_share
    if not share:
        return numbers
    train = sum(split == "train" for _, split, _ in entries.facts(numbers))
    wanted = round(train * share / (1 - share))
    held_out = {
        question_key(spool.texts(offset))
        for split in HELD_OUT
        for offset in entries.offsets(numbers, split)
    }
    every = read_mixed()
    records = [
        one
        for one in every
        if question_key(Texts(one.instruction, one.input, one.output)) not in held_out
    ]
    log.rows["embedded"] = len(every)
    if asked := len(every) - len(records):
        log.remark(f"{asked:,} general rows are left out, since held-out records ask the same")
    if wanted > len(records):
        reached = len(records) / (len(records) + train)
        log.remark(
            f"{wanted:,} general rows are wanted for a share of {share:g}, and there are "
            f"{len(records):,}: their share is {reached:.2g}"
        )
    for record in records[:wanted]:
        entry = Entry(
            offset=spool.add(record),
            source=NAME,
            split="train",
            group=fraction_of(record.group),
            label="",
            order=fraction_of(record.id, f"{config.seed} {NAME}"),
        )
        numbers = np.append(numbers, entries.add(entry))
    return numbers


def with_mix(sources: dict[str, Path | None], config: BuildConfig) -> dict[str, Path | None]:
    """Return the sources of a build, with that of the general rows where they are mixed in."""
    return {**sources, NAME: None} if config.mixed_share else sources
