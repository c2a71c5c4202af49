"""The Python API: the demo through it, in small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import tuneproof
from tuneproof.errors import InputError


def test_import_is_light_and_every_public_name_is_there() -> None:
    code = (
        "import sys, tuneproof\n"
        "heavy = {'torch', 'numpy', 'click', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "for name in tuneproof.__all__: getattr(tuneproof, name)\n"
        "print(tuneproof.__version__, dir(tuneproof))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("0.")
    assert "finetune" in done.stdout


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'finetuned'"):
        _ = tuneproof.finetuned


def test_a_wrong_setting_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tuneproof\.build: unknown setting 'limits'.*'limit'"):
        tuneproof.build("sample", limits=3)
    with pytest.raises(InputError, match=r"tuneproof\.finetune: seed must not be negative"):
        tuneproof.finetune(seed=-1)


@pytest.mark.slow
def test_the_demo_through_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = tuneproof.build("sample", limit=40, out="data")
    assert len(data.train) == 40
    settings = {"model": "tiny", "max_steps": 2, "max_length": 128, "name": "first"}
    run = tuneproof.finetune(data="data", **settings)
    assert (run.state, run.made_by) == ("finished", "tuneproof.finetune")
    assert tuneproof.finetune(data="data", **settings) == run
    comparison = tuneproof.compare(data.file("test"), "first", limit=2, max_new_tokens=4)
    assert comparison.names == ["base", "base-few-shot", "first", "nearest"]
    broken = tuneproof.regressions("first", limit=8, max_new_tokens=2)
    assert list(broken.variants) == ["first"]
    report = tuneproof.report(
        "model_comparison.json", out="report", regressions=["regressions.json"], resamples=100
    )
    assert report.broken is not None
    assert report.broken.variants.keys() == broken.variants.keys()
    assert report.base == "base"
    assert Path("report/report.html").is_file()
    codes = {finding.code for finding in tuneproof.doctor(comparison="model_comparison.json")}
    assert "too-few-items" in codes


def test_report_takes_published_figures_and_goes_where_the_command_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": f"River {n}?", "regular": "I am.", "fine_tuned": "Mud."} for n in range(12)]
    Path("mine.json").write_text(json.dumps(rows))
    Path("theirs.yaml").write_text(
        "published: [{variant: fine_tuned, metric: loop_rate, value: 0.5, model: M, source: s}]"
    )
    report = tuneproof.report("mine.json", published="theirs.yaml", resamples=100)
    assert [figure.value for figure in report.published] == [0.5]
    assert Path("reports/mine/report.html").is_file()
