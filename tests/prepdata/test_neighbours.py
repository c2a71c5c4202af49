from __future__ import annotations

import random

from tuneproof.prepdata.neighbours import Neighbours


def text(words: int, seed: int) -> str:
    draw = random.Random(seed)
    return " ".join("".join(draw.choices("abcdefgh", k=6)) for _ in range(words))


def test_near_texts_are_found_under_the_numbers_that_were_added() -> None:
    texts = [text(40, number) for number in range(300)]
    index = Neighbours([*texts, *(f"{each} more" for each in texts)])
    for number in range(0, 300, 2):
        index.add(number)
    index.look_up(range(300, 600))
    for number in range(300):
        assert [*index.near(number + 300)] == ([] if number % 2 else [number])


def test_texts_of_one_block_are_found_as_soon_as_they_are_added_and_later_too() -> None:
    index = Neighbours([text(40, 0), f"{text(40, 0)} more", text(40, 1), f"{text(40, 0)} again"])
    index.look_up([0, 1, 2])
    assert [*index.near(0)] == []
    index.add(0)
    assert [*index.near(1)] == [0]
    assert [*index.near(2)] == []
    index.look_up([3])
    assert [*index.near(3)] == [0]  # and not 1, which was looked up only


def test_same_texts_are_each_other_s_neighbours_under_all_their_numbers() -> None:
    index = Neighbours(["what is 3", "other", "what is 3", "what is 3"])
    index.look_up([0])
    index.add(0)
    index.look_up([2])
    index.add(2)
    index.look_up([3])
    assert sorted(index.near(3)) == [0, 2]


def test_many_near_texts_are_all_found() -> None:
    known = text(60, 0)
    index = Neighbours(f"{known} {number}" for number in range(120))
    for start in range(0, 120, 40):
        index.look_up(range(start, start + 40))
        for number in range(start, start + 40):
            assert sorted(index.near(number)) == list(range(number))
            index.add(number)
