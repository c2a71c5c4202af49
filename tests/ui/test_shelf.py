"""What lies in the folder is listed; what lies outside is not read, however it is named."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from tuneproof.ui import shelf as shelf_module
from tuneproof.ui.orders import recipe_names
from tuneproof.ui.shelf import (
    MOST_BYTES,
    comparison_inside,
    inside,
    report_inside,
    run_inside,
    shelf_of,
)


def test_everything_is_found(folder: Path) -> None:
    shelf = shelf_of(folder)
    assert [entry.name for entry in shelf.data] == ["data"]
    assert [entry.name for entry in shelf.runs] == ["runs/rivers"]
    assert [entry.name for entry in shelf.comparisons] == ["reports/rivers/test_comparison.json"]
    (report,) = shelf.reports
    assert report.name == "reports/rivers"
    assert report.headlines[0].startswith("tuned, this checkpoint: ")
    assert report.has_ballot
    assert report.files[0].endswith("test_comparison.json")
    assert shelf.faults == []


def test_hidden_folders_and_what_is_too_deep_are_left_out(folder: Path) -> None:
    for place in (".hidden", "a/b/c/d/e"):
        shutil.copytree(folder / "runs", folder / place / "runs")
    assert [entry.name for entry in shelf_of(folder).runs] == ["runs/rivers"]


def test_spoilt_files_are_named_and_hide_nothing(folder: Path) -> None:
    shutil.copytree(folder / "runs/rivers", folder / "runs/spoilt")
    (folder / "runs/spoilt/run.json").write_text('{"schema": "tuneproof/run@1"}')
    shelf = shelf_of(folder)
    assert [entry.name for entry in shelf.runs] == ["runs/rivers"]
    assert len(shelf.faults) == 1
    assert "runs/spoilt/run.json" in shelf.faults[0]


@pytest.mark.parametrize(
    "error",
    [PermissionError(13, "Permission denied"), ValueError("year 31000 is out of range"),
     OverflowError("timestamp out of range")],
)  # fmt: skip
def test_files_that_cannot_be_read_or_dated_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(shelf_module, "_is_comparison", Mock(side_effect=error))
    shelf = shelf_of(folder)
    assert (shelf.comparisons, len(shelf.runs)) == ([], 1)
    assert shelf.faults[0] == f"reports/rivers/test_comparison.json: {error}"


def test_names_that_are_no_text_are_left_out(folder: Path) -> None:
    odd = os.fsdecode(b"\xff")
    for kind in ("runs", "reports"):
        shutil.copytree(folder / kind / "rivers", folder / kind / odd)
    (folder / f"{odd}.yaml").write_text("summary: mine\n")
    assert [entry.name for entry in shelf_of(folder).runs] == ["runs/rivers"]
    assert len(shelf_of(folder).reports) == len(shelf_of(folder).comparisons) == 1
    assert "".join(recipe_names(folder)).isascii()


@pytest.mark.parametrize("name", ["runs/rivers/run.json", "reports/rivers/report.json"])
def test_large_files_are_named_and_not_read(folder: Path, name: str) -> None:
    os.truncate(folder / name, MOST_BYTES + 1)
    shelf = shelf_of(folder)
    assert len(shelf.runs) + len(shelf.reports) == 1
    assert shelf.faults == [f"{folder / name}: over 50 MB are not shown; too large"]


@pytest.mark.parametrize("name", ["report.json", "report.html"])
def test_report_that_is_no_file_is_none(folder: Path, name: str) -> None:
    (folder / "reports/rivers" / name).unlink()
    os.mkfifo(folder / "reports/rivers" / name)
    with pytest.raises(FileNotFoundError):
        report_inside(folder, "reports/rivers")
    assert shelf_of(folder).reports == []


@pytest.mark.parametrize("summary", [None, [], {"a": 1}, {"a": {"headline": 3}}, "x"])
def test_reports_of_other_versions_are_listed(folder: Path, summary: Any) -> None:
    file = folder / "reports/rivers/report.json"
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "summary": summary, "sources": summary}))
    (report,) = shelf_of(folder).reports
    assert report.name == "reports/rivers"


@pytest.mark.parametrize(
    "name", ["..", "../outside", "runs/../../outside", "/etc/passwd", "a\0b", "x" * 5000, "missing"]
)
def test_no_name_leads_out(folder: Path, name: str) -> None:
    (folder.parent / "outside").mkdir()
    for find in (inside, run_inside, report_inside, comparison_inside):
        with pytest.raises(FileNotFoundError):
            find(folder, name)


@pytest.fixture
def outside(folder: Path, make_run: Callable[..., Any]) -> Path:
    """Another folder beside it, with all of the same."""
    shutil.copytree(folder, folder.parent / "outside")
    return folder.parent / "outside"


def test_no_link_leads_out(folder: Path, outside: Path) -> None:
    (folder / "runs/link").symlink_to(outside / "runs/rivers")
    (folder / "reports/link").symlink_to(outside / "reports/rivers")
    (folder / "link_comparison.json").symlink_to(outside / "reports/rivers/test_comparison.json")
    (folder / "all").symlink_to(outside)
    (folder / "circle").symlink_to(folder / "circle")
    shelf = shelf_of(folder)
    assert [entry.name for entry in shelf.runs] == ["runs/rivers"]
    assert [entry.name for entry in shelf.reports] == ["reports/rivers"]
    assert len(shelf.comparisons) == len(shelf.data) == 1
    for find, name in (
        (run_inside, "runs/link"),
        (run_inside, "all/runs/rivers"),
        (report_inside, "reports/link"),
        (comparison_inside, "link_comparison.json"),
        (inside, "circle"),
    ):
        with pytest.raises(FileNotFoundError):
            find(folder, name)


@pytest.mark.parametrize("name", ["run.json", "metrics.jsonl", "index.html", "adapter"])
def test_run_with_a_file_that_leads_out_is_none(folder: Path, outside: Path, name: str) -> None:
    (folder / "runs/rivers" / name).unlink(missing_ok=True)
    (folder / "runs/rivers" / name).symlink_to(outside / "runs/rivers")
    assert shelf_of(folder).runs == []
    with pytest.raises(FileNotFoundError):
        run_inside(folder, "runs/rivers")


def test_run_leads_out_by_no_second_link(folder: Path, outside: Path) -> None:
    (folder / "store").mkdir()
    (folder / "runs/rivers/extra").symlink_to(folder / "store")
    assert run_inside(folder, "runs/rivers")
    (folder / "store/back").symlink_to(folder / "runs")
    (folder / "store/x.safetensors").symlink_to(outside / "data/train.jsonl")
    with pytest.raises(FileNotFoundError):
        run_inside(folder, "runs/rivers")


@pytest.mark.parametrize("name", ["report.json", "report.html"])
def test_report_with_a_file_that_leads_out_is_none(folder: Path, outside: Path, name: str) -> None:
    (folder / "reports/rivers" / name).unlink()
    (folder / "reports/rivers" / name).symlink_to(outside / "reports/rivers" / name)
    assert shelf_of(folder).reports == []
    with pytest.raises(FileNotFoundError):
        report_inside(folder, "reports/rivers")


def test_links_within_the_folder_are_followed(folder: Path) -> None:
    (folder / "latest").symlink_to(folder / "runs/rivers")
    assert run_inside(folder, "latest") == folder / "runs/rivers"
