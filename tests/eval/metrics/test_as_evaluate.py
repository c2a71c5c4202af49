from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.eval.metrics.as_evaluate import load_metric
from tuneproof.eval.metrics.registry import METRICS, metrics_of

COLUMNS: dict[str, list[Any]] = {
    "predictions": ["red green blue", "12"],
    "references": ["red green", "12"],
    "prompts": ["Which colours are there?", "How many?"],
    "finish_reasons": ["eos", "length"],
    "lengths": [4, 2],
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a metric reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.slow
@pytest.mark.parametrize("name", metrics_of(with_labels=False))
def test_every_metric_computes_the_mean_as_an_evaluate_metric(name: str, tmp_path: Path) -> None:
    import evaluate

    metric = load_metric(name, cache_dir=str(tmp_path))
    assert isinstance(metric, evaluate.Metric)
    needed = [f"{column}s" for column in METRICS[name].needs]
    columns = {column: COLUMNS[column] for column in needed}
    values = [METRICS[name].function(*row) for row in zip(*map(COLUMNS.get, needed), strict=True)]
    scored = [value for value in values if value is not None]
    assert metric.compute(**columns) == {name: pytest.approx(sum(scored) / len(scored))}


@pytest.mark.slow
def test_nothing_to_score_is_an_error(tmp_path: Path) -> None:
    metric = load_metric("numeric_match", cache_dir=str(tmp_path))
    with pytest.raises(ValueError, match="none of the items can be scored"):
        metric.compute(predictions=["1"], references=["one"])


def test_metrics_of_labels_are_left_to_the_libraries_that_have_them() -> None:
    with pytest.raises(InputError, match="unknown metric 'macro_f1'"):
        load_metric("macro_f1")


def test_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown metric 'rougel'\. Did you mean 'rougeL'"):
        load_metric("rougel")


@pytest.mark.slow
def test_best_of_several_references() -> None:
    metric = load_metric("exact_match")
    references = [["one", "two"], ["three", "four"]]
    assert metric.compute(predictions=["two", "five"], references=references) == {
        "exact_match": 0.5
    }
