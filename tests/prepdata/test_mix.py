"""General rows among the training records, and none of those that are asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.regressions import ASKED, MIXED, read_items, read_mixed
from tuneproof.prepdata.build import build
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.manifest import is_up_to_date
from tuneproof.prepdata.registry import SOURCES


def _rows(path: Path, count: int, **changes: str) -> Path:
    rows = [
        {"instruction": f"What does river number {n} carry to sea {n % 7}?", "output": f"Mud {n}."}
        for n in range(count)
    ]
    rows += [{"output": "So it is.", **changes}] if changes else []
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _config(tmp_path: Path, count: int = 60, **changes: object) -> BuildConfig:
    file = _rows(tmp_path / "rows.jsonl", count)
    values = {"source": (f"jsonl={file}",), "out": tmp_path / "data", "duplicates": "exact"}
    return BuildConfig(**{**values, **changes})  # type: ignore[arg-type]


def test_general_rows_have_their_share_of_train_and_of_no_other_split(tmp_path: Path) -> None:
    config = _config(tmp_path, mix=("regressions=0.2",))
    manifest = build(config)
    folder = DataFolder(config.out)
    general = [record for record in folder.train if record.task == "general"]
    assert len(general) / len(folder.train) == pytest.approx(0.2, abs=0.01)
    assert not [one for one in (*folder.validation, *folder.test) if one.task == "general"]
    assert manifest.sources["general"].records["train"] == len(general)
    ids = [record.id for record in folder.train]
    assert ids != sorted(ids, key=lambda name: name.startswith("mixed-"))  # they stand among them
    assert is_up_to_date(config)
    assert not is_up_to_date(_config(tmp_path, mix=("regressions=0.3",)))


def test_where_there_are_too_few_general_rows_the_manifest_says_so(tmp_path: Path) -> None:
    manifest = build(_config(tmp_path, 200, mix=("regressions=0.9",)))
    assert manifest.sources["general"].records["train"] == len(read_mixed())
    (remark,) = manifest.sources["general"].remarks
    assert "general rows are wanted for a share of 0.9" in remark


def test_items_that_are_asked_for_regressions_are_kept_out_of_train(tmp_path: Path) -> None:
    asked = next(item for item in read_items(ASKED) if item.kind == "facts")
    file = _rows(tmp_path / "rows.jsonl", 60, instruction=asked.prompt)
    source = (f"jsonl={file}",)
    manifest = build(BuildConfig(source=source, out=tmp_path / "data", test_fraction=0.01, seed=1))
    dropped = manifest.sources["jsonl"].dropped
    assert sum(n for reason, n in dropped.items() if reason.endswith("of regressions")) == 1


@pytest.mark.parametrize("text", ["general=0.1", "regressions", "regressions=1 %", "regressions=1"])
def test_a_mix_that_is_no_share_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="mix must be regressions=SHARE"):
        _config(tmp_path, mix=(text,))


def test_general_rows_do_not_stand_among_labels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="answers are texts, and those of 'imdb' are labels"):
        build(_config(tmp_path, source=(f"imdb={tmp_path}",), mix=("regressions=0.1",)))


def test_the_source_says_how_many_rows_it_has() -> None:
    assert SOURCES["general"].size == str(len(json.loads(MIXED.read_text(encoding="utf-8"))))


def test_general_rows_that_held_out_records_ask_stay_out_of_train(tmp_path: Path) -> None:
    mixed = read_mixed()
    folder = tmp_path / "rows"
    folder.mkdir()
    _rows(folder / "train.jsonl", 60)
    asked = [{"instruction": one.instruction, "output": one.output} for one in mixed[:3]]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    config = _config(tmp_path, source=(f"jsonl={folder}",), mix=("regressions=0.2",))
    manifest = build(config)
    trained = {record.instruction for record in DataFolder(config.out).train}
    assert trained & {one.instruction for one in mixed[3:]}
    assert not trained & {one.instruction for one in mixed[:3]}
    assert "3 general rows are left out" in manifest.sources["general"].remarks[0]


def test_general_rows_stand_beside_no_labels_that_the_rows_show(tmp_path: Path) -> None:
    lines = [f"a text of number {n},{('good', 'bad')[n % 2]}" for n in range(60)]
    (tmp_path / "rows.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    source = (f"csv={tmp_path / 'rows.csv'}",)
    config = BuildConfig(source=source, out=tmp_path / "data", mix=("regressions=0.1",))
    with pytest.raises(InputError, match="those of 'csv' are labels; leave it out"):
        build(config)
    assert not (tmp_path / "data").exists()
