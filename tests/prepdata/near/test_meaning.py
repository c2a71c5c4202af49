from __future__ import annotations

import pytest

from tuneproof.prepdata.near.meaning import meaning_of, names_of, quoted_in, same_meaning


def are_same(one: str, other: str) -> bool:
    return same_meaning(meaning_of(one), meaning_of(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Where is my parcel?", "Hello, could you please tell me where my parcel is? Thanks!"),
        ("How do I reset it?", "What is the way to reset it?"),
        ("Where can I buy a kettle?", "Where can I purchase a kettle?"),
        ("It's 2,500 metres", "it is 2500 metres!"),
        ("There are seven rooms", "There are 7 rooms"),
        ("Is the museum open on Sunday in Oslo?", "In Oslo, is the museum open on Sunday?"),
        ("I don\u2019t know", "I do not know"),
        ("Print the list. Then sort it.", "Then sort it. Print the list."),
    ],
)
def test_questions_that_say_the_same(one: str, other: str) -> None:
    assert are_same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A train from Oslo to Turin", "A train from Turin to Oslo"),
        ("The dog bites the man", "The man bites the dog"),
        ("Is Ann taller than Ben?", "Is Ben taller than Ann?"),
        ("Take 3 from 5", "Take 5 from 3"),
        ("It is open", "It is not open"),
        ("Version 3.5", "Version 35"),
        ("Two of them", "Three of them"),
        ("Who is it?", "When is it?"),
        ("The cat sat with us", "The cat sat without us"),
    ],
)
def test_questions_that_say_something_else(one: str, other: str) -> None:
    assert not are_same(one, other)


def test_frames_alone_are_kept() -> None:
    assert meaning_of("Thank you!").words == ("thank", "you")
    assert not are_same("Thank you!", "Hello!")


def test_names_are_what_has_a_capital_within_a_sentence_or_stands_in_quotes() -> None:
    assert names_of("The fog left Oslo. Then Ann said 'be kind'.") == {"oslo", "ann", "be", "kind"}
    assert quoted_in('Translate "hi" and \u201cbye\u201d, don\'t ask.') == ["hi", "bye"]
