"""Examples for a question: near to it or drawn, and never what is asked itself."""

from __future__ import annotations

from tuneproof.formats.example import Example
from tuneproof.inference.shots import Shots, choose_nearest, choose_random


def example(name: str, asked: str, answer: str = "x", task: str = "t", group: str = "") -> Example:
    return Example(
        id=name, task=task, instruction="Say it.", input=asked, output=answer, group=group or name
    )


RIVERS = [
    example("a", "the river Po in Italy", "one"),
    example("b", "the price of oil and gas", "two"),
    example("c", "a river in Italy, the Adige", "one"),
    example("d", "bread and butter", "three"),
    example("e", "the river Rhine", "four"),
]


def ids(chosen: dict[str, tuple[Example, ...]], name: str = "q") -> list[str]:
    return [one.id for one in chosen[name]]


def test_nearest_by_words_stands_last() -> None:
    asked = example("q", "which river in Italy is the Adige")
    assert ids(choose_nearest(RIVERS, [asked], 2)) == ["a", "c"]
    assert ids(choose_nearest(RIVERS, [example("q", "oil price")], 1)) == ["b"]
    assert len(ids(choose_nearest(RIVERS, [asked], 9))) == 5


def test_item_itself_its_group_and_its_repeats_are_never_taken() -> None:
    for asked in (
        example("c", "a river in Italy"),
        example("q", "a river in Italy", group="c"),
        example("q", "A RIVER in Italy: the Adige!"),
    ):
        for chosen in (
            choose_nearest(RIVERS, [asked], 5), choose_random(RIVERS, [asked], 5, seed=1)
        ):  # fmt: skip
            assert sorted(ids(chosen, asked.id)) == ["a", "b", "d", "e"]


def test_group_that_is_nearest_of_all_does_not_use_up_the_candidates() -> None:
    many = [example(f"g{n}", "the river Po in Italy", group="g") for n in range(90)]
    asked = example("q", "the river Po in Italy", group="g")
    assert sorted(ids(choose_nearest([*many, *RIVERS], [asked], 5))) == ["b", "c", "d", "e"]


def test_examples_are_of_the_items_own_task_where_there_are_any() -> None:
    others = [example("z", "the river Adige in Italy", task="u")]
    asked = example("q", "what is the Adige")
    assert ids(choose_nearest([*RIVERS, *others], [asked], 1)) == ["c"]
    strange = example("q", "the Adige in Italy", task="prompts")
    assert ids(choose_nearest([*RIVERS, *others], [strange], 1)) == ["z"]


def test_labels_differ_as_far_as_they_can() -> None:
    asked = example("q", "the river in Italy")
    chosen = choose_nearest(RIVERS, [asked], 3, labels=True)["q"]
    assert len({one.output for one in chosen}) == 3
    same = [example(str(n), f"river {n}", "one") for n in range(5)]
    assert len(choose_nearest(same, [asked], 3, labels=True)["q"]) == 3
    drawn = choose_random(RIVERS, [asked], 4, seed=0, labels=True)["q"]
    assert {one.output for one in drawn} == {"one", "two", "three", "four"}


def test_draw_repeats_with_its_seed_and_is_the_same_for_every_question() -> None:
    many = [example(str(n), f"number {n}") for n in range(50)]
    asked = [example("q", "one"), example("r", "two")]
    first, again, other = (choose_random(many, asked, 4, seed=seed) for seed in (1, 1, 2))
    assert ids(first) == ids(again) == ids(first, "r") != ids(other)


def test_texts_without_words_are_compared_by_their_characters() -> None:
    signs = [example(name, text) for name, text in (("a", "+ +"), ("b", "- -"), ("c", "* *"))]
    signs = [Example(id=e.id, task="t", instruction="", input=e.input, output="x", group=e.id)
             for e in signs]  # fmt: skip
    asked = Example(id="q", task="t", instruction="", input="- - -", group="q")
    assert ids(choose_nearest(signs, [asked], 1)) == ["b"]


def test_nothing_to_choose_from() -> None:
    asked = example("q", "river")
    assert choose_nearest([], [asked], 2) == choose_random([], [asked], 2, seed=1) == {"q": ()}
    unanswered = [example("a", "river", answer=" ")]
    assert choose_nearest(unanswered, [asked], 2) == {"q": ()}


def test_how_they_were_chosen_is_recorded() -> None:
    shots = Shots(k=4, by="nearest", seed=None, file="data/train.jsonl", chosen={})
    assert shots.recorded() == {"k": 4, "by": "nearest", "file": "data/train.jsonl"}
    drawn = Shots(k=4, by="random", seed=7, file="f", chosen={})
    assert drawn.recorded() == {"k": 4, "by": "random", "seed": 7, "file": "f"}
