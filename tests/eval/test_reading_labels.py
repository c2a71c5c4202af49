from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.joined import read_comparisons

Write = Callable[..., Path]


def test_labels_and_probabilities_arrive(topics: dict[str, Any], write: Write) -> None:
    found = read_comparison(write(topics))
    assert found.labels == ("Gold | Metals", "Macro", "M&A")
    first = found.items[0].answers
    assert (first["base"].label, first["base"].text) == ("Gold | Metals", "none of them")
    assert (first["majority"].label, first["majority"].text) == ("Macro", None)
    assert first["majority"].label_probabilities == pytest.approx(
        {"Gold | Metals": 0.2, "Macro": 0.6, "M&A": 0.2}
    )


def test_baselines_are_neither_base_nor_tuned(topics: dict[str, Any], write: Write) -> None:
    topics["variants"].reverse()
    found = read_comparison(write(topics))
    assert (found.base, found.tuned, found.baselines) == ("base", ["tuned"], ["majority"])


def test_first_model_is_the_base_when_none_is_called_so(
    topics: dict[str, Any], write: Write
) -> None:
    topics["variants"] = [topics["variants"][2], topics["variants"][1]]
    for item in topics["items"]:
        del item["answers"]["base"]
    assert read_comparison(write(topics)).base == "tuned"


def change(document: dict[str, Any], path: str, value: Any) -> None:
    *way, last = path.split("/")
    for step in way:
        document = document[int(step) if step.isdigit() else step]  # type: ignore[index]
    if value is KeyError:
        del document[last]
    else:
        document[last] = value


ANSWER = "items/3/answers/tuned"
EVEN = {"Gold | Metals": 0.3, "Macro": 0.4, "M&A": 0.3}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("labels", ["Macro", "macro."], "labels 'Macro' and 'macro.' are the same but for case"),
        ("labels", ["Macro", " "], "label ' ' is not a text"),
        ("labels", ["Macro"], "1 label; a label set has at least two"),
        ("items/3/reference", "Macros", "unknown label 'Macros'. Did you mean 'Macro'?"),
        ("items/3/reference", None, "'reference' is missing; the file has 'labels'"),
        (f"{ANSWER}/label", "macro", "'label': unknown label 'macro'. Did you mean 'Macro'?"),
        (f"{ANSWER}/label", "M&A", "'label' is 'M&A'; expected the most probable one, 'Macro'"),
        (f"{ANSWER}/label", None, "'label' is none; expected the most probable one, 'Macro'"),
        (f"{ANSWER}/label_probabilities", {**EVEN, "x": 0}, "unknown label 'x'"),
        (f"{ANSWER}/label_probabilities", {"Macro": 1}, "'Gold | Metals' is missing"),
        (f"{ANSWER}/label_probabilities", {**EVEN, "M&A": 0.31}, "sum to 1.01; expected 1"),
        (f"{ANSWER}/label_probabilities", {**EVEN, "M&A": -0.3}, "'M&A' is -0.3; expected a prob"),
        (f"{ANSWER}/label_probabilities", {**EVEN, "M&A": True}, "'M&A' is True; expected a prob"),
    ],
)
def test_fault_is_named_with_file_and_item(
    path: str, value: Any, message: str, topics: dict[str, Any], write: Write
) -> None:
    change(topics, path, value)
    file = write(topics)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read_comparison(file)
    assert str(file) in str(caught.value)
    if path.startswith("items"):
        assert "item 3 (id 'q3')" in str(caught.value)


def test_not_a_number_is_no_probability(topics: dict[str, Any], write: Write) -> None:
    change(topics, f"{ANSWER}/label_probabilities", {**EVEN, "M&A": float("nan")})
    with pytest.raises(InputError, match="'M&A' is nan; expected a probability"):
        read_comparison(write(topics))


def test_text_may_be_missing_only_beside_a_label(topics: dict[str, Any], write: Write) -> None:
    for key in ("label", "label_probabilities"):
        change(topics, f"items/3/answers/majority/{key}", KeyError)
    with pytest.raises(InputError, match=r"answers\['majority'\]: missing key 'text'"):
        read_comparison(write(topics))


def test_rounded_probabilities_are_accepted(topics: dict[str, Any], write: Write) -> None:
    change(topics, f"{ANSWER}/label_probabilities", {**EVEN, "M&A": 0.3004})
    read_comparison(write(topics))


def test_labels_are_scored_for_all_items_or_none(topics: dict[str, Any], write: Write) -> None:
    for key in ("label", "label_probabilities"):
        change(topics, f"{ANSWER}/{key}", KeyError)
    with pytest.raises(InputError, match="'tuned' has 'label' in item 'q0' but not in item 'q3'"):
        read_comparisons([write(topics)])


def test_files_of_different_labels_are_not_joined(topics: dict[str, Any], write: Write) -> None:
    other = copy.deepcopy(topics)
    other["labels"] = [*other["labels"], "Politics"]
    for number, item in enumerate(other["items"]):
        item["id"] = f"other-{number}"
        for answer in item["answers"].values():
            answer["label_probabilities"]["Politics"] = 0
    with pytest.raises(InputError, match="different label sets"):
        read_comparisons([write(topics), write(other, "other.json")])
