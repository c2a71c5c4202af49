"""Whether references and answers stand at the item they belong to, or at another one.

A text fits an item by the rare words that it shares with the question and with the other answers
(TF-IDF, cosine). One that fits another item better, when that item's own text does not fit it
either, is displaced; several that could change places in a ring, or a whole file that fits better
one item further on, are no accident.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuneproof.eval.checks.advice import COMPARISON
from tuneproof.eval.checks.answers import COMMON, SEVERAL
from tuneproof.eval.checks.content import severity_of
from tuneproof.eval.stats.exact import sign_p
from tuneproof.finding import Finding, finding, share
from tuneproof.formats.comparison import Comparison

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

FITS = 0.2
"""Least cosine with which a text fits an item."""
WORSE = 0.5
"""How much of that its own place may reach at most."""
CHAINED = 0.03
"""Share of items from which texts are displaced that could move on from item to item. With fewer
they must form a ring: two that could change places, or more."""
TERMS = 3
"""Words of a text below which it may fit by chance, as numbers do; the share is then `COMMON`."""
MOST_ITEMS = 2000
"""Items that are looked at, from the first: every pair of them is compared."""
FEWEST_ITEMS = 10
"""Items that "rare words" needs to mean anything."""
OFFSETS = (1, -1, 2, -2, 3, -3)
"""By how many places a file may be shifted."""
P_SHIFTED = 1e-6
"""A file is shifted where chance would so seldom let so many items fit better further on."""
QUESTIONS, REFERENCES = "the questions", "the references"
Terms = frozenset[str]
_TERM = re.compile(r"\d[\d.,]*\d|[\u3040-\u30ff\u3400-\u9fff]+|[^\W\d_]+|\d")


@dataclass(frozen=True, kw_only=True)
class Displaced:
    """Texts of one column, such as the references, that belong to other items."""

    column: str
    moves: dict[int, int]
    """Number of an item -> number of the one whose text belongs to it."""
    offset: int | None = None
    """By how many items the whole file is shifted, where it is."""


def check_pairing(comparison: Comparison) -> Iterator[Finding]:
    """Yield references and answers that belong to other items."""
    if len(comparison.items) < FEWEST_ITEMS:
        return
    if comparison.labels is not None:
        yield from _shifted_labels(comparison)
        return
    items = comparison.items[:MOST_ITEMS]
    texts = {
        QUESTIONS: [f"{item.instruction}\n{item.input}" for item in items],
        REFERENCES: [item.output for item in items],
        **{name: [item.answers[name].text or "" for item in items] for name in comparison.names},
    }
    columns = {name: [frozenset(terms(text)) for text in column] for name, column in texts.items()}
    explained: set[int] = set()
    for one in sorted(
        (displaced(name, columns) for name in columns if name != QUESTIONS),
        key=lambda one_move: -len(one_move.moves),
    ):
        left = {here: there for here, there in one.moves.items() if here not in explained}
        if len(left) < max(2, len(one.moves) / 2):
            continue
        explained |= one.moves.keys() | set(one.moves.values())
        yield _finding(comparison, one, len(items))


def displaced(name: str, columns: Mapping[str, Sequence[Terms]]) -> Displaced:
    """Return which texts of a column belong to other items, by what the other columns say."""
    texts = columns[name]
    fits = _fits([column for other, column in columns.items() if other != name], texts)
    known = Counter(texts)
    claims = _claims(fits, [known[text] == 1 for text in texts])
    moves = {here: there for here, there in claims.items() if there in claims}
    short = sum(len(texts[there]) < TERMS for there in moves.values())
    least = COMMON if 2 * short > len(moves) else CHAINED
    if len(moves) < max(SEVERAL, least * len(texts)):
        ring = _in_rings(moves)
        moves = {here: there for here, there in moves.items() if here in ring}
    return Displaced(column=name, moves=moves, offset=_offset(fits))


def _fits(sources: Sequence[Sequence[Terms]], texts: Sequence[Terms]) -> Matrix:
    """Return (items, items) how well the text of one item fits another, in [0, 1]."""
    import numpy as np
    from scipy.sparse import csr_matrix

    known: Counter[str] = Counter(term for text in texts for term in text)
    usual = max(2, len(texts) // 4)
    numbers = {term: n for n, term in enumerate(t for t, c in known.items() if c <= usual)}
    weights = np.array([np.log(len(texts) / known[term]) for term in numbers], np.float32)

    def matrix(column: Sequence[Terms]) -> Any:
        rare = [[numbers[term] for term in text if term in numbers] for text in column]
        rows = np.repeat(np.arange(len(column)), [len(part) for part in rare])
        terms_ = np.array([number for part in rare for number in part], dtype=np.int64)
        values = weights[terms_]
        norms = np.sqrt(np.bincount(rows, values**2, minlength=len(column)))
        values = (values / np.maximum(norms[rows], 1e-9)).astype(np.float32)
        return csr_matrix((values, (rows, terms_)), shape=(len(column), len(numbers)))

    best = np.zeros((len(texts), len(texts)), np.float32)
    if numbers:
        target = matrix(texts).T.tocsr()
        for column in sources:
            np.maximum(best, (matrix(column) @ target).toarray(), out=best)
    return best


def terms(text: str) -> list[str]:
    """Return words, numbers as they are written, and pairs of Chinese or Japanese characters."""
    pieces: list[str] = _TERM.findall(text.casefold())
    if text.isascii():
        return pieces
    quoted_pieces: list[str] = []
    for piece in pieces:
        if "\u3040" <= piece[0] <= "\u9fff":
            quoted_pieces += [piece[n : n + 2] for n in range(max(1, len(piece) - 1))]
        else:
            quoted_pieces.append(piece)
    return quoted_pieces


def _claims(fits: Matrix, unique: Sequence[bool]) -> dict[int, int]:
    """Return item -> the item whose text, which is `unique`, fits it better; both sides agree."""
    import numpy as np

    own = np.diag(fits)
    best, wanted_by = fits.argmax(axis=1), fits.argmax(axis=0)
    claims = {}
    for here, there in enumerate(best):
        value = fits[here, there]
        if (
            here != there
            and unique[there]
            and value >= FITS
            and wanted_by[there] == here
            and own[here] <= WORSE * value
            and own[there] <= WORSE * value
        ):
            claims[here] = int(there)
    return claims


def _in_rings(claims: dict[int, int]) -> set[int]:
    """Return the items that could change places in a ring: 1 has the text of 2, and so on to 1."""
    rings: set[int] = set()
    for start in claims:
        path, here = [start], claims[start]
        while here in claims and here != start and here not in path:
            path.append(here)
            here = claims[here]
        if here == start:
            rings.update(path)
    return rings


def _offset(fits: Matrix) -> int | None:
    """Return by how many places all texts would fit better, or None where they do not."""
    import numpy as np

    own = np.diag(fits)
    for offset in OFFSETS:
        moved = np.array([fits[n, (n + offset) % len(own)] for n in range(len(own))])
        if _is_surer(int((moved > own).sum()), int((moved < own).sum())):
            return offset
    return None


def _is_surer(won: int, lost: int) -> bool:
    return won > 2 * lost and sign_p(won, lost) < P_SHIFTED


def _finding(comparison: Comparison, one: Displaced, total: int) -> Finding:
    code = "references-displaced" if one.column == REFERENCES else "answers-displaced"
    ids = [item.id for item in comparison.items]
    moved = sorted((there, here) for here, there in one.moves.items())
    pairs = "".join(f"; {ids[number]} has that of {ids[owner]}" for number, owner in moved[:3])
    count, shifted = len(one.moves), ""
    if one.offset is not None:
        way = "before" if one.offset > 0 else "further on"
        count, shifted = total, f"; each item has that of the one {abs(one.offset)} {way}"
    return finding(
        COMPARISON,
        code,
        f"{one.column}: {share(count, total)} seem to belong to other items{shifted}{pairs}",
        severity=severity_of(code, count, total),
        of_base=one.column == comparison.base,
        run=one.column,
    )


def _shifted_labels(comparison: Comparison) -> Iterator[Finding]:
    """Name a file whose right labels fit the given ones some items further on."""
    right = [item.output for item in comparison.items]
    for name in comparison.names:
        given = [item.answers[name].label for item in comparison.items]
        if name in comparison.baselines or None in given:
            continue
        own = [a == b for a, b in zip(given, right, strict=True)]
        for offset in OFFSETS:
            moved = [label == right[(n + offset) % len(right)] for n, label in enumerate(given)]
            won = sum(m > o for m, o in zip(moved, own, strict=True))
            if _is_surer(won, sum(m < o for m, o in zip(moved, own, strict=True))):
                yield finding(
                    COMPARISON,
                    "references-displaced",
                    f"the labels of {name} are right for {share(sum(moved), len(moved))} items "
                    f"with the reference {abs(offset)} item(s) "
                    f"{'further on' if offset > 0 else 'back'}, and for {sum(own):,} as they are",
                    run=name,
                )
                return
