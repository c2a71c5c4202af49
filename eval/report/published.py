"""Figures that others have published, shown with ours and never tested."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.eval.metrics.asked import metrics_asked
from tuneproof.eval.metrics.metric import Metric
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.formats.figures import MetricFigure
from tuneproof.formats.report import OurFigure, Published, PublishedBesideOurs
from tuneproof.formats.variant import Variant
from tuneproof.options import from_mapping
from tuneproof.yaml_text import read_yaml

REMARK = (
    "As their authors report them, of the model that is named; data cuts and code are not ours."
)


def read_published(rows: Any, where: str, asked: Sequence[str] = ()) -> tuple[Published, ...]:
    """Return the figures that a list in YAML holds; nothing where there is none.

    Args:
        rows: The list.
        where: Begins the messages of errors.
        asked: Metrics that are asked for beside those there are, as `--metric` takes them.

    Raises:
        InputError: Something else than a list of figures.
    """
    if rows is None:
        return ()
    if not isinstance(rows, list):
        raise InputError(f"{where}: a list of figures is needed, found {rows!r}")
    known = METRICS | metrics_asked(asked)
    return tuple(
        _figure(row, f"{where}: figure {number}", known) for number, row in enumerate(rows, 1)
    )


def read_published_file(path: Path, asked: Sequence[str] = ()) -> tuple[Published, ...]:
    """Return the figures of a YAML file that has them under `published`.

    Args:
        path: The file.
        asked: As for `read_published`.

    Raises:
        InputError: There is no such file, or no list of figures in it.
    """
    content = read_yaml(path)
    if list(content) != ["published"]:
        raise InputError(f"{path}: one key 'published' is needed, found {', '.join(content)}")
    return read_published(content["published"], f"{path}: published", asked)


def beside_ours(
    figures: Sequence[Published],
    metrics: Mapping[str, Mapping[str, MetricFigure]],
    variants: Mapping[str, Variant],
) -> tuple[PublishedBesideOurs, ...]:
    """Return the published figures, each with ours: our model, value, interval.

    Args:
        figures: What was published.
        metrics: Our figures by variant and metric.
        variants: Our variants by name.
    """
    rows = []
    for figure in figures:
        ours = None
        seen = metrics.get(figure.variant, {}).get(figure.metric)
        if seen is not None:
            ours = OurFigure(
                model=variants[figure.variant].model,
                value=seen.value,
                low=seen.low,
                high=seen.high,
                n=seen.n,
            )
        rows.append(PublishedBesideOurs(**dataclasses.asdict(figure), ours=ours))
    return tuple(rows)


def _figure(row: Any, where: str, known: Mapping[str, Metric]) -> Published:
    if not isinstance(row, dict):
        names = ", ".join(field.name for field in dataclasses.fields(Published))
        raise InputError(f"{where}: {names} are needed, found {row!r}")
    figure = from_mapping(Published, row, where)
    if figure.metric not in known:
        raise InputError(f"{where}: {unknown('metric', figure.metric, known)}")
    most = math.inf if known[figure.metric].is_count else 1.0
    if not -1 <= figure.value <= most:
        raise InputError(
            f"{where}: value {figure.value:g} of {figure.metric} is a part of 1, as in 0.83"
        )
    return figure
