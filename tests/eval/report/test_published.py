"""Figures of others beside ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tuneproof.errors import InputError
from tuneproof.eval.cli import main
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import report
from tuneproof.eval.report.published import beside_ours, read_published, read_published_file
from tuneproof.formats.report import Published

Write = Callable[..., Path]
ROW = {
    "variant": "tuned",
    "metric": "accuracy",
    "value": 0.9,
    "model": "GPT-2",
    "source": "a|b <i>",
}
LOOPS = {**ROW, "variant": "gone", "metric": "loop_rate", "value": 0}


def test_figures_stand_beside_ours_and_are_never_mixed_with_them(
    topics: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    figures = read_published([ROW, LOOPS], "r.yaml: published")
    found = report([write(topics)], tmp_path / "out", ReportConfig(resamples=200), figures)
    first, second = map(dataclasses.asdict, found.published)
    ours = found.metrics["tuned"]["accuracy"]
    assert first == {
        **ROW,
        "ours": {
            "model": "tiny",
            **{key: getattr(ours, key) for key in ("value", "low", "high", "n")},
        },
    }
    assert second == {**LOOPS, "value": 0.0, "ours": None}
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert (
        "| tuned | Accuracy | 90.0 % | GPT-2 | 75.0 % (46.8 to 91.1) | tiny | a\\|b \\<i\\> |"
        in text
    )
    assert "| gone | Ends in a loop | 0.0 % | GPT-2 | not measured here | | a" in text
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Beside published figures" in page
    assert "a|b &lt;i&gt;" in page
    block = text.split("## Beside published figures")[1].split("##")[0]
    table = [line.replace("\\|", "") for line in block.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1


def test_without_figures_nothing_is_said_of_them(
    topics: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    found = report([write(topics)], tmp_path / "out", ReportConfig(resamples=200))
    assert found.published == ()
    for name in ("report.md", "report.html"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "Beside published" not in text


def test_what_is_measured_here_is_ours_alone() -> None:
    (figure,) = read_published([ROW], "r")
    assert figure == Published(**ROW)  # type: ignore[arg-type]
    assert beside_ours([figure], {"tuned": {}}, {})[0].ours is None


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"a": 1}, "r: a list of figures is needed, found {'a': 1}"),
        (["x"], "r: figure 1: variant, metric, value, model, source are needed, found 'x'"),
        ([ROW, {"variant": "a", "value": 1}], "r: figure 2: metric, model, source missing"),
        ([{**ROW, "metric": "acuracy"}], "r: figure 1: unknown metric 'acuracy'. Did you mean"),
        ([{**ROW, "value": 90}], "r: figure 1: value 90 of accuracy is a part of 1, as in 0.83"),
        ([{**ROW, "value": "much"}], "r: figure 1: value: expected a number, found 'much'"),
        ([{**ROW, "value": float("nan")}], "r: figure 1: value must be a finite number, got nan"),
        ([{**ROW, "url": "x"}], "r: figure 1: unknown setting 'url'."),
    ],
)
def test_figures_that_cannot_be_are_refused_in_one_line(found: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_published(found, "r")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_command_reads_a_file_of_figures(
    topics: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    file = tmp_path / "figures.yaml"
    file.write_text(
        "published: [{variant: tuned, metric: accuracy, value: 0.5, model: M, source: s}]"
    )
    assert read_published_file(file)[0].value == 0.5
    out = tmp_path / "out"
    arguments = ["report", str(write(topics)), "--out", str(out), "--published", str(file)]
    result = CliRunner().invoke(main, [*arguments, "--resamples", "100"])
    assert result.exit_code == 0, result.output
    assert "| tuned | Accuracy | 50.0 % | M |" in (out / "report.md").read_text(encoding="utf-8")
    file.write_text("figures: []")
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.output == f"Error: {file}: one key 'published' is needed, found figures\n"


def test_a_figure_may_be_of_a_metric_that_is_asked_for() -> None:
    row = {**ROW, "metric": "short"}
    (figure,) = read_published([row], "r", ["short=max-length:5"])
    assert figure.metric == "short"
    with pytest.raises(InputError, match="unknown metric 'short'"):
        read_published([row], "r")
