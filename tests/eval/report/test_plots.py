from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import build
from tuneproof.eval.report.plots import draw
from tuneproof.eval.score import score
from tuneproof.formats.comparison import read_comparison

Write = Callable[..., Path]
PNG = b"\x89PNG\r\n"


def drawn(path: Path) -> dict[str, tuple[str, bytes]]:
    comparison = read_comparison(path)
    scores = score(comparison)
    return draw(build(comparison, scores, ReportConfig(resamples=100)), comparison, scores)


def test_all_plots_are_drawn_and_described(document: dict[str, Any], write: Write) -> None:
    images = drawn(write(document))
    assert list(images) == ["gains", "metrics", "lengths", "item_gains"]
    assert all(png.startswith(PNG) and text for text, png in images.values())


def test_labels_have_their_own_plots(topics: dict[str, Any], write: Write) -> None:
    images = drawn(write(topics))
    # chance and majority never look at the text: no confusion to see
    assert list(images) == [
        "gains", "metrics", "label_f1", "reliability", "confusion_1", "confusion_2",
    ]  # fmt: skip
    assert all(png.startswith(PNG) and text for text, png in images.values())
    assert "tuned" in images["confusion_2"][0]


def test_hundreds_of_labels_are_drawn(topics: dict[str, Any], write: Write) -> None:
    topics["labels"] += [f"${number}_{{" for number in range(100)]
    for item in topics["items"]:
        for answer in item["answers"].values():
            del answer["label_probabilities"]
    assert list(drawn(write(topics))) == ["gains", "metrics", "confusion_1", "confusion_2"]


def test_odd_names_are_drawn_without_a_warning(document: dict[str, Any], write: Write) -> None:
    name = "$x_{1$ \N{SNOWMAN} \u4e2d\u6587 <b>"
    document["variants"][1]["name"] = name
    for item in document["items"]:
        item["answers"][name] = item["answers"].pop("tuned")
    assert len(drawn(write(document))) == 4


def test_plots_with_nothing_to_show_are_left_out(write: Write) -> None:
    images = drawn(write([{"prompt": "p", "fine_tuned": "", "regular": ""}]))
    assert list(images) == ["gains", "metrics", "lengths"]
