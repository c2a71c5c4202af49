"""A data folder's page: figures that are those of the files, and no markup from outside."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import DataFolder
from tuneproof.prepdata import page
from tuneproof.prepdata.checks.data import near_pairs
from tuneproof.prepdata.cli import main
from tuneproof.prepdata.page import dropped_pairs, length_chart, table_rows, write_page

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(autouse=True)
def small_tokenizer(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "load_tokenizer", lambda name, purpose: tokenizer)


def embedded(text: str) -> Any:
    found = re.search(r'id="data">(.*?)</script>', text)
    assert found is not None
    return json.loads(found[1])


def test_page_holds_every_record_with_its_tokens(
    built: Callable[..., Any], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    _, files = built(rows)
    write_page(tmp_path / "data", tmp_path / "data.html")
    text = (tmp_path / "data.html").read_text()
    shown = embedded(text)["rows"]
    assert sorted(row[5] for row in shown) == sorted(row["output"] for row in rows)
    assert sum(row[0] == "train" for row in shown) == len(files["train"])
    assert all(row[6] > 0 for row in shown)
    assert "All 40 records" in text


def test_table_is_cut_evenly_and_says_so(
    built: Callable[..., Any], rows: list[dict[str, str]], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    built(rows, test_fraction=0.5)
    monkeypatch.setattr(page, "ROWS", 20)
    data = DataFolder(tmp_path / "data")
    sizes = {split: len(records) for split, records in data.splits.items()}
    counts: Mapping[Any, Any] = {split: [1] * size for split, size in sizes.items()}
    shown = table_rows(data, counts)
    for split, size in sizes.items():
        assert sum(row[0] == split for row in shown) == (max(1, 20 * size // 40) if size else 0)
    write_page(tmp_path / "data", tmp_path / "data.html")
    assert f"{len(shown)} of 40 records, evenly spread" in (tmp_path / "data.html").read_text()


def test_repeats_stand_beside_what_they_repeat(
    built: Callable[..., Any], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    built([*rows, *({**row, "id": f"again-{n}"} for n, row in enumerate(rows))])
    pairs, count = dropped_pairs(tmp_path / "data")
    assert count == len(pairs) > 20
    assert all(pair.record.instruction == pair.other.instruction for pair in pairs)
    write_page(tmp_path / "data", tmp_path / "data.html")
    text = (tmp_path / "data.html").read_text()
    assert f"{count} records were left out as repeats." in text
    assert text.count("The one it repeats") == count


def test_near_duplicates_across_the_splits_are_shown(
    built: Callable[..., Any], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    built(rows, test_fraction=0.3)
    folder = tmp_path / "data"
    test = json.loads((folder / "test.jsonl").read_text().splitlines()[0])
    copy = {**test, "id": "copy", "instruction": test["instruction"] + "."}
    with (folder / "train.jsonl").open("a") as handle:
        handle.write(json.dumps({**copy, "instruction": f"so {test['instruction']}"}) + "\n")
    pairs = near_pairs(DataFolder(folder)).pairs["test"]
    assert [(record.id, twin.id) for record, twin in pairs] == [(test["id"], "copy")]
    write_page(folder, tmp_path / "data.html")
    text = (tmp_path / "data.html").read_text()
    assert "1 held-out records are nearly in train." in text
    assert "data-edited" in text


def test_lengths_are_shares_of_each_split() -> None:
    chart = length_chart({"train": [10, 16, 17, 40], "validation": [], "test": [60]})
    for words in ("train, 10: 25<", "train, 15: 50<", "train, 40: 25<", "test, 60: 100<"):
        assert words in chart
    assert "5 at a time" in chart
    assert "validation" not in chart


def test_one_long_record_does_not_flatten_the_lengths() -> None:
    chart = length_chart({"train": [*range(100, 300), 9000], "validation": [], "test": []})
    assert "train, 280: 10<" in chart
    assert "train, 300+: 0.5<" in chart


def test_no_text_of_a_record_is_markup(
    built: Callable[..., Any], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    evil = [{**row, "output": EVIL + row["output"]} for row in rows]
    built([*evil, evil[0]])
    write_page(tmp_path / "data", tmp_path / "data.html")
    text = (tmp_path / "data.html").read_text()
    assert EVIL not in text
    assert text.count("<script") == 2
    assert re.search(r"https?://", text) is None


def test_command_writes_the_page_and_names_it(
    built: Callable[..., Any], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    built(rows)
    done = CliRunner().invoke(
        main, ["inspect", str(tmp_path / "data"), "--html", str(tmp_path / "x.html")]
    )
    assert done.exit_code == 0, done.output
    assert done.output == f"{tmp_path / 'x.html'}\n"
    with pytest.raises(InputError, match="is a folder; give a file"):
        write_page(tmp_path / "data", tmp_path)
