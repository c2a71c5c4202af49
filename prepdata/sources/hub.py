"""Data sets of the Hub, by the names that people give them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tuneproof.errors import InputError
from tuneproof.hub import hub_or_cache
from tuneproof.prepdata.sources.rows import ReadLog, Row, split_of


@dataclass(frozen=True)
class HubName:
    """A data set of the Hub: ``OWNER/NAME``, ``OWNER/NAME:CONFIG`` or either with ``@SPLIT``."""

    repository: str
    """``OWNER/NAME``."""
    config: str | None = None
    """Which of several configurations; None where there is one."""
    splits: tuple[str, ...] = ()
    """Those to be read, joined by ``+`` in the name; all, where none is named."""

    @classmethod
    def parse(cls, text: str) -> HubName:
        """Read a name; InputError where it is none."""
        match = re.fullmatch(r"([\w.-]+/[\w.-]+|[\w.-]+)(?::([^@\s]+))?(?:@([\w.+-]+))?", text)
        if match is None:
            raise InputError(
                f"{text!r} is no data set of the Hub; type hub:OWNER/NAME, hub:OWNER/NAME:CONFIG "
                "or hub:OWNER/NAME@SPLIT"
            )
        repository, config, splits = match.groups()
        return cls(repository, config, tuple(splits.split("+")) if splits else ())

    def __str__(self) -> str:
        """Return the name as it is typed."""
        config = f":{self.config}" if self.config else ""
        return self.repository + config + (f"@{'+'.join(self.splits)}" if self.splits else "")


def read_hub(hub: HubName, name: str, log: ReadLog) -> Iterator[Row]:
    """Yield the rows of a Hub dataset, split by split; from the cache where the Hub is silent.

    Of several splits those are read whose names speak of train, validation or test, as of files; of
    one, or of one that is named, the rows have no split yet.

    Args:
        hub: The data set.
        name: The source's name, for messages.
        log: Gets the number of rows, and the splits that are not read.

    Raises:
        InputError: The Hub cannot be reached or does not hold it; the message says what to type.
    """
    offered = _load(hub, name)
    for split in hub.splits:
        if split not in offered:
            listed = ", ".join(map(str, offered))
            raise InputError(f"{hub.repository} has no split {split!r}; it has {listed}")
    splits = {split: rows for split, rows in offered.items() if split in (hub.splits or offered)}
    known = {split: split_of(str(split)) for split in splits}
    is_any = bool(hub.splits) or not any(known.values())
    chosen = [split for split in splits if known[split] or is_any]
    for split in offered:
        if split not in chosen:
            reason = "not asked for" if hub.splits else "its name speaks of no split, as others do"
            log.remark(f"not read: split {str(split)!r} ({reason})")
    for split in chosen:
        names = _class_names(getattr(splits[split], "features", None) or {})
        official = None if len(chosen) == 1 else known[split]
        for number, values in enumerate(splits[split], 1):
            log.rows[f"{hub} {str(split)!r}"] += 1
            yield Row(values, f"{hub}/{split} row {number}", official, names)


def _load(hub: HubName, name: str) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """Return a data set's splits by name."""
    import datasets

    with hub_or_cache() as answers:
        try:
            splits: Mapping[str, Any] = datasets.load_dataset(hub.repository, hub.config)
            return splits
        except Exception as error:  # the client raises many kinds, none of them the user's fault
            lines = str(error).strip().split("\n")[:2]
            reason = " ".join(filter(None, map(str.strip, lines))) or type(error).__name__
            if not answers and not (isinstance(error, ValueError) and "onfig" in reason):
                reason = "the Hub does not answer, and the cache does not hold it"
            copy = "jsonl" if name.startswith("hub:") else name
            raise InputError(
                f"cannot load {str(hub)!r}: {reason}. Give a local copy instead: "
                f"--source {copy}=PATH"
            ) from error


def _class_names(features: Mapping[str, object]) -> dict[str, list[str]]:
    """Return the names of the classes of each column of `datasets.Features` that has such."""
    import datasets

    return {
        column: feature.names
        for column, feature in features.items()
        if isinstance(feature, datasets.ClassLabel)
    }
