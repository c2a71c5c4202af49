"""Plain text for a terminal: tables and bars."""

from __future__ import annotations

from collections.abc import Sequence

BAR_WIDTH = 40


def table(rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return rows as aligned columns, the first `left` of them flush left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def bars(counts: Sequence[tuple[str, int]]) -> str:
    """Return one line per name: the count, and a bar as long as its part of the largest count."""
    most = max((count for _, count in counts), default=0) or 1
    rows = [(name, f"{count:,}", bar(count, most)) for name, count in counts]
    wide = max((len(name) for name, _, _ in rows), default=0)
    high = max((len(count) for _, count, _ in rows), default=0)
    lines = [f"{name:{wide}}  {count:>{high}}  {drawn}".rstrip() for name, count, drawn in rows]
    return "\n".join(lines)


def one_line(text: str, width: int = 90) -> str:
    """Return the text's beginning on one line."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 4].rstrip() + " ..."


def indented(text: str) -> str:
    """Return the text with every line set in by two spaces."""
    return "\n".join(f"  {line}".rstrip() for line in text.split("\n"))


def bar(count: int, most: int) -> str:
    """Return a bar of `BAR_WIDTH` for `most`, shorter for less; whatever is not nothing shows."""
    return "#" * max(1, round(count / most * BAR_WIDTH)) if count else ""
