"""The sources by name. To add one: write a module in `prepdata/sources`, add a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError, unknown
from prepdata.records import Record
from prepdata.sources import complaints, dolly, finqa, imdb, opening, sample, twitter_topics


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
    record: Callable[[opening.Row], Record | None]
    """Maps a row; None for rows that are no example at all."""
    labels: tuple[str, ...] | None = None
    """The label set of a classification task in upstream's order; () where it is read off the data."""
    generate: Callable[[], Iterator[opening.Row]] | None = None
    """Makes the rows, for the embedded source."""


SOURCES: dict[str, Source] = {
    "complaints": Source(
        summary="consumer complaints -> product",
        licence="public domain",
        size="about 1.3 million rows",
        hub_id="BEE-spoke-data/consumer-finance-complaints",
        record=complaints.record,
        labels=(),
    ),
    "dolly": Source(
        summary="instructions of eight kinds, with answers",
        licence="CC BY-SA 3.0",
        size="15,011 rows",
        hub_id="databricks/databricks-dolly-15k",
        record=dolly.record,
    ),
    "finqa": Source(
        summary="questions on pages of company reports -> number",
        licence="MIT",
        size="8,281 rows",
        hub_id="PTPReasoning/finqa",
        record=finqa.record,
    ),
    "imdb": Source(
        summary="film reviews -> negative, positive",
        licence="none stated, for research",
        size="50,000 rows",
        hub_id="stanfordnlp/imdb",
        record=imdb.record,
        labels=imdb.LABELS,
    ),
    "sample": Source(
        summary="small made-up tasks, for trying things out",
        licence="this project's",
        size=f"{sample.ROWS:,} rows",
        hub_id=None,
        record=sample.record,
        generate=sample.rows,
    ),
    "twitter-topics": Source(
        summary="financial tweets -> one of 20 topics",
        licence="MIT",
        size="21,107 rows",
        hub_id="zeroshot/twitter-financial-news-topic",
        record=twitter_topics.record,
        labels=twitter_topics.LABELS,
    ),
}


def find(name: str) -> Source:
    """Return a source by name; InputError names the nearest match."""
    if name not in SOURCES:
        raise unknown("source", name, [*SOURCES, "csv", "jsonl"])
    return SOURCES[name]


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
        raise InputError(f"source {name!r} needs a file: --source {name}=PATH")
