from __future__ import annotations

from tuneproof.text import BAR_WIDTH, bar, bars, duration, indented, one_line, table


def test_table_sets_the_first_column_left_and_the_others_right() -> None:
    assert table([("name", "rows"), ("a", "1,000")]) == "name   rows\na     1,000"
    assert table([("1", "b", "c"), ("10", "bb", "c")], left=(1,)) == " 1  b   c\n10  bb  c"


def test_bars_are_as_long_as_their_part_of_the_largest() -> None:
    full, half = "#" * BAR_WIDTH, "#" * (BAR_WIDTH // 2)
    assert bars([("a", 10), ("bb", 5), ("c", 0)]) == f"a   10  {full}\nbb   5  {half}\nc    0"
    assert bars([]) == ""


def test_small_count_still_shows() -> None:
    assert bar(1, 10**6) == "#"
    assert bar(0, 10) == ""


def test_long_text_is_cut_to_one_line() -> None:
    assert one_line("a\n b") == "a b"
    cut = one_line("word " * 50, 30)
    assert len(cut) <= 30
    assert cut.endswith(" ...")


def test_indented_leaves_no_space_on_empty_lines() -> None:
    assert indented("a\n\nb") == "  a\n\n  b"


def test_duration_is_short() -> None:
    assert [duration(s) for s in (5, 42.25, 99.5, 5000, 7200)] == [
        "5 s", "42.2 s", "1.7 min", "83.3 min", "2.0 h",
    ]  # fmt: skip
