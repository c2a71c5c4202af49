"""The smaller sources: one upstream row of each."""

from __future__ import annotations

from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.prepdata.near.comparing import SamenessRule, Texts
from tuneproof.prepdata.sources import complaints, dolly, imdb, sample, twitter_topics
from tuneproof.prepdata.sources.rows import Row


def row(**values: Any) -> Row:
    return Row(values, "file:1", None)


def mapped(found: Example | str) -> Example:
    assert isinstance(found, Example)
    return found


def test_dolly_questions_about_one_context_are_one_group() -> None:
    one = dolly.record(row(instruction="Who?", context="A text.", response="He."))
    two = dolly.record(row(instruction="When?", context="A text.", response="Then."))
    assert one.group == two.group
    assert one.id != two.id
    assert (one.instruction, one.input, one.output) == ("Who?", "A text.", "He.")


def test_dolly_row_without_context_is_its_own_group() -> None:
    assert dolly.record(row(instruction="Who?", context="", response="He.")).group == "Who?"


def test_complaint_without_narrative_is_left_out() -> None:
    values = {"Product": "Mortgage", "Complaint ID": "7"}
    empty = row(**values, **{"Consumer complaint narrative": ""})
    assert complaints.record(empty) == "no narrative"
    found = mapped(complaints.record(row(**values, **{"Consumer complaint narrative": "Help."})))
    assert (found.id, found.input, found.output) == ("complaints-7", "Help.", "Mortgage")


def test_imdb_line_breaks_and_labels_become_text() -> None:
    found = mapped(imdb.record(row(text="Good.<br /><br />Very.", label=1)))
    assert (found.input, found.output) == ("Good.\nVery.", "positive")
    assert mapped(imdb.record(row(text="Bad.", label="negative"))).output == "negative"


def test_imdb_review_without_label_is_left_out() -> None:
    assert imdb.record(row(text="Good.", label=-1)) == "no label"


def test_twitter_label_numbers_become_names() -> None:
    found = twitter_topics.record(row(text="M&amp;A  now", label=13))
    assert (found.input, found.output) == ("M&A now", "M&A | Investments")
    assert twitter_topics.record(row(text="x", label="Dividend")).output == "Dividend"


def test_twitter_links_are_left_out_but_part_of_the_id() -> None:
    one, other = (
        mapped(twitter_topics.record(row(text=f"Oil up https://t.co/{end} today", label=6)))
        for end in ("aB3", "Zz9")
    )
    assert one.input == other.input == "Oil up today"
    assert one.id != other.id
    only = mapped(twitter_topics.record(row(text="https://t.co/aB3", label=6)))
    assert only.input == "https://t.co/aB3"


@pytest.mark.parametrize("source", [imdb, twitter_topics])
def test_unknown_label_is_an_input_error(source: Any) -> None:
    with pytest.raises(InputError, match="file:1: label '20' is none of"):
        source.record(row(text="x", label=20))


def test_sample_rows_are_distinct_and_always_the_same() -> None:
    rows = [dict(found.values) for found in sample.rows()]
    assert rows == [dict(found.values) for found in sample.rows()]
    assert len({(one["instruction"], one["context"]) for one in rows}) == sample.ROWS


def test_sample_answers_are_right() -> None:
    for found in sample.rows():
        record = sample.record(found)
        first, last = record.instruction.split()[0], record.instruction.split()[-1].strip("?.")
        if first == "In":
            city = record.output.rstrip(".").split()[-1]
            assert f"lives in {city} and" in record.input
        elif record.instruction.startswith("How much"):
            goods = record.instruction.split()[4]
            assert f"{goods} | {record.output.split()[-2]}" in record.input
        elif first == "List":
            assert last not in record.output
            assert len(record.output.split("\n")) == 3
        assert record.output


def test_sample_rows_are_mostly_unlike_each_other() -> None:
    texts = [Texts(r.instruction, r.input, r.output) for r in map(sample.record, sample.rows())]
    compare = SamenessRule().are_near
    near = sum(any(compare(one, two) for two in texts[:n]) for n, one in enumerate(texts[:300]))
    assert near < 300 / 5
