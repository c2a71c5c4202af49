from __future__ import annotations

import subprocess
import sys

from tuneproof.eval.metrics.registry import METRICS, metrics_of

EMPTY = {
    "prediction": "",
    "reference": "some words",
    "prompt": "a question of four words",
    "finish_reason": "length",
    "length": 0,
    "executed": "5",
    "labels": ("some words", "others"),
}
ONE_OF_A_SET = ("label", "label_probabilities", "hits", "gaps")


def test_every_metric_explains_itself() -> None:
    for name, metric in METRICS.items():
        for text in (metric.title, metric.definition, metric.empty, metric.source, metric.weakness):
            assert text.strip(), name


def test_empty_answer_scores_what_the_registry_says() -> None:
    expected = {"numeric_match": None, "invalid_rate": 1}
    for name, metric in METRICS.items():
        if metric.needs[0] not in ONE_OF_A_SET:
            value = metric.function(*(EMPTY[column] for column in metric.needs))
            assert value == expected.get(name, 0), name


def test_texts_and_labels_have_their_own_metrics() -> None:
    texts, labels = (metrics_of(with_labels=choice) for choice in (False, True))
    programs = set(metrics_of(with_labels=False, with_programs=True)) - set(texts)
    assert programs == {"executed_match"}
    assert set(texts) | set(labels) | programs == set(METRICS)
    assert set(texts) & set(labels) == {"stop_rate", "length"}
    assert "rougeL" in texts and "accuracy" in labels
    assert [name for name, metric in texts.items() if metric.is_of_a_set] == []


def test_registry_imports_no_heavy_library() -> None:
    code = "import sys, tuneproof.eval.metrics.registry; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    for heavy in ("torch", "numpy", "rouge_score", "evaluate", "datasets", "matplotlib"):
        assert heavy not in loaded.stdout.split()
