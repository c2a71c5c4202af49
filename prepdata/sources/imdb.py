"""IMDB: film reviews, positive or negative.

Hub: stanfordnlp/imdb, no licence stated; for research. One upstream row:

    {"text": "I rented I AM CURIOUS-YELLOW ...<br /><br />...", "label": 0}
"""

from __future__ import annotations

import re

from tuneproof.errors import InputError
from tuneproof.formats.example import Example, content_id
from tuneproof.prepdata.sources.rows import Row

LABELS = ("negative", "positive")
INSTRUCTION = "Is this film review positive or negative?"


def record(row: Row) -> Example | str:
    """Map one row; HTML line breaks become line breaks."""
    row.require("text", "label")
    text = re.sub(r"\s*(<br\s*/?>\s*)+", "\n", row.text("text"))
    name = content_id("imdb", text)
    label = row.text("label")
    if label == "-1":  # the Hub's split "unsupervised"
        return "no label"
    if label not in ("0", "1", *LABELS):
        raise InputError(f"{row.where}: label {label!r} is none of 0 (negative), 1 (positive)")
    return Example(
        id=name,
        task="imdb",
        instruction=INSTRUCTION,
        input=text,
        output=label if label in LABELS else LABELS[int(label)],
        group=name,
    )
