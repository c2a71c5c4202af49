"""The sources by name. To add one: write a module in `prepdata/sources`, add a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tuneproof.errors import InputError, unknown
from tuneproof.formats.example import Example
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.sources import (
    complaints,
    dolly,
    finqa,
    imdb,
    opening,
    sample,
    tabular,
    twitter_topics,
)


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
    record: Callable[..., Example | str]
    """Maps an `opening.Row`; a row that is no example gives the reason as text."""
    labels: tuple[str, ...] | None = None
    """The label set of a classification task, in upstream's order; () to read it off the data."""
    notes: Callable[[opening.Row], Iterator[str]] | None = None
    """Yields what is worth counting of a row that is kept; the manifest has the counts."""
    generate: Callable[[], Iterator[opening.Row]] | None = None
    """Makes the rows, for the embedded source."""
    is_own: bool = False
    """Whether it is anybody's own file: `record` then takes the task and the settings as well."""


_OWN = Source(
    summary="your own CSV, JSONL, JSON or Parquet file or folder",
    licence="yours",
    size="-",
    hub_id=None,
    record=tabular.record,
    is_own=True,
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


def find(name: str, config: BuildConfig | None = None) -> Source:
    """Return a source by name, fitted to the settings; InputError names the nearest match."""
    if name not in SOURCES:
        raise unknown("source", name, SOURCES)
    source = SOURCES[name]
    if not source.is_own or config is None:
        return source
    record = partial(source.record, task=name, config=config)
    return replace(source, record=record, labels=() if config.label_field else None)


def rows(name: str, source: Source, path: Path | None) -> Iterator[opening.Row]:
    """Yield a source's rows, from a local path where one is given."""
    if path is not None:
        for file in opening.local_files(path):
            yield from opening.read_local(file)
    elif source.generate is not None:
        yield from source.generate()
    elif source.hub_id is not None:
        yield from opening.read_hub(source.hub_id, name)
    else:
        raise InputError(f"source {name!r} needs a file or folder: --source {name}=PATH")
