"""The metrics as `evaluate.Metric` objects: built here, so that no script is fetched from a hub."""

from __future__ import annotations

from typing import Any

from tuneproof.errors import unknown
from tuneproof.eval.metrics.metric import Metric
from tuneproof.eval.metrics.registry import METRICS

_PLURALS = {
    "prediction": "predictions",
    "reference": "references",
    "prompt": "prompts",
    "finish_reason": "finish_reasons",
    "length": "lengths",
}
_KNOWN = [name for name, metric in METRICS.items() if set(metric.needs) <= set(_PLURALS)]
"""The metrics of texts; for labels `evaluate` and scikit-learn have the same."""


def load_metric(name: str, **settings: Any) -> Any:
    """Return a metric of this project as an `evaluate.Metric`; it works without a network.

    ``load_metric("rougeL").compute(predictions=[...], references=[...])`` returns
    ``{"rougeL": mean}``. A metric takes the columns it needs, in the plural: `echo_rate` takes
    `predictions` and `prompts`, `stop_rate` takes `finish_reasons`, `length` takes `lengths`.
    `references` may hold a list of right answers for each prediction; the best counts.

    Args:
        name: A name in `METRICS`; those for labels are left to the libraries that have them.
        **settings: Passed to `evaluate.Metric`; the values are kept in memory unless it says
            ``keep_in_memory=False``.

    Raises:
        InputError: There is no such metric.
    """
    if name not in _KNOWN:
        raise unknown("metric", name, _KNOWN)
    return _metric_class(name, METRICS[name])(**{"keep_in_memory": True, **settings})


def _metric_class(name: str, metric: Metric) -> Any:
    """Return a subclass of `evaluate.Metric` named after the metric."""
    import datasets
    import evaluate

    kinds = {column: "int64" if column == "length" else "string" for column in metric.needs}
    one = {_PLURALS[column]: datasets.Value(kind) for column, kind in kinds.items()}
    several = {**one, "references": datasets.List(datasets.Value("string"))}
    forms = [one, several] if "references" in one else [one]
    features = [datasets.Features(form) for form in forms]

    def info(self: Any) -> Any:
        return evaluate.MetricInfo(
            description=metric.definition,
            citation=metric.source,
            inputs_description=f"Columns: {', '.join(one)}.",
            features=features,
        )

    def compute(self: Any, **columns: list[Any]) -> dict[str, float]:
        if "references" in columns:
            columns["references"] = [
                (right,) if isinstance(right, str) else right for right in columns["references"]
            ]
        rows = zip(*(columns[_PLURALS[column]] for column in metric.needs), strict=True)
        scored = (metric.value(dict(zip(metric.needs, row, strict=True))) for row in rows)
        values = [value for value in scored if value is not None]
        if not values:
            raise ValueError(f"{name}: none of the items can be scored; {metric.definition}")
        return {name: sum(values) / len(values)}

    body = {"_info": info, "_compute": compute, "__doc__": metric.definition}
    return type(metric.title.title().replace(" ", "").replace("-", ""), (evaluate.Metric,), body)
