from __future__ import annotations

import subprocess
import sys

from eval.metrics.registry import METRICS

EMPTY = {
    "prediction": "",
    "reference": "some words",
    "prompt": "a question of four words",
    "finish_reason": "length",
    "length": 0,
}


def test_every_metric_explains_itself() -> None:
    for name, metric in METRICS.items():
        for text in (metric.title, metric.definition, metric.empty, metric.source, metric.weakness):
            assert text.strip(), name


def test_empty_answer_scores_what_the_registry_says() -> None:
    for name, metric in METRICS.items():
        value = metric.function(*(EMPTY[column] for column in metric.needs))
        assert value == (None if name == "numeric_match" else 0), name


def test_registry_imports_no_heavy_library() -> None:
    code = "import sys, eval.metrics.registry; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    for heavy in ("torch", "numpy", "rouge_score", "evaluate", "datasets", "matplotlib"):
        assert heavy not in loaded.stdout.split()
