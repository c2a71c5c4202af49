"""The metrics by name. To add one: write function and `Metric` beside each other, name it here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tuneproof.eval.metrics import (
    chrf,
    echo,
    ending,
    label_sets,
    labels,
    numeric,
    repetition,
    rouge,
    squad,
)
from tuneproof.eval.metrics.metric import Metric
from tuneproof.plugins import plugins

METRICS: dict[str, Metric] = {
    "accuracy": labels.ACCURACY,
    "macro_f1": label_sets.MACRO_F1,
    "weighted_f1": label_sets.WEIGHTED_F1,
    "weighted_precision": label_sets.WEIGHTED_PRECISION,
    "weighted_recall": label_sets.WEIGHTED_RECALL,
    "matthews": label_sets.MATTHEWS,
    "brier": labels.BRIER,
    "calibration_error": label_sets.CALIBRATION_ERROR,
    "free_accuracy": labels.FREE_ACCURACY,
    "invalid_rate": labels.INVALID_RATE,
    "rougeL": rouge.ROUGE_L,
    "rouge1": rouge.ROUGE1,
    "rouge2": rouge.ROUGE2,
    "chrf": chrf.CHRF,
    "token_f1": squad.TOKEN_F1,
    "exact_match": squad.EXACT_MATCH,
    "numeric_match": numeric.NUMERIC_MATCH,
    "executed_match": numeric.EXECUTED_MATCH,
    "repetition_rate": repetition.REPETITION_RATE,
    "loop_rate": repetition.LOOP_RATE,
    "echo_rate": echo.ECHO_RATE,
    "stop_rate": ending.STOP_RATE,
    "distinct_2": repetition.DISTINCT_2,
    "length": ending.LENGTH,
}
"""Every metric, in the order in which reports show them; those of plugins follow."""
OWN = frozenset(METRICS)
"""The names of those that come with this package."""


def load_plugins() -> None:
    """Add the metrics of plugins, which score one answer each."""
    METRICS.update(plugins("metrics", Metric, OWN, _fault_of))


def _fault_of(metric: Metric) -> str:
    return "it must score one answer, not a set of them" if metric.is_of_a_set else ""


def metrics_of(*, with_labels: bool, with_programs: bool = False) -> dict[str, Metric]:
    """Return the metrics for a task with a label set, or for one without.

    Those of programs join in where items have programs.

    A label is a few fixed words: overlap with the reference would be accuracy again in a weaker
    form, and an answer that loops or echoes is not a label, so `invalid_rate` counts it already.
    """
    load_plugins()
    wanted = {"any", "labels" if with_labels else "text"}
    if with_programs and not with_labels:
        wanted.add("programs")
    return {name: metric for name, metric in METRICS.items() if metric.task in wanted}


def unit_of(metric: str, length_unit: str) -> str:
    """Return the unit in which a metric's values are shown; lengths are in `length_unit`."""
    return length_unit if metric == "length" else METRICS[metric].unit


@contextmanager
def added(metrics: Mapping[str, Metric]) -> Iterator[None]:
    """Have further metrics in `METRICS` while a block runs."""
    new = {name: metric for name, metric in metrics.items() if name not in METRICS}
    METRICS.update(new)
    try:
        yield
    finally:
        for name in new:
            del METRICS[name]
