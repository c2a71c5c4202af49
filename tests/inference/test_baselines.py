from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.inference.baselines import BASELINES, pick_label, predict

TEXTS = ["shares rise", "shares fall", "oil rises", "shares jump", "oil and gas", "shares soar"]
LABELS = ["stock", "stock", "energy", "stock", "energy", "stock"]
SET = ["energy", "stock", "macro"]
ROOT = Path(__file__).parents[2]


def test_chance_is_uniform() -> None:
    assert predict("chance", TEXTS, LABELS, ["x"], ["a", "b", "stock", "energy"]) == [
        {"a": 0.25, "b": 0.25, "stock": 0.25, "energy": 0.25}
    ]


def test_majority_gives_the_frequencies() -> None:
    [first, second] = predict("majority", TEXTS, LABELS, ["oil", "gas"], SET)
    assert first == second == {"energy": 2 / 6, "stock": 4 / 6, "macro": 0}


def test_tf_idf_learns_the_words() -> None:
    found = predict("tf-idf", TEXTS, LABELS, ["more oil", "the shares"], SET)
    assert [max(row, key=row.__getitem__) for row in found] == ["energy", "stock"]
    assert [row["macro"] for row in found] == [0, 0]


@pytest.mark.parametrize("name", BASELINES)
def test_probabilities_are_of_the_label_set_and_sum_to_one(name: str) -> None:
    for row in predict(name, TEXTS, LABELS, ["oil", ""], SET):
        assert list(row) == SET
        assert sum(row.values()) == pytest.approx(1)


@pytest.mark.parametrize("name", BASELINES)
def test_one_label_in_training_and_nothing_to_predict(name: str) -> None:
    assert len(predict(name, ["a b"], ["stock"], ["c"], SET)) == 1
    assert predict(name, ["a b"], ["stock"], [], SET) == []


@pytest.mark.parametrize(
    ("name", "texts", "labels", "message"),
    [
        ("tfidf", TEXTS, LABELS, "unknown baseline 'tfidf'. Did you mean 'tf-idf'"),
        ("chance", [], [], "0 training texts with 0 labels"),
        ("chance", ["a"], LABELS, "1 training texts with 6 labels"),
        ("chance", ["a"], ["stok"], "'stok'. Did you mean 'stock'"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    name: str, texts: list[str], labels: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        predict(name, texts, labels, ["x"], SET)


def test_ties_are_settled_evenly_and_the_same_each_time() -> None:
    even = dict.fromkeys("abcd", 0.25)
    picked = [pick_label(even, f"text {number}") for number in range(4000)]
    assert picked == [pick_label(even, f"text {number}") for number in range(4000)]
    assert all(900 < count < 1100 for count in Counter(picked).values())
    assert pick_label({"a": 0.2, "b": 0.8}, "any") == "b"


def test_import_is_light() -> None:
    code = "import sys, inference.baselines; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not {"sklearn", "numpy", "torch"} & set(loaded.stdout.split())


@pytest.mark.slow
def test_accuracy_on_a_fifth_of_the_finance_tweets_is_the_known_one() -> None:
    named = os.environ.get("TUNEPROOF_TEST_DATA")
    folders = [Path(named)] if named else [ROOT / "shared/data", ROOT.parent / "shared/data"]
    folder = next((f for f in folders if (f / "twitter_topics/labels.json").is_file()), None)
    if folder is None:
        pytest.skip("no twitter_topics; set TUNEPROOF_TEST_DATA to the folder that holds it")
    names = json.loads((folder / "twitter_topics/labels.json").read_text())

    def rows(part: str) -> tuple[list[str], list[str]]:
        with (folder / f"twitter_topics/topic_{part}.csv").open(encoding="utf-8") as handle:
            found = list(csv.DictReader(handle))
        return [row["text"] for row in found], [names[row["label"]] for row in found]

    texts, labels = (column[::5] for column in rows("train"))
    asked, right = rows("valid")

    def accuracy(name: str) -> float:
        found = predict(name, texts, labels, asked, list(names.values()))
        picked = [pick_label(row, text) for row, text in zip(found, asked, strict=True)]
        return sum(map(str.__eq__, picked, right)) / len(right)

    assert accuracy("tf-idf") == pytest.approx(0.704, abs=0.005)
    assert accuracy("majority") == pytest.approx(0.2105)
    assert accuracy("chance") == pytest.approx(0.05, abs=0.015)


def test_tf_idf_learns_from_texts_without_words_of_two_letters() -> None:
    texts, labels = ["1", "2", "1 1", "2 2", "1", "2"], ["a", "b", "a", "b", "a", "b"]
    found = predict("tf-idf", texts, labels, ["1", "2", ""], ["a", "b"])
    assert found[0]["a"] > 0.5 < found[1]["b"]
