"""The sources by name. To add one: write a module in `prepdata/sources`, add a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tuneproof.errors import InputError, unknown
from tuneproof.formats.example import Example
from tuneproof.plugins import merged
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.sources import (
    complaints,
    dolly,
    finqa,
    general,
    hub,
    imdb,
    opening,
    sample,
    tabular,
    twitter_topics,
)
from tuneproof.prepdata.sources.rows import ReadLog, Row


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is known of a source, and how its rows become records."""

    summary: str
    """What it holds, in a few words."""
    licence: str
    """Under what it may be used."""
    size: str
    """How many rows upstream has."""
    hub_id: str | None
    """Where the Hub has it; None where only a local file makes sense."""
    record: Callable[[Row], Example | str] | None
    """Maps a `Row`; a row that is no example gives the reason as text. None for anybody's own
    file, which is mapped by the settings."""
    labels: tuple[str, ...] | None = None
    """The label set of a classification task, in upstream's order; () to read it off the data."""
    notes: Callable[[Row], Iterator[str]] | None = None
    """Yields what is worth counting of a row that is kept; the manifest has the counts."""
    generate: Callable[[], Iterator[Row]] | None = None
    """Makes the rows, for the embedded source."""

    @property
    def is_own(self) -> bool:
        """Whether it is anybody's own file."""
        return self.record is None


_OWN = Source(
    summary="your own CSV, Excel, JSON, JSONL or Parquet file or folder",
    licence="yours",
    size="-",
    hub_id=None,
    record=None,
)
SOURCES: dict[str, Source] = {
    "complaints": Source(
        summary="consumer complaints -> product",
        licence="public domain",
        size="about 1.3 million",
        hub_id="BEE-spoke-data/consumer-finance-complaints",
        record=complaints.record,
        labels=(),
    ),
    "csv": _OWN,
    "dolly": Source(
        summary="instructions of eight kinds, with answers",
        licence="CC BY-SA 3.0",
        size="15,011",
        hub_id="databricks/databricks-dolly-15k",
        record=dolly.record,
    ),
    "finqa": Source(
        summary="questions on pages of company reports -> number",
        licence="MIT",
        size="8,281",
        hub_id="PTPReasoning/finqa",
        record=finqa.record,
        notes=finqa.notes,
    ),
    "general": Source(
        summary="general questions of eight kinds, as --mix regressions=SHARE adds them",
        licence="this project's",
        size="430",
        hub_id=None,
        record=general.record,
        generate=general.rows,
    ),
    "imdb": Source(
        summary="film reviews -> negative, positive",
        licence="none stated, for research",
        size="50,000",
        hub_id="stanfordnlp/imdb",
        record=imdb.record,
        labels=imdb.LABELS,
    ),
    "jsonl": replace(_OWN, summary="the same, under another name"),
    "sample": Source(
        summary="small made-up tasks, for trying things out",
        licence="this project's",
        size=f"{sample.ROWS:,}",
        hub_id=None,
        record=sample.record,
        generate=sample.rows,
    ),
    "twitter-topics": Source(
        summary="financial tweets -> one of 20 topics",
        licence="MIT",
        size="21,107",
        hub_id="zeroshot/twitter-financial-news-topic",
        record=twitter_topics.record,
        labels=twitter_topics.LABELS,
    ),
}


HUB = "hub:"
"""What the name of any data set of the Hub begins with."""


def all_sources() -> dict[str, Source]:
    """Return the sources by name, those of plugins last."""
    return merged(SOURCES, "sources", Source)


def find(name: str, config: BuildConfig | None = None) -> Source:
    """Return a source by name, fitted to the settings; InputError names the nearest match."""
    if name.startswith(HUB):
        hub_id = str(hub.HubName.parse(name.removeprefix(HUB)))
        source = replace(_OWN, licence="see its card", hub_id=hub_id)
        return replace(source, labels=() if config and config.label_field else None)
    known = SOURCES if name in SOURCES else all_sources()
    if name not in known:
        raise unknown("source", name, known)
    source = known[name]
    if not source.is_own or config is None:
        return source
    return replace(source, labels=() if config.label_field else None)


def fitted(source: Source, first: Row, config: BuildConfig, log: ReadLog) -> BuildConfig:
    """Return the settings for a source, after a look at its first row."""
    return tabular.with_label_fields(first, config, log) if source.is_own else config


def mapper(
    name: str, source: Source, config: BuildConfig, log: ReadLog
) -> Callable[[Row], Example | str]:
    """Return what maps the rows of a source, and logs what it made of their fields."""
    return source.record or tabular.Mapper(name, config, log).record


def rows(name: str, source: Source, path: Path | None, log: ReadLog) -> Iterator[Row]:
    """Yield a source's rows, from a local path where one is given, and log how many there are."""
    if path is not None:
        read = opening.read_local(path, log)
        yield from (row.with_class_names() for row in read) if source.is_own else read
    elif source.generate is not None:
        for row in source.generate():
            log.rows["embedded"] += 1
            yield row
    elif source.hub_id is not None:
        read = hub.read_hub(hub.HubName.parse(source.hub_id), name, log)
        yield from (row.with_class_names() for row in read) if source.is_own else read
    else:
        raise InputError(f"source {name!r} needs a file or folder: --source {name}=PATH")
