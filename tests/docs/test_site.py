"""The site has every page, links that hold, and loads nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.mkdocs_hooks import OUTSIDE, relinked

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
LOADED = re.compile(
    r"<(?:script|img|iframe|source|audio|video)\b[^>]*?\bsrc=[\"']?([^\"'\s>]+)"
    r"|<link\b[^>]*?\bhref=[\"']?([^\"'\s>]+)"
)
"""What a browser fetches by itself."""
BUILD = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir"]


def test_every_page_stands_in_the_navigation_once() -> None:
    named = [page for part in CONFIG["nav"] for pages in part.values() for each in pages
             for page in each.values()]  # fmt: skip
    written = [path.name for path in (ROOT / "docs").glob("*.md")]
    assert sorted(named) == sorted([*written, *OUTSIDE]), "see nav in mkdocs.yml"


def test_links_lead_to_pages_of_the_site() -> None:
    def page(text: str) -> str:
        return relinked(text, "docs/serving.md")

    assert page("[a](cli.md#tune-run)") == "[a](cli.md#tune-run)"
    assert page("![b](report.png)") == "![b](report.png)"
    assert page("[c](../CONTRIBUTING.md#add-a-metric)") == "[c](contributing.md#add-a-metric)"
    assert page("[`d`](../pyproject.toml) [e](shop.py)") == "`d` e"
    assert page("[f](#share) [g](https://h.example)") == "[f](#share) [g](https://h.example)"
    assert relinked("[h](docs/cli.md) [i](LICENSE)", "README.md") == "[h](cli.md) i"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    if find_spec("mkdocs") is None or find_spec("material") is None:
        pytest.skip("no mkdocs-material; `make site` installs it")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [*BUILD, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    fetched = {
        script or link
        for page in pages
        for script, link in LOADED.findall(page.read_text(encoding="utf-8"))
    }
    assert fetched
    assert [address for address in fetched if "//" in address and "data:" not in address] == []
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", sheet.read_text("utf-8"))


@pytest.mark.slow
def test_lists_and_tables_are_shown_as_such(site: Path) -> None:
    """Markdown of the site wants an empty line before a list or table, and GitHub's does not."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<p>[^<]*\n(?:- |\* |\d\. |\|)", text), page.name
        assert not re.search(r"<(?:p|li)>\|", text), page.name
