"""Plugins by entry points: a package of four, and what becomes of those that cannot be used."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tuneproof import plugins as found
from tuneproof.errors import InputError
from tuneproof.eval.metrics.registry import METRICS, OWN
from tuneproof.log import lines_to
from tuneproof.plugins import checks_of, forget, plugin_versions

CODE = """
from tuneproof.eval.metrics.metric import Metric
from tuneproof.finding import Finding
from tuneproof.formats.example import Example
from tuneproof.prepdata.registry import Source
from tuneproof.prepdata.sources.rows import Row


def politeness(prediction):
    return float("please" in prediction.lower())


POLITENESS = Metric(
    title="Politeness", function=politeness, direction="higher", unit="share",
    definition="Says please.", source="this test", weakness="Sarcasm.",
)


def rows():
    for number in range(40):
        question = f"what is {number} and {number * 7919}"
        yield Row({"q": question, "a": f"it is {number}"}, f"row {number}", None)


def record(row):
    return Example(
        id=row.where, task="haiku", instruction=row.values["q"], output=row.values["a"],
        group=row.where,
    )


HAIKU = Source(
    summary="forty lines", licence="ours", size="40", hub_id=None, record=record, generate=rows,
)
POLITE = "Please: {{ instruction }} {{ input }}\\nAnswer: "


OF_A_SET = Metric(
    title="Count", function=lambda count: 1.0, direction="higher", unit="share",
    definition="Counts.", source="this test", weakness="All.",
)


def small(data):
    yield Finding(
        code="small", severity="note", evidence=f"{len(data.train)} records", usually="few.",
        mend="more",
    )


def breaks(comparison):
    raise KeyError("no such thing")


def two(data, run):
    return []
"""
GOOD = """
[tuneproof.sources]
haiku = example_plugin:HAIKU
[tuneproof.metrics]
politeness = example_plugin:POLITENESS
[tuneproof.templates]
polite = example_plugin:POLITE
[tuneproof.checks]
small = example_plugin:small
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """Put a package with these entry points on sys.path, as pip would."""

    def put(points: str) -> Path:
        folder = tmp_path / "site"
        info = folder / "example_plugin-1.5.dist-info"
        info.mkdir(parents=True)
        (folder / "example_plugin.py").write_text(CODE)
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: example-plugin\nVersion: 1.5\n"
        )
        (info / "entry_points.txt").write_text(points)
        monkeypatch.syspath_prepend(str(folder))
        forget()
        return folder

    yield put
    for name in METRICS.keys() - OWN:
        del METRICS[name]
    sys.modules.pop("example_plugin", None)
    forget()


def said(action: Callable[[], Any]) -> list[str]:
    lines: list[str] = []
    with lines_to(lines.append):
        action()
    return lines


def test_source_of_a_plugin_is_listed_and_built(
    install: Callable[[str], Path], tmp_path: Path
) -> None:
    from tuneproof.prepdata.build import build
    from tuneproof.prepdata.config import BuildConfig
    from tuneproof.prepdata.report import sources_table

    install(GOOD)
    assert "haiku" in sources_table()
    manifest = build(BuildConfig(source=("haiku",), out=tmp_path / "data"))
    assert manifest.sources["haiku"].licence == "ours"
    assert sum(manifest.sources["haiku"].records.values()) == 40


@pytest.mark.slow
def test_metric_of_a_plugin_is_in_the_report(
    install: Callable[[str], Path], tmp_path: Path
) -> None:
    from tuneproof.eval.config import ReportConfig
    from tuneproof.eval.gate import gate
    from tuneproof.eval.report.build import report

    install(GOOD)
    rows = [
        {"prompt": f"ask {n}", "reference": "x", "fine_tuned": "Please do.", "regular": "No."}
        for n in range(30)
    ]
    (tmp_path / "plain.json").write_text(json.dumps(rows))
    config = ReportConfig()
    built = report([tmp_path / "plain.json"], tmp_path / "out", config)
    assert built.metrics["fine_tuned"]["politeness"].value == 1.0
    assert built.metrics[built.base]["politeness"].value == 0.0
    assert built.versions["example-plugin"] == "1.5"
    assert "Politeness" in (tmp_path / "out/report.html").read_text()
    (outcome,) = gate(tmp_path / "out", None, ["politeness.gain > 0"], [], point=False)
    assert outcome.holds


def test_template_of_a_plugin_is_loaded_by_name(install: Callable[[str], Path]) -> None:
    from tuneproof.prompts import template as templates

    install(GOOD)
    assert templates.load("polite").render("ask", "on").startswith("Please: ask on")
    with pytest.raises(InputError, match=r"unknown template 'polit'. Did you mean 'polite'"):
        templates.load("polit")


def test_check_of_a_plugin_looks_at_what_its_parameter_names(
    install: Callable[[str], Path], write_data: Callable[..., Path], tmp_path: Path
) -> None:
    from tuneproof.formats.data_folder import DataFolder
    from tuneproof.prepdata.checks.data import check_data

    install(GOOD)
    data = DataFolder(write_data(tmp_path / "data"))
    assert [one.evidence for one in check_data(data) if one.code == "small"] == ["24 records"]
    assert list(checks_of("run", None)) == []


@pytest.mark.parametrize(
    ("kind", "point", "why"),
    [
        (
            "metrics",
            "a = no_such_module:X",
            "ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("metrics", "a = example_plugin:NOTHING", "AttributeError: module 'example_plugin'"),
        ("metrics", "a = example_plugin:POLITE", "metric.Metric is needed, found str"),
        ("metrics", "rougeL = example_plugin:POLITENESS", "that name is taken by tuneproof itself"),
        ("metrics", "a = example_plugin:OF_A_SET", "it must score one answer, not a set of them"),
        ("checks", "a = example_plugin:breaks", "it failed: KeyError: 'no such thing'"),
        ("checks", "a = example_plugin:two", "a function of one parameter is needed"),
        ("checks", "a = example_plugin:rows", "a function of one parameter is needed"),
        ("checks", "a = example_plugin:politeness", "a function of one parameter is needed"),
    ],
)
def test_plugin_that_cannot_be_used_is_one_warning(
    install: Callable[[str], Path], kind: Any, point: str, why: str
) -> None:
    from tuneproof.eval.metrics.registry import load_plugins

    install(f"[tuneproof.{kind}]\n{point}\n")

    def use() -> None:
        if kind == "metrics":
            load_plugins()
            assert METRICS.keys() == OWN
        else:
            assert list(checks_of("comparison", None)) == []

    (line,) = said(lambda: (use(), use()))
    name = point.split(" ")[0]
    assert line.startswith(
        f"WARNING: plugin {name!r} of example-plugin 1.5 (tuneproof.{kind}) is left out: "
    )
    assert why in line


def test_without_plugins_there_is_nothing_to_say() -> None:
    forget()
    assert said(lambda: found.plugins("sources", object)) == []
    assert plugin_versions("templates") == {}


def test_help_looks_for_no_plugins() -> None:
    code = (
        "import sys\nfrom tuneproof.prepdata.cli import main\n"
        "try: main(['build', '--help'])\nexcept SystemExit: pass\n"
        "print('importlib.metadata' in sys.modules, 'tuneproof.plugins' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
