"""The page in a real browser: the filters work, and hostile answers stay text."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium; apt-get install chromium"),
]
EVIL = (
    "<img src=x onerror=\"document.title='pwned'\"></script><script>document.title='pwned'</script>"
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
]


@pytest.fixture
def page(document: dict[str, Any], write: Callable[..., Path], tmp_path: Path) -> Path:
    """A report of 30 items: 12 of the document, one of them hostile, and 18 quiet ones."""
    items = document["items"]
    items[2]["answers"]["tuned"]["text"] = EVIL
    items[3]["answers"]["tuned"]["text"] = "Input:\nred green blue"
    for number in range(12, 30):
        answers = {
            "base": {"text": "red green", "tokens": 2, "finish_reason": "eos"},
            "tuned": {"text": "red", "tokens": 1, "finish_reason": "eos"},
        }
        items.append({**items[0], "id": f"q{number}", "task": "finqa", "answers": answers})
    report([write(document)], tmp_path / "out", ReportConfig(resamples=100))
    return tmp_path / "out" / "report.html"


@pytest.fixture
def label_page(topics: dict[str, Any], write: Callable[..., Path], tmp_path: Path) -> Path:
    """A report of 12 labelled items."""
    report([write(topics)], tmp_path / "labels", ReportConfig(resamples=100))
    return tmp_path / "labels" / "report.html"


@pytest.fixture
def dump(page: Path, browse: Callable[[Path, str], str]) -> Callable[[str], str]:
    """Open the page with a hash and return the document the browser then holds."""
    return lambda fragment: browse(page, fragment)


@pytest.fixture
def browse(tmp_path: Path) -> Callable[[Path, str], str]:
    """Open any page."""

    def opened(page: Path, fragment: str) -> str:
        assert BROWSER is not None
        profile = tmp_path / "profile"
        shutil.rmtree(profile, ignore_errors=True)
        url = f"{page.as_uri()}{fragment}"
        result = subprocess.run(
            [BROWSER, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", url],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return result.stdout

    return opened


def shown(dom: str) -> list[str]:
    return re.findall(r'<span class="id">(.*?)</span>', dom)


def test_first_page_shows_25_items_and_says_how_many_there_are(dump: Callable[[str], str]) -> None:
    dom = dump("")
    assert shown(dom) == [f"q{number}" for number in range(25)]
    assert '<p id="found" class="note" aria-live="polite">30 items</p>' in dom
    assert "Page 1 of 2" in dom


def test_second_page(dump: Callable[[str], str]) -> None:
    assert shown(dump("#page=2")) == [f"q{number}" for number in range(25, 30)]


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("#filter=looping", [f"q{number}" for number in range(12)]),
        ("#filter=looping&variant=tuned", []),
        ("#filter=echoing", ["q3"]),
        ("#filter=empty&variant=tuned", ["q11"]),
        ("#filter=unstopped&task=finqa", []),
        ("#q=onerror", ["q2"]),
        ("#q=RED%20GREEN%20BLUE%20YES", ["q10"]),
        ("#filter=nonsense&task=finqa", [f"q{number}" for number in range(12, 30)]),
    ],
)
def test_hash_selects_the_filter(
    fragment: str, expected: list[str], dump: Callable[[str], str]
) -> None:
    assert shown(dump(fragment)) == expected


def test_gains_and_losses_are_sorted(dump: Callable[[str], str]) -> None:
    gains = shown(dump("#filter=gains"))
    assert gains[:7] == ["q0", "q1", "q4", "q5", "q6", "q7", "q3"]
    losses = shown(dump("#filter=losses"))
    assert losses == [f"q{number}" for number in range(12, 30)]


def test_hostile_answer_stays_text_and_runs_nothing(dump: Callable[[str], str]) -> None:
    dom = dump("#q=onerror")
    assert "<title>Did fine-tuning help? base, tuned</title>" in dom
    answers = [unescape(text) for text in re.findall(r'<p class="text">(.*?)</p>', dom, re.DOTALL)]
    assert EVIL in answers
    assert len(re.findall(r"<img\b", dom)) == 4  # the plots


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("#filter=confident&variant=tuned", ["q11", "q10", "q1"]),
        ("#filter=wrong&variant=tuned", ["q1", "q10", "q11"]),
        ("#filter=right&variant=base", ["q0", "q1"]),
        ("#filter=losses", ["q1"]),
        ("#filter=right&q=none%20of%20them&variant=majority", [f"q{n}" for n in range(2, 8)]),
    ],
)
def test_labels_are_filtered_by_right_and_wrong(
    fragment: str, expected: list[str], label_page: Path, browse: Callable[[Path, str], str]
) -> None:
    assert shown(browse(label_page, fragment)) == expected


def test_label_chips_show_the_most_probable_labels(
    label_page: Path, browse: Callable[[Path, str], str]
) -> None:
    dom = browse(label_page, "#filter=confident&variant=tuned")
    chips = re.findall(r'<li class="given wrong">(.*?)</li>', dom)
    assert "\u2717 Macro 81.0 %" in chips
    assert re.search(r"<li>\u2713 M&amp;A 9.5 %</li>", dom)
