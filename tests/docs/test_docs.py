"""The pages say what is so: generated parts are those of today, and what they point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.generate import pages

ROOT = Path(__file__).parents[2]
WRITTEN = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "benchmarks/kept").glob("*.md"),
    *(ROOT / name / "README.md" for name in ("data", "tiny")),
]
FOLDERS = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != ".")


def test_generated_pages_are_those_of_today() -> None:
    for path, text in pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is old: run `make docs`"


def test_every_key_of_a_file_has_a_meaning() -> None:
    text = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    for block in re.findall(r"<!-- fields: .*?<!-- end -->", text, re.DOTALL):
        for row in re.findall(r"^\| (?!key|-).*", block, re.MULTILINE):
            key, _, meaning = (cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:4])
            assert meaning, f"{key} in {block.splitlines()[0]}"


def test_every_file_has_its_table() -> None:
    text = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    described = set(re.findall(r"<!-- fields: tuneproof\.formats\.([\w.]+) -->", text))
    assert described >= {
        "example.Example", "data_folder.Manifest", "run.Run", "training_log.LogLine", "sweep.Sweep",
        "comparison.Comparison", "comparison.Item", "report.Report",
    }  # fmt: skip


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
    links = [target.partition("#")[::2] for target in targets if "://" not in target]
    assert [file for file, _ in links if file and not (path.parent / file).exists()] == []
    wrong = [
        f"{file}#{anchor}"
        for file, anchor in links
        if anchor and anchor not in anchors(path.parent / file if file else path)
    ]
    assert wrong == []


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    made: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", text, re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        made.append(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return {name if not n else f"{name}-{n}" for k, name in enumerate(made)
            for n in [made[:k].count(name)]}  # fmt: skip


def test_anchors_are_those_of_headings(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b`: c?\n## [Link](x.md) - two\n```\n# no\n```\n## Twice\n## Twice\n")
    assert anchors(page) == {"a-b-c", "link---two", "twice", "twice-1"}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_files_and_functions_that_are_named_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    pattern = rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+\.(?:py|md|json|yaml))`"
    named = set(re.findall(pattern, text)) - {"prepdata/sources/NAME.py"}
    made = ("data/", "runs/", "reports/", "benchmarks/results/")
    assert [
        file for file in named if not file.startswith(made) and not (ROOT / file).exists()
    ] == []
    for function, file in re.findall(r"`(\w+)`\s+in\s+`([\w./]+\.py)`", text):
        assert re.search(rf"^(?:def |class )?{function}\b", (ROOT / file).read_text(), re.M), (
            function
        )
