from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.comparison import read_comparison, write_comparison
from tuneproof.formats.joined import read_comparisons

Write = Callable[..., Path]


def test_everything_in_the_file_arrives(document: dict[str, Any], write: Write) -> None:
    document["items"][0] |= {"group": "page 1", "truncated": True, "input": "some context"}
    found = read_comparison(write(document))
    first = found.items[0]
    assert (first.group, first.truncated, first.input) == ("page 1", True, "some context")
    assert first.answers["base"].tokens == 200
    assert first.answers["base"].finish_reason == "length"
    assert found.variants[1].details["adapter"] == "runs/tuned/adapter"
    assert (found.base, found.tuned) == ("base", ["tuned"])
    assert found.decoding == {"do_sample": False, "max_new_tokens": 200}


def test_what_is_read_is_written_the_same(
    document: dict[str, Any], topics: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    document["variants"][1]["from another program"] = {"kept": [1, None]}
    document["items"][0] |= {"executed": "5", "group": "page 1"}
    for number, written in enumerate((document, topics)):
        path = tmp_path / f"again-{number}.json"
        first = read_comparison(write(written))
        write_comparison(path, first)
        again = json.loads(path.read_text(encoding="utf-8"))
        assert again["variants"] == written["variants"]
        for row, other in zip(again["items"], written["items"], strict=True):
            answers = {name: {"text": None, **a} for name, a in other["answers"].items()}
            assert row["answers"] == answers
        assert {key: again[key] for key in written if key != "items"} == {
            key: value for key, value in written.items() if key != "items"
        }
        second = read_comparison(path)
        assert (second.items, second.variants) == (first.items, first.variants)


def test_details_of_another_type_count_as_unknown(document: dict[str, Any], write: Write) -> None:
    document["variants"][1] |= {"parameters": "many", "training": {"flops": "much", "curve": [5]}}
    variant = read_comparison(write(document)).by_name["tuned"]
    assert variant.parameters.trainable is None
    assert variant.training is not None
    assert (variant.training.flops, variant.training.curve) == (None, ())


def test_first_variant_is_the_base_when_none_is_called_so(
    document: dict[str, Any], write: Write
) -> None:
    document["variants"][0]["name"] = "old"
    for item in document["items"]:
        item["answers"]["old"] = item["answers"].pop("base")
    assert read_comparison(write(document)).base == "old"


def test_base_comes_first_wherever_it_stands(document: dict[str, Any], write: Write) -> None:
    document["variants"].reverse()
    assert read_comparison(write(document)).names == ["base", "tuned"]


def test_blank_reference_is_no_reference(document: dict[str, Any], write: Write) -> None:
    document["items"][0]["reference"] = " \n"
    del document["items"][1]["reference"]
    items = read_comparison(write(document)).items
    assert [item.reference for item in items[:3]] == [None, None, "red green blue"]


def test_half_characters_are_replaced(document: dict[str, Any], write: Write) -> None:
    document["items"][0]["answers"]["base"]["text"] = "half \ud83d"
    assert (
        read_comparison(write(document)).items[0].answers["base"].text
        == "half \N{REPLACEMENT CHARACTER}"
    )


def test_plain_list_is_read(write: Write) -> None:
    rows = [
        {"prompt": "p", "fine_tuned": "new", "regular": "old"},
        {"prompt": "q", "fine_tuned": "", "regular": "", "reference": "r"},
    ]
    found = read_comparison(write(rows, "answers.json"))
    assert found.names == ["base", "fine_tuned"]
    assert found.items[0].answers["base"].text == "old"
    assert found.items[0].answers["fine_tuned"].tokens is None
    assert [item.reference for item in found.items] == [None, "r"]
    assert [item.id for item in found.items] == ["answers-0", "answers-1"]


def bad(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return an edit that puts `value` at a dotted path, or deletes there when it is ``...``."""

    def edit(document: Any) -> None:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in parents:
            document = document[part]
        if value is ...:
            del document[last]
        else:
            document[last] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (bad("schema", ...), "no schema; a comparison says 'tuneproof/comparison@1'"),
        (bad("schema", "other@2"), "schema 'other@2'"),
        (bad("items", []), "'items' is empty"),
        (bad("items", {}), "'items': expected a list, found {}"),
        (bad("items", ...), "missing key 'items'; it has 'schema', "),
        (bad("variants", []), "'variants' is empty"),
        (bad("variants.1.name", "base"), "variants[1]: name 'base' is empty or already taken"),
        (bad("variants.0", "base"), "variants[0]: expected an object, found 'base'"),
        (bad("items.3", None), "item 3: expected an object, found null"),
        (bad("items.3.id", ...), "item 3: missing key 'id'"),
        (bad("items.3.id", 7), "item 3: 'id': expected a text, found 7"),
        (bad("items.3.id", "q2"), "items 2 and 3 have the same id 'q2'"),
        (bad("items.3.prompt", ...), "item 3 (id 'q3'): missing field 'prompt'"),
        (bad("items.3.reference", {}), "(id 'q3'): field 'reference' must be text, found {}"),
        (bad("items.3.truncated", 1), "'truncated': expected true or false, found 1"),
        (bad("items.3.answers.tuned", ...), "(id 'q3'): missing key 'tuned'; it has 'base'"),
        (bad("items.3.answers.tunde", {}), "unknown variant 'tunde'. Did you mean 'tuned'?"),
        (bad("items.3.answers.base.text", None), "answers['base']: 'text': expected a text"),
        (bad("items.3.answers.base.tokens", -1), "tokens is -1; expected 0 or more"),
        (bad("items.3.answers.base.tokens", True), "expected a whole number, found True"),
        (bad("items.3.answers.base.finish_reason", "stop"), "'stop'; expected 'eos' (the model"),
        (bad("decoding", "greedy"), "'decoding': expected an object, found 'greedy'"),
    ],
)
def test_bad_input_names_the_place_the_value_and_the_remedy(
    edit: Callable[[Any], None], message: str, document: dict[str, Any], write: Write
) -> None:
    edit(document)
    path = write(document)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read_comparison(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["text", 5, None, True])
def test_other_json_is_refused(value: Any, write: Write) -> None:
    with pytest.raises(InputError, match="expected a comparison object or a list"):
        read_comparison(write(value))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "the list is empty"),
        (["x"], "item 0: expected an object"),
        ([{"prompt": "p", "regular": "r"}], "item 0: missing key 'fine_tuned'"),
    ],
)
def test_bad_plain_list(rows: list[Any], message: str, write: Write) -> None:
    with pytest.raises(InputError, match=message):
        read_comparison(write(rows))


def test_not_json_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text('{\n "schema": \n')
    with pytest.raises(InputError, match=r"broken\.json:3: not valid JSON"):
        read_comparison(path)


def second(document: dict[str, Any]) -> dict[str, Any]:
    other = copy.deepcopy(document)
    for item in other["items"]:
        item["id"] = f"other-{item['id']}"
    return other


def test_files_are_joined_in_order(document: dict[str, Any], write: Write) -> None:
    paths = [write(document, "a.json"), write(second(document), "b.json")]
    found = read_comparisons(paths)
    assert [item.id for item in found.items][11:13] == ["q11", "other-q0"]
    assert list(found.sources) == paths


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (bad("decoding.max_new_tokens", 64), "decoded differently cannot be scored together"),
        (bad("variants.1.adapter", "runs/b"), "score different models apart"),
        (bad("template", "Q: {{ instruction }}"), "different prompt templates"),
        (bad("items.0.id", "q0"), "item 'q0' is in"),
        (bad("calibrate", "prior"), "calibrate is 'prior', in"),
        (bad("variants.1.template_variables", {"enable_thinking": True}), "score different"),
        (bad("variants.1.training_seed", 7), r"is \{'training_seed': 7\}, in .* score different"),
        (
            bad("variants.0.shots", {"k": 16}),
            r"is \{'shots.k': 16\}, in .* it is",
        ),
    ],
)
def test_files_of_different_experiments_are_refused(
    edit: Callable[[Any], None], message: str, document: dict[str, Any], write: Write
) -> None:
    other = second(document)
    edit(other)
    with pytest.raises(InputError, match=message):
        read_comparisons([write(document, "a.json"), write(other, "b.json")])


def test_what_was_left_out_of_any_file_is_known(document: dict[str, Any], write: Write) -> None:
    other = second(document)
    other["left_out"] = ["other-long"]
    other["too_long_for"] = {"other-long": ["base"]}
    found = read_comparisons([write(document, "a.json"), write(other, "b.json")])
    assert (found.left_out, found.too_long_for) == (("other-long",), {"other-long": ("base",)})


def test_files_with_other_variants_are_refused(document: dict[str, Any], write: Write) -> None:
    plain = [{"prompt": "p", "fine_tuned": "new", "regular": "old"}]
    with pytest.raises(InputError, match="must have the same variants"):
        read_comparisons([write(document, "a.json"), write(plain, "b.json")])


def test_no_file_is_refused() -> None:
    with pytest.raises(InputError, match="no comparison file given"):
        read_comparisons([])


def test_costs_of_several_files_are_those_of_all_their_items(
    document: dict[str, Any], write: Write
) -> None:
    other = second(document)
    other["items"] = other["items"][:4]
    for one, tokens in ((document, 100), (other, 900)):
        one["variants"][0] |= {"prompt_tokens": tokens, "tokens_per_second": 5}
    document["variants"][0]["answer_tokens"] = 7
    found = read_comparisons([write(document, "a.json"), write(other, "b.json")]).variants[0]
    items = len(document["items"])
    assert found.number("prompt_tokens") == pytest.approx(
        (100 * items + 900 * 4) / (items + 4), abs=1e-3
    )
    assert found.number("answer_tokens") is None  # one file does not say
    assert found.number("tokens_per_second") is None
