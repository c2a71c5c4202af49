"""Plain text for a terminal: tables, bars, and numbers as people say them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

BAR_WIDTH = 40


def table(rows: Sequence[Sequence[str]], *, left: int | Collection[int] = 1) -> str:
    """Return rows as aligned columns, two spaces apart.

    Args:
        rows: Cells, as many in each row; the first row may be the heads.
        left: The columns that are flush left: so many from the first, or these, counted from 0;
            the others are flush right.
    """
    lefts = range(left) if isinstance(left, int) else left
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if column in lefts else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def bars(counts: Sequence[tuple[str, int]]) -> str:
    """Return one line per name: the count, and a bar as long as its part of the largest count."""
    most = max((count for _, count in counts), default=0)
    return table([(name, f"{n:,}", bar(n, most)) for name, n in counts], left=(0, 2))


def bar(count: int, most: int) -> str:
    """Return a bar of `BAR_WIDTH` for `most`, shorter for less; any count above 0 shows."""
    return "#" * max(1, round(count / most * BAR_WIDTH)) if count else ""


def one_line(text: str, width: int = 90) -> str:
    """Return the text's beginning on one line."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 4].rstrip() + " ..."


def listing(names: Iterable[object], most: int = 20) -> str:
    """Return names for a message, cut where they are long or many; ``nothing`` where are none."""
    listed = [one_line(str(name), 40) for name in names]
    others = [f"and {len(listed) - most} others"] if len(listed) > most else []
    return ", ".join(listed[:most] + others) or "nothing"


def indented(text: str) -> str:
    """Return the text with every line set in by two spaces."""
    return "\n".join(f"  {line}".rstrip() for line in text.split("\n"))


def duration(seconds: float) -> str:
    """Return a time: '42 s', '3.5 min', '2.1 h'."""
    if seconds < 99.5:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.1f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"
