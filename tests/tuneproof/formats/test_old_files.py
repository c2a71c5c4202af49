"""Files as an earlier version wrote them open, and the commands work on them.

``old/`` holds them, cut to a few items, labels and metrics.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click import Group
from click.testing import CliRunner

from tuneproof.eval.cli import main as score
from tuneproof.formats.codec import decode, encode
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.data_folder import read_manifest
from tuneproof.formats.report import read_report, upgrade
from tuneproof.formats.run import FourBit, read_run, write_run
from tuneproof.formats.run_names import all_runs
from tuneproof.formats.sweep import Sweep
from tuneproof.formats.variant import described, training_of
from tuneproof.tuning.cli import main as tune

OLD = Path(__file__).parent / "old"
RUNS = ("full", "head", "lora", "qlora")


def content(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def output(command: Group, *arguments: str | Path) -> str:
    result = CliRunner().invoke(command, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def test_manifest_opens() -> None:
    manifest = read_manifest(OLD / "topics")
    source = manifest.sources["twitter-topics"]
    assert (manifest.seed, source.origin, source.licence) == (42, "topics", "MIT")
    assert (source.records["train"], source.dropped["same id as an earlier row"]) == (200, 1)
    assert manifest.labels["twitter-topics"][0] == "Analyst Update"
    assert manifest.files["val.jsonl"].records == 40
    assert manifest.code == ""
    assert manifest.as_json() == content(OLD / "topics/manifest.json") | {"code": ""}


def test_runs_open() -> None:
    runs = {run.name: run for run in all_runs(OLD / "runs")}
    assert [*runs] == [*RUNS]
    lora, head = runs["lora"], runs["head"]
    assert (lora.method, lora.learning_rate, lora.unlikelihood) == ("lora", 0.0025, 3.0)
    assert (lora.parameters.trainable, lora.outcome.flops) == (49152, 30430325760)
    assert (lora.code, lora.is_whole, runs["full"].is_whole) == (None, False, True)
    assert (lora.quantization, runs["qlora"].quantization) == (None, FourBit())
    assert head.is_classifier
    assert head.head is not None
    assert head.head.labels[1] == "Fed | Central Banks"
    assert head.head.tensors is not None
    assert head.head.tensors["score.weight"].before.startswith("e8203f6e")
    assert head.accuracy is not None
    assert head.accuracy.value == 0.05
    assert training_of(lora)["curve"][0]["validation_loss"] == 2.9543826580047607
    assert described(runs["qlora"])["quantization"] == encode(FourBit())


@pytest.mark.parametrize("name", RUNS)
def test_run_is_written_as_it_was_read(name: str, tmp_path: Path) -> None:
    shutil.copytree(OLD / "runs" / name, tmp_path / name)
    write_run(read_run(tmp_path / name))
    written = (tmp_path / name / "run.json").read_text(encoding="utf-8")
    assert written == (OLD / "runs" / name / "run.json").read_text(encoding="utf-8")


def test_comparisons_open() -> None:
    texts, labels = (read_comparison(OLD / f"{name}.json") for name in ("texts", "labels"))
    assert (texts.base, texts.tuned) == ("base", ["lora", "lora-merged"])
    assert texts.by_name["lora-merged"].is_merged
    assert texts.by_name["lora"].training is not None
    assert texts.by_name["lora"].training.tokens == 1518
    assert texts.items[0].reference == "The butter costs 23 dollars."
    assert texts.items[0].answers["lora"].finish_reason == "length"
    assert (labels.baselines, labels.calibrate) == (["majority"], "none")
    assert labels.by_name["t-head"].is_head
    assert labels.items[0].answers["base"].label == "Earnings"
    assert labels.items[0].answers["t-head"].text is None
    for comparison in (texts, labels):
        assert comparison.as_json() == content(comparison.sources[0])


def assert_holds(now: Any, before: Any) -> None:
    """Assert that all values of an older document are in today's, under today's names."""
    if isinstance(before, list):
        for one, other in zip(now, before, strict=True):
            assert_holds(one, other)
    elif isinstance(before, dict):
        for key in before.keys() - {"p_holm", "accuracy_difference"}:
            assert_holds(now[key], before[key])
    else:
        assert now == before


def test_reports_open() -> None:
    texts, labels = (
        read_report(OLD / "reports" / name / "report.json") for name in ("texts", "labels")
    )
    gain = texts.gains["lora"]["rougeL"]
    assert (gain.n, gain.verdict) == (3, "no measurable difference")
    assert (gain.p, gain.p_corrected) == (1.0, 1.0)
    assert labels.pairs[0].metric == "accuracy"
    assert texts.summary["lora"].unchanged[0].startswith("ROUGE-L changed by")
    assert texts.compute is not None
    assert texts.compute.rows[1].trainable == 49152
    assert labels.classes["t-lora"]["Analyst Update"].precision.value is None
    assert labels.reliability["base"][0].n == 1
    assert labels.pairs[0].seen_from("t-lora", "base") is not None
    for name, report in (("texts", texts), ("labels", labels)):
        file = OLD / "reports" / name / "report.json"
        assert_holds(report.as_json(), upgrade(content(file), file))


def test_sweep_opens() -> None:
    file = OLD / "runs/rate-sweep/sweep.json"
    sweep = decode(Sweep, content(file), str(file))
    assert (sweep.best, sweep.tune["method"]) == ("rate-trial-001", "lora")
    assert sweep.importance == "2 finished trials are too few to tell; 5 are needed"
    assert sweep.runs[1].settings["lora_r"] == 2
    assert json.dumps(encode(sweep)) == json.dumps(content(file))


@pytest.mark.parametrize("name", ["texts", "labels"])
def test_comparison_can_be_scored(name: str, tmp_path: Path) -> None:
    output(score, "report", OLD / f"{name}.json", "--out", tmp_path, "--resamples", "300")
    before, now = (read_report(path / "report.json") for path in (OLD / "reports" / name, tmp_path))
    for variant, figures in before.metrics.items():
        for metric, figure in figures.items():
            assert now.metrics[variant][metric].value == pytest.approx(figure.value), metric


def test_report_can_be_gated() -> None:
    folder = OLD / "reports/texts"
    assert "PASS" in output(score, "gate", folder, "--variant", "lora", "--require", "rougeL >= 0")


def test_comparisons_can_be_diffed() -> None:
    said = output(score, "diff", OLD / "labels.json", OLD / "labels.json", "--resamples", "300")
    assert "t-head" in said


def test_runs_can_be_listed() -> None:
    said = output(tune, "list", "--runs", OLD / "runs")
    assert [line.split()[0] for line in said.splitlines() if line.split()[0] in RUNS] == [*RUNS]
