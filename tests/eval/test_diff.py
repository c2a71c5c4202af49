from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tuneproof.errors import InputError
from tuneproof.eval.cli import main
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.diff import diff
from tuneproof.eval.report.build import report

Write = Callable[..., Path]
CONFIG = ReportConfig(resamples=300)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["diff", *map(str, arguments), "--resamples", "300"])


@pytest.fixture
def later(document: dict[str, Any]) -> dict[str, Any]:
    """The same questions; the base answers alike, the tuned variant is now always wrong."""
    made = copy.deepcopy(document)
    for item in made["items"]:
        item["answers"]["tuned"]["text"] = "something else"
    return made


def test_b_minus_a_by_variant(
    document: dict[str, Any], later: dict[str, Any], write: Write
) -> None:
    found = diff(write(document, "a.json"), write(later, "b.json"), CONFIG)
    assert list(found.gains) == ["base", "tuned"]
    tuned = found.gains["tuned"]["exact_match"]
    assert (tuned.a, tuned.b) == pytest.approx((8 / 12, 0))
    assert tuned.gain.value == pytest.approx(-8 / 12)
    assert tuned.gain.p == pytest.approx(2 / 2**8)
    assert found.gains["tuned"]["rougeL"].gain.p == 2 / 2**11
    assert found.gains["tuned"]["rougeL"].gain.p_corrected == 2 / 2**11
    assert found.gains["tuned"]["rougeL"].gain.is_primary
    assert found.gains["tuned"]["rougeL"].gain.verdict == "worse"
    assert {row.gain.p for row in found.gains["base"].values()} == {1}


def test_files_may_list_the_items_in_another_order(
    document: dict[str, Any], later: dict[str, Any], write: Write
) -> None:
    straight = diff(write(document, "a.json"), write(later, "b.json"), CONFIG)
    later["items"].reverse()
    assert diff(write(document, "a.json"), write(later, "b.json"), CONFIG) == straight


def test_labels_are_compared_with_their_figures(topics: dict[str, Any], write: Write) -> None:
    other = copy.deepcopy(topics)
    for item in other["items"]:
        item["answers"]["base"] = item["answers"]["tuned"]
    found = diff(write(topics, "a.json"), write(other, "b.json"), CONFIG)
    assert found.gains["base"]["accuracy"].gain.value == pytest.approx(7 / 12)
    assert "macro_f1" in found.gains["base"]
    assert set(found.gains) == {"base", "tuned", "majority"}


def test_reports_lead_to_their_comparison_files(
    document: dict[str, Any], later: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    report([write(document, "a.json")], tmp_path / "ra", CONFIG)
    report([write(later, "b.json")], tmp_path / "rb", CONFIG)
    direct = run(tmp_path / "a.json", tmp_path / "b.json")
    assert direct.exit_code == 0, direct.output
    assert "base, 12 items" in direct.output
    assert "tuned, this checkpoint, 12 items" in direct.output
    assert "A and B are one checkpoint each" in direct.output
    assert run(tmp_path / "ra", tmp_path / "rb" / "report.json").output == direct.output


@pytest.mark.parametrize(
    ("change", "message"), [("edit", "has changed since"), ("remove", "is not there any more")]
)
def test_a_report_without_its_file_says_what_to_give(
    change: str, message: str, document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    path = write(document, "a.json")
    report([path], tmp_path / "ra", CONFIG)
    if change == "edit":
        path.write_text(path.read_text() + " ")
    else:
        path.unlink()
    result = run(tmp_path / "ra", tmp_path / "ra")
    assert result.exit_code == 2
    assert message in result.output
    assert "give the comparison file itself" in result.output
    assert result.output.count("\n") == 1


def test_other_items_are_refused_with_their_number_and_an_example(
    document: dict[str, Any], later: dict[str, Any], write: Write
) -> None:
    later["items"][3]["prompt"] = "Another question?"
    later["items"][5]["id"] = "new"
    with pytest.raises(InputError, match=r"not asked the same: 3 differences .* 'q5' is only in"):
        diff(write(document, "a.json"), write(later, "b.json"), CONFIG)
    result = run(write(document, "a.json"), write(later, "b.json"))
    assert (result.exit_code, result.output.count("\n")) == (2, 1)


def test_no_variant_in_common_is_refused(document: dict[str, Any], write: Write) -> None:
    other = copy.deepcopy(document)
    other["variants"] = [{"name": "x"}, {"name": "y"}]
    for item in other["items"]:
        item["answers"] = dict(zip("xy", item["answers"].values(), strict=True))
    with pytest.raises(InputError, match="no variant has the same name in both"):
        diff(write(document, "a.json"), write(other, "b.json"), CONFIG)


def test_different_label_sets_are_refused(
    topics: dict[str, Any], document: dict[str, Any], write: Write
) -> None:
    with pytest.raises(InputError, match="different label sets"):
        diff(write(topics, "a.json"), write(document, "b.json"), CONFIG)


def test_plain_lists_are_paired_in_order(write: Write) -> None:
    rows = [{"prompt": f"p{n}", "regular": "a b", "fine_tuned": "a"} for n in range(4)]
    other = [{**row, "fine_tuned": "b " * 30} for row in rows]
    found = diff(write(rows, "a.json"), write(other, "b.json"), CONFIG)
    assert found.gains["fine_tuned"]["length"].gain.value == 29
    assert found.gains["base"]["length"].gain.value == 0
    with pytest.raises(InputError, match="'prompt' of 'a-0' is 'p0' in A, 'p1' in B"):
        diff(write(rows, "a.json"), write([*other[1:], other[0]], "b.json"), CONFIG)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("references", ["one", "another"]),
        ("executed", "7"),
    ],
)
def test_another_right_answer_is_another_item(
    key: str, value: Any, document: dict[str, Any], later: dict[str, Any], write: Write
) -> None:
    later["items"][3][key] = value
    if key == "references":
        later["items"][3]["reference"] = value[0]
        document["items"][3]["reference"] = value[0]
    with pytest.raises(InputError, match=f"not asked the same: .* '{key}' of"):
        diff(write(document, "a.json"), write(later, "b.json"), CONFIG)


def test_a_variant_without_tokens_is_counted_in_words(
    document: dict[str, Any], later: dict[str, Any], write: Write
) -> None:
    for item in (*document["items"], *later["items"]):
        del item["answers"]["tuned"]["tokens"]
    found = diff(write(document, "a.json"), write(later, "b.json"), CONFIG)
    assert found.length_units == {"base": "tokens", "tuned": "words"}
