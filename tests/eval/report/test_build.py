from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import report, up_to_date_report
from tuneproof.eval.report.summary import text_table
from tuneproof.formats.report import read_report

Write = Callable[..., Path]
CONFIG = ReportConfig(resamples=200)
FILES = {
    "report.json",
    "report.md",
    "report.html",
    "gains.png",
    "metrics.png",
    "lengths.png",
    "item_gains.png",
}


def test_all_files_are_written(document: dict[str, Any], write: Write, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "folder"
    found = report([write(document)], out, CONFIG)
    assert {path.name for path in out.iterdir()} == FILES
    assert json.loads((out / "report.json").read_text(encoding="utf-8")) == found.as_json()


def test_report_json_has_the_agreed_names(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    path = write(document)
    found = report([path], tmp_path / "out", CONFIG)
    assert found.schema == "tuneproof/report@1"
    assert set(vars(found.metrics["tuned"]["rougeL"])) >= {"value", "low", "high", "n", "empty"}
    gain = found.gains["tuned"]["rougeL"]
    assert set(vars(gain)) >= {"value", "low", "high", "p", "p_corrected", "mde", "differing"}
    assert found.sources[0].file == str(path)
    assert found.decoding == document["decoding"]
    assert found.template == document["template"]
    assert found.not_available == {"numeric_match": "no item has a number as its reference"}
    assert found.counts.groups == 0


def test_same_input_gives_the_same_bytes(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    path = write(document)
    for name in ("one", "two"):
        report([path], tmp_path / name, CONFIG)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_markdown_holds_the_verdict_the_table_and_the_examples(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    document["items"][0]["answers"]["tuned"]["text"] = "red green blue\n```\n# !"
    report([write(document)], tmp_path / "out", CONFIG)
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "**tuned, this checkpoint: ROUGE-L 0." in text
    assert "| Exact match ↑ | 12 | 0.0 % (0.0 to 24.2) | 66.7 %" in text
    assert "### Largest gains of tuned" in text
    assert "None: no item lost in ROUGE-L." in text
    assert "````text\nred green blue\n```\n# !\n````" in text
    for block in text.split("\n\n"):
        table = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.replace(r"\|", "").count("|") for line in table}) <= 1, block


def test_every_metric_says_what_it_scored(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    document["items"][0]["reference"] = None
    found = report([write(document)], tmp_path / "out", CONFIG)
    cell = found.metrics["tuned"]["rougeL"]
    counts = {key: getattr(cell, key) for key in ("n", "without_reference", "not_scored", "empty")}
    assert counts == {"n": 11, "without_reference": 1, "not_scored": 0, "empty": 1}
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "--:|\n| ROUGE-L | 11 | 1 | 0 | 0 | 1 | 0." in text
    assert "What was scored" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_stale_plots_of_an_earlier_report_are_removed(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    report([write(document)], out, CONFIG)
    report([write([{"prompt": "p", "fine_tuned": "a", "regular": "b"}])], out, CONFIG)
    assert {path.name for path in out.iterdir()} == FILES - {"item_gains.png"}


def test_nothing_is_written_when_the_input_is_bad(write: Write, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        report([write([])], tmp_path / "out", CONFIG)
    assert not (tmp_path / "out").exists()


def test_without_references_no_answer_is_called_best(write: Write, tmp_path: Path) -> None:
    rows = [{"prompt": "p", "fine_tuned": "a", "regular": "b"}]
    report([write(rows)], tmp_path / "out", CONFIG)
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "without references none can be called best or worst" in text
    assert "Largest gains" not in text
    assert "The file does not record tokens: length is in words." in text


def test_unicode_survives(document: dict[str, Any], write: Write, tmp_path: Path) -> None:
    document["items"][0]["answers"]["tuned"]["text"] = (
        "red green blue \u4e2d\u6587 \N{SNOWMAN} \ud83d \x00 \u202e"
    )
    document["items"][0]["reference"] += " \u4e2d\u6587"
    report([write(document)], tmp_path / "out", CONFIG)
    assert "\u4e2d\u6587" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


def test_items_are_ranked_by_the_metric_that_is_primary(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    for row in document["items"]:
        row["reference"] = "\u7ea2\u8272\u548c\u7eff\u8272"
        row["answers"]["base"]["text"] = row["reference"][:2]
        row["answers"]["tuned"]["text"] = row["reference"][:4]
    report([write(document)], tmp_path / "out", CONFIG)
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "**q0** (dolly): chrF +" in text
    assert "![chrF gain of every item, sorted](item_gains.png)" in text
    assert "None: no item lost in chrF." in text
    assert '"rankedBy":"chrF"' in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_labels_are_reported_with_pairs_baselines_and_mistakes(
    topics: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    found = report([write(topics)], tmp_path / "out", CONFIG)
    assert (
        json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
        == found.as_json()
    )
    assert list(found.labels or ()) == topics["labels"]
    assert "numeric_match" not in found.definitions
    assert found.counts.variants["majority"].empty is None
    assert found.summary["tuned"].baselines.startswith(
        "tuned shows no difference from most frequent label (50.0"
    )
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert (
        "tuned shows no difference from most frequent label (50.0 %): difference +25.0 pp" in text
    )
    assert "| Accuracy ↑ | 12 | 16.7 %" in text
    assert "### Most confident mistakes of tuned" in text
    assert "**q11** (dolly): Macro with 81.0 %" in text
    assert "| tuned | majority | +25.0 pp" in text
    assert "ROUGE-L" not in text
    for block in text.split("\n\n"):
        table = [line.replace(r"\|", "") for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in table}) <= 1, block


def test_a_report_of_texts_removes_the_plots_of_labels(
    topics: dict[str, Any], document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    report([write(topics)], tmp_path, CONFIG)
    report([write(document, "texts.json")], tmp_path, CONFIG)
    assert {path.name for path in tmp_path.glob("*.png")} == {f for f in FILES if "png" in f}


def test_baselines_alone_are_reported(topics: dict[str, Any], write: Write, tmp_path: Path) -> None:
    topics["variants"] = [topics["variants"][0], topics["variants"][2]]
    for item in topics["items"]:
        del item["answers"]["tuned"]
    found = report([write(topics)], tmp_path / "out", CONFIG)
    assert found.gains == {}
    assert "No tuned variant answered, only base and majority." in text_table(found)
    assert "only base and majority" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


def test_empty_answers_are_counted_where_texts_were_written(
    topics: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    report([write(topics)], tmp_path / "texts", CONFIG)
    for item in topics["items"]:
        for answer in item["answers"].values():
            answer["text"] = None
    report([write(topics, "labels.json")], tmp_path / "labels", CONFIG)
    for page in ("report.md", "report.html"):
        assert "Empty answers: " in (tmp_path / "texts" / page).read_text(encoding="utf-8")
        assert "Empty answers" not in (tmp_path / "labels" / page).read_text(encoding="utf-8")


def test_report_stands_while_files_settings_code_and_versions_are_the_same(
    document: dict[str, Any], write: Callable[..., Path], tmp_path: Path
) -> None:
    file, out, config = write(document), tmp_path / "out", ReportConfig(resamples=100)
    assert up_to_date_report([file], out, config) is None
    found = report([file], out, config)
    assert up_to_date_report([file], out, config) == found
    assert json.loads((out / "report.json").read_text()) == found.as_json()
    assert up_to_date_report([file], out, ReportConfig(resamples=200)) is None
    for name in ("schema", "versions", "code"):
        changed = {key: value for key, value in found.as_json().items() if key != name}
        (out / "report.json").write_text(json.dumps(changed))
        assert up_to_date_report([file], out, config) is None, name
    (out / "report.json").write_text("[]")
    assert up_to_date_report([file], out, config) is None
    report([file], out, config)
    document["items"].pop()
    assert up_to_date_report([write(document)], out, config) is None


def test_report_is_read_as_it_was_written(
    topics: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    made = report([write(topics)], tmp_path, CONFIG)
    assert read_report(tmp_path / "report.json") == made


def test_report_of_an_older_version_is_read(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    made = report([write(document)], tmp_path, CONFIG)
    older = made.as_json()
    for later in ("findings", "compute", "published", "beside", "numbers", "code"):
        del older[later]
    del older["summary"]["tuned"]["paragraph"]
    older["of a later version"] = 1
    file = write(older, "older.json")
    assert read_report(file).gains == made.gains
    assert made.summary["tuned"].headline in text_table(read_report(file))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "tuneproof/comparison@1"}, "not a report; `score report` writes report.json"),
        ({"gains": {"tuned": {"rougeL": {"p": 1}}}}, "made by an older version"),
        (
            {"metrics": {"base": {"rougeL": {"value": "x"}}}},
            "'value': expected a number, found 'x'; run `score report`",
        ),
        ({"counts": 5}, "'counts': expected an object, found 5"),
    ],
)
def test_what_is_no_report_is_refused_in_one_line(
    change: dict[str, Any], message: str, document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    made = report([write(document)], tmp_path, CONFIG).as_json()
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read_report(write({**made, **change}, "bad.json"))
    assert "\n" not in str(caught.value)
