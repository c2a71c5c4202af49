"""A build of Dolly and FinQA as they are; skipped where they are not on this machine."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tuneproof.formats.example import TEST_PROMPTS, read_prompts
from tuneproof.prepdata.build import build
from tuneproof.prepdata.config import BuildConfig

pytestmark = pytest.mark.slow

Rows = list[dict[str, str]]
SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def made(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, Rows]]:
    sources = {
        "dolly": shared_data / "dolly" / "databricks-dolly-15k.jsonl",
        "finqa": shared_data / "finqa",
    }
    if not all(path.exists() for path in sources.values()):
        pytest.skip("no Dolly and FinQA in the public data")
    out = tmp_path_factory.mktemp("public") / "data"
    named = tuple(f"{name}={path}" for name, path in sources.items())
    facts = build(BuildConfig(source=named, out=out)).as_json()
    found = {
        split: [json.loads(line) for line in (out / f"{split}.jsonl").read_text().splitlines()]
        for split in SPLITS
    }
    return facts, found


def words(text: str) -> str:
    """Normalise without the code under test: small letters and digits only."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def grams(text: str) -> set[str]:
    return {text[start : start + 5] for start in range(max(1, len(text) - 4))}


def test_every_upstream_row_is_accounted_for(made: Any, shared_data: Path) -> None:
    facts, found = made
    with (shared_data / "dolly" / "databricks-dolly-15k.jsonl").open() as handle:
        upstream = sum(1 for _ in handle)
    written = sum(row["task"] == "dolly" for rows in found.values() for row in rows)
    assert written + sum(facts["sources"]["dolly"]["dropped"].values()) == upstream


def test_no_context_and_no_page_stands_in_two_splits(made: Any) -> None:
    places: dict[tuple[str, str], set[str]] = defaultdict(set)
    for split, rows in made[1].items():
        for row in rows:
            places["group", row["task"] + row["group"]].add(split)
            if row["input"]:
                places["input", row["input"]].add(split)
    assert {key: names for key, names in places.items() if len(names) > 1} == {}


def test_official_finqa_splits_stay_apart(made: Any, shared_data: Path) -> None:
    ids = {
        name: {row["id"] for row in json.loads((shared_data / "finqa" / name).read_text())}
        for name in ("train.json", "dev.json")
    }
    found = {
        split: {row["id"] for row in rows if row["task"] == "finqa"}
        for split, rows in made[1].items()
    }
    assert found["train"] | found["val"] == ids["train.json"]
    assert ids["dev.json"] <= found["test"]
    assert not found["test"] & ids["train.json"]


def test_no_near_duplicate_stands_in_two_splits(made: Any) -> None:
    """Compare every pair of instructions across splits, by a product of sparse matrices."""
    import numpy as np
    from scipy import sparse

    found = made[1]
    names = {split: [words(row["instruction"]) for row in rows] for split, rows in found.items()}
    columns: dict[str, int] = {}

    def matrix(texts: list[str]) -> Any:
        pointers, indices = [0], []
        for text in texts:
            indices += [columns.setdefault(gram, len(columns)) for gram in grams(text)]
            pointers.append(len(indices))
        return pointers, indices

    parts = {split: matrix(texts) for split, texts in names.items()}
    sparse_of = {
        split: sparse.csr_matrix(
            (np.ones(len(indices), np.float32), indices, pointers),
            shape=(len(pointers) - 1, len(columns)),
        )
        for split, (pointers, indices) in parts.items()
    }
    compared = 0
    for one, other in (("val", "train"), ("test", "train"), ("test", "val")):
        sizes = np.diff(sparse_of[other].indptr)
        for start in range(0, sparse_of[one].shape[0], 200):
            block = sparse_of[one][start : start + 200]
            shared = (block @ sparse_of[other].T).toarray()
            union = np.diff(block.indptr)[:, None] + sizes[None, :] - shared
            for row, column in np.argwhere(shared >= 0.8 * union):
                compared += 1
                check_is_no_repeat(found[one][start + row], found[other][column])
    assert compared > 0


def check_is_no_repeat(one: dict[str, str], other: dict[str, str]) -> None:
    asked = [(words(row["instruction"]), words(row["input"])) for row in (one, other)]
    assert asked[0] != asked[1] or one["instruction"] != other["instruction"], (
        one["id"],
        other["id"],
    )
    if re.findall(r"\d+", one["instruction"]) != re.findall(r"\d+", other["instruction"]):
        return
    if words(one["output"]) != words(other["output"]):
        return  # another right answer: another record, unless the question is the same
    if not one["input"] and not other["input"]:
        a, b = words(one["instruction"]), words(other["instruction"])
    else:
        a, b = words(one["input"]), words(other["input"])
    share = len(grams(a) & grams(b)) / len(grams(a) | grams(b))
    assert share < 0.8, (one["id"], other["id"])


def test_prompts_of_the_project_are_in_no_source(made: Any) -> None:
    for source in made[0]["sources"].values():
        assert not any("test.json" in reason for reason in source["dropped"])
    asked = {words(item.instruction) for item in read_prompts(TEST_PROMPTS)}
    for rows in made[1].values():
        assert not asked & {words(row["instruction"]) for row in rows}


def test_finqa_answers_are_clean(made: Any) -> None:
    outputs = [row["output"] for rows in made[1].values() for row in rows if row["task"] == "finqa"]
    assert not [text for text in outputs if "\\" in text or re.search(r"\de[+-]?\d", text)]
    assert sum(text.endswith("%") for text in outputs) > 300
