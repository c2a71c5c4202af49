"""Metrics that are asked for: they are read, scored, reported, and gone afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tuneproof.errors import InputError
from tuneproof.eval.cli import main
from tuneproof.eval.metrics.asked import metric_of, metrics_asked, with_asked
from tuneproof.eval.metrics.registry import METRICS

OWN = '''
from __future__ import annotations

from dataclasses import dataclass

def polite(prediction: str) -> bool:
    """Share of answers that say please."""
    return "please" in prediction

def near(prediction, reference, length=None):
    return 1 / (1 + abs(len(prediction) - len(reference)))

def broken(prediction):
    return prediction["x"]

def large(prediction):
    return 7

def odd(prediction, colour):
    return 1

@dataclass
class Kept:
    text: str
'''


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "my.py"
    path.write_text(OWN)
    return path


def test_own_metric_is_read_from_its_file(own: Path) -> None:
    name, metric = metric_of(f"{own}:polite")
    assert (name, metric.title, metric.unit, metric.direction) == (
        "polite", "Polite", "share", "higher",
    )  # fmt: skip
    assert metric.definition == "Share of answers that say please."
    assert metric.value({"prediction": "yes please"}) == 1
    name, metric = metric_of(f"closeness={own}:near:lower")
    assert (name, metric.unit, metric.direction) == ("closeness", "score", "lower")
    assert metric.value({"prediction": "abc", "reference": ("ab", "abc")}) == 0.5


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{own}:missing", "unknown function 'missing'"),
        ("{own}:odd", "unknown parameter 'colour'"),
        ("nowhere.py:score", "nowhere.py"),
        ("jason", "unknown check 'jason'. Did you mean 'json'"),
        ("regex", "of what"),
        ("rougeL={own}:near", "'rougeL' is taken"),
        ("", "empty"),
    ],
)
def test_what_cannot_be_read_says_what_to_type(spec: str, message: str, own: Path) -> None:
    with pytest.raises(InputError, match=message):
        metrics_asked([spec.format(own=own)])


def test_own_metric_that_fails_names_itself_and_the_answer(own: Path) -> None:
    with pytest.raises(InputError, match=r"my\.py: broken fails with TypeError.*'hello'"):
        metric_of(f"{own}:broken")[1].value({"prediction": "hello"})
    with pytest.raises(InputError, match="large returns 7"):
        metric_of(f"{own}:large")[1].value({"prediction": "hello"})


def test_metrics_are_known_only_while_they_are_asked_for() -> None:
    before = list(METRICS)
    with with_asked(["json", "greets=contains:hello"]):
        assert list(METRICS) == [*before, "valid_json", "greets"]
    assert list(METRICS) == before


def test_report_gate_and_plan_take_a_metric_that_is_asked_for(
    document: dict[str, Any], write: Callable[..., Path], tmp_path: Path, own: Path
) -> None:
    file, out = write(document), tmp_path / "out"

    def called(*arguments: str | Path) -> str:
        result = CliRunner().invoke(main, [str(one) for one in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    metrics = ["--metric", "green=contains:green", "--metric", f"{own}:near"]
    text = called("report", file, "--out", out, "--resamples", "100", *metrics)
    assert "green" in text and "Near" in text
    written = json.loads((out / "report.json").read_text())
    assert written["metrics"]["tuned"]["green"]["value"] == 10 / 12
    assert written["settings"]["metric"] == ["green=contains:green", f"{own}:near"]
    assert [Path(one["file"]).name for one in written["beside_files"]] == ["my.py"]
    assert "contain “green”" in (out / "report.html").read_text()
    assert called("gate", out, "--require", "green.gain > 0").startswith("PASS")
    planned = called("plan", file, "--metric", "contains:green", "--detect", "0.1")
    assert "Contains green" in planned
    assert (
        called("plan", out, "--metric", "green", "--detect", "0.1")
        .splitlines()[0]
        .endswith("in green (80 % power, as the primary metric)")
    )
    primary = ["--primary", "green", "--resamples", "100", "--out", tmp_path / "second"]
    assert "tuned, this checkpoint: green" in called("report", file, *metrics, *primary)
