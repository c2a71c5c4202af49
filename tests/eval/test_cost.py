"""Quality and compute: the table, the Pareto front and the plots."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.cost import cost_of, is_on_front
from tuneproof.eval.report.build import build, report
from tuneproof.eval.report.cost_plots import compute_plots, loss_plot, lowest, metric_plot
from tuneproof.eval.score import score
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.figures import Cost, CostRow, MetricFigure
from tuneproof.formats.report import Report

Write = Callable[..., Path]
CONFIG = ReportConfig(resamples=100)


def training(flops: float, *points: tuple[float, float, float], **other: Any) -> dict[str, Any]:
    """What a run carries along; a point is FLOPs, validation loss and validation accuracy."""
    names = ("flops", "validation_loss", "validation_accuracy")
    curve = [{"step": 1, **dict(zip(names, point, strict=True))} for point in points]
    return {
        "flops": flops,
        "tokens": 2_000,
        "seconds": 90.0,
        "epochs": 2.0,
        "curve": curve,
        **other,
    }


@pytest.fixture
def matched(topics: dict[str, Any]) -> dict[str, Any]:
    """Base, a head that is right on 9 of 12, one on 2, the first one merged, and the majority."""
    base, tuned, majority = topics["variants"]
    tuned |= {
        "kind": "head",
        "parameters": {"trainable": 1_000, "total": 100_000},
        "peak_memory_bytes": 3 * 2**29,
        "training": training(1e12, (5e11, 0.9, 0.5), (1e12, 0.6, 0.7)),
    }
    worse = {**tuned, "name": "worse", "training": training(1.01e12, (1.01e12, 0.8, 0.4))}
    merged = {**tuned, "name": "tuned-merged", "kind": None, "merged": True}
    topics["variants"] = [base, tuned, worse, merged, majority]
    for item in topics["items"]:
        answers = item["answers"]
        answers["worse"] = copy.deepcopy(answers["base"])
        answers["tuned-merged"] = copy.deepcopy(answers["tuned"])
    return topics


def built(document: dict[str, Any], write: Write) -> Report:
    comparison = read_comparison(write(document))
    return build(comparison, score(comparison), CONFIG)


def cost(document: dict[str, Any], write: Write) -> Cost:
    found = built(document, write).compute
    assert found is not None
    return found


def test_table_says_what_each_training_took(matched: dict[str, Any], write: Write) -> None:
    found = cost(matched, write)
    assert found.metrics == ("accuracy", "macro_f1")
    assert found.flops_spread == pytest.approx(0.01)
    base, tuned, worse, merged = found.rows
    assert [row.variant for row in found.rows] == ["base", "tuned", "worse", "tuned-merged"]
    assert (base.kind, base.flops, base.trainable) == ("base", 0, 0)
    quality = tuned.quality
    assert replace(tuned, quality={}) == CostRow(**{
        "variant": "tuned", "kind": "head", "trainable": 1_000, "total": 100_000,
        "peak_bytes": 3 * 2**29, "on_gpu": False, "seconds": 90.0, "flops": 1e12,
        "tokens": 2_000, "epochs": 2.0, "front": ("accuracy", "macro_f1"), "quality": {},
    })  # fmt: skip
    assert quality["accuracy"].value == 0.75
    assert worse.front == ()
    assert merged.kind == "merged"
    assert list(found.curves) == ["tuned", "worse"]
    assert found.curves["tuned"][1] == {
        "step": 1, "flops": 1e12, "validation_loss": 0.6, "validation_accuracy": 0.7,
    }  # fmt: skip


def test_memory_of_a_gpu_is_told_where_there_was_one(matched: dict[str, Any], write: Write) -> None:
    matched["variants"][1]["training"]["peak_gpu_memory_bytes"] = 2**30
    row = cost(matched, write).rows[1]
    assert (row.peak_bytes, row.on_gpu) == (2**30, True)


def test_file_without_trainings_has_no_such_part(
    topics: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    found = report([write(topics)], tmp_path / "out", CONFIG)
    assert found.compute is None
    for name in ("report.md", "report.html"):
        assert "Quality and compute" not in (tmp_path / "out" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("odd", [None, "many", True, float("inf"), -1, [1], {}])
def test_what_is_no_number_is_left_out(odd: Any, matched: dict[str, Any], write: Write) -> None:
    for variant in matched["variants"][1:3]:
        variant["training"] |= {"flops": odd, "seconds": odd, "curve": [{"flops": odd}, odd]}
        variant["peak_memory_bytes"] = odd
        variant["parameters"] = odd
    comparison = read_comparison(write(matched))
    found = cost_of(comparison, build(comparison, score(comparison), CONFIG).metrics)
    assert found is not None
    row = found.rows[1]
    assert (row.flops, row.seconds, row.peak_bytes, row.trainable) == (None,) * 4
    assert row.front == ()


def row_of(flops: float, value: float, metric: str = "accuracy") -> CostRow:
    return CostRow(
        variant=f"{flops} {value}", kind="text", trainable=None, total=None, peak_bytes=None,
        on_gpu=False, seconds=None, flops=flops, tokens=None, epochs=None, front=(),
        quality={metric: MetricFigure(value=value, low=None, high=None, n=1)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "points", "expected"),
    [
        ("accuracy", [(0, 0.1), (100, 0.8), (200, 0.9)], [True, True, True]),
        ("accuracy", [(0, 0.1), (100, 0.8), (200, 0.8)], [True, True, False]),
        ("accuracy", [(0, 0.9), (100, 0.8)], [True, False]),
        ("accuracy", [(100, 0.7), (101.9, 0.8)], [False, True]),
        ("accuracy", [(100, 0.7), (102.1, 0.8)], [True, True]),
        ("accuracy", [(100, 0.8), (101, 0.8)], [True, True]),
        ("loop_rate", [(0, 0.8), (100, 0.0), (100, 0.2)], [True, True, False]),
    ],
)
def test_front_is_what_nothing_else_beats_for_no_more(
    metric: str, points: list[tuple[float, float]], expected: list[bool]
) -> None:
    rows = [row_of(*point, metric) for point in points]
    assert [is_on_front(row, rows, metric) for row in rows] == expected


def test_lowest_losses_are_the_front_of_the_curves() -> None:
    points = [(1e9, 2.0), (2e9, 1.5), (3e9, 1.6), (2.01e9, 1.4), (4e9, 1.0)]
    assert lowest(points) == [(1e9, 2.0), (2.01e9, 1.4), (4e9, 1.0)]


def test_several_runs_are_drawn_with_curves_front_and_what_costs_nothing(
    matched: dict[str, Any], write: Write
) -> None:
    found = built(matched, write)
    assert list(compute_plots(found)) == [
        "compute_accuracy", "compute_macro_f1", "compute_loss_text", "compute_loss_head",
    ]  # fmt: skip
    figure = metric_plot(found, "accuracy")
    assert figure is not None
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert {"tuned", "worse", "on the Pareto front", "base (16.7 %)"} <= lines.keys()
    assert "majority (50.0 %)" in lines
    assert "tuned-merged" not in lines
    drawn = [list(line.get_ydata()) for line in axes.get_lines()]
    assert [0.5, 0.7] in drawn  # the validation accuracy of the first run
    low, high = axes.get_ylim()
    for cells in (found.metrics[name]["accuracy"] for name in ("tuned", "worse")):
        assert low < cells.low < cells.high < high
    assert axes.get_xscale() == "linear"
    assert axes.get_xlim()[0] == 0
    losses = loss_plot(found, "head")
    assert losses is not None
    assert [0.9, 0.6] in [list(line.get_ydata()) for line in losses.axes[0].get_lines()]
    assert loss_plot(found, "text") is None


def test_trainings_of_very_different_cost_have_a_logarithmic_axis(
    matched: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    matched["variants"][2]["training"]["flops"] = 1e14
    figure = metric_plot(built(matched, write), "accuracy")
    assert figure is not None
    assert figure.axes[0].get_xscale() == "log"
    found = report([write(matched)], tmp_path / "out", CONFIG)
    assert found.compute.flops_spread == pytest.approx(99)
    assert "the same FLOPs, within" not in (tmp_path / "out" / "report.md").read_text("utf-8")


def test_figures_of_trainings_that_are_equally_dear_stand_side_by_side(
    matched: dict[str, Any], write: Write
) -> None:
    figure = metric_plot(built(matched, write), "accuracy")
    assert figure is not None
    places = {}
    with mpl.rc_context():
        figure.canvas.draw()
        for line in figure.axes[0].get_lines():
            if line.get_label() in ("tuned", "worse"):
                places[line.get_label()] = line.get_transform().transform(line.get_xydata())[0, 0]
    assert places["worse"] - places["tuned"] > 8


def test_one_run_has_the_table_only(matched: dict[str, Any], write: Write, tmp_path: Path) -> None:
    report([write(matched)], tmp_path, CONFIG)
    assert {path.name for path in tmp_path.glob("compute_*.png")} == {
        "compute_accuracy.png", "compute_macro_f1.png", "compute_loss_head.png",
    }  # fmt: skip
    for item in matched["items"]:
        del item["answers"]["worse"]
    del matched["variants"][2]
    found = report([write(matched)], tmp_path, CONFIG)
    assert [row.variant for row in found.compute.rows] == ["base", "tuned", "tuned-merged"]
    assert not list(tmp_path.glob("compute_*.png"))
    assert "Quality and compute" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_table_stands_in_page_and_markdown(
    matched: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    report([write(matched)], tmp_path, CONFIG)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    block = text.split("## Quality and compute")[1].split("##")[0]
    assert (
        "| tuned | 1,000 (1 %) | 1.5 GiB | 90 s | 1 T | 2,000 | ◎ 75.0 % (46.8 to 91.1) |" in block
    )
    assert "All trainings took the same FLOPs, within 1.0 %. Time, FLOPs" in block
    assert "| base | 0 |  |  |  |  | ◎ 16.7 % (" in block
    table = [line for line in block.splitlines() if line.startswith("|")]
    assert len(table) == 6
    assert len({line.count("|") for line in table}) == 1
    assert (
        "![Accuracy of every run against the FLOPs of its training](compute_accuracy.png)" in text
    )
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    section = page.split('<section id="compute">')[1].split("</section>")[0]
    assert "<b>1,000</b><small>1 %</small>" in section
    assert section.count("<img ") == 3
    assert '<figure class="compute' not in page.split('<section id="plots">')[1]
