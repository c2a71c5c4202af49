"""Twitter financial news: tweets with one of 20 topics.

Hub: zeroshot/twitter-financial-news-topic, MIT. One upstream row:

    {"text": "Buy Las Vegas Sands as travel to Singapore builds, Wells Fargo says", "label": 0}
"""

from __future__ import annotations

import html
import re

from tuneproof.errors import InputError
from tuneproof.formats.example import Example, content_id
from tuneproof.prepdata.sources.rows import Row

LABELS = (
    "Analyst Update",
    "Fed | Central Banks",
    "Company | Product News",
    "Treasuries | Corporate Debt",
    "Dividend",
    "Earnings",
    "Energy | Oil",
    "Financials",
    "Currencies",
    "General News | Opinion",
    "Gold | Metals | Materials",
    "IPO",
    "Legal | Regulation",
    "M&A | Investments",
    "Macro",
    "Markets",
    "Politics",
    "Personnel Change",
    "Stock Commentary",
    "Stock Movement",
)
INSTRUCTION = "What is the topic of this financial news tweet?"
SHORT_LINK = re.compile(r"https?://t\.co/\w+")
"""Twitter's own shortener: random letters that say nothing about the topic."""


def record(row: Row) -> Example:
    """Map one row: the label's number becomes its name, shortened links are left out."""
    row.require("text", "label")
    text = " ".join(html.unescape(row.text("text")).split())
    label = row.text("label")
    if label in LABELS:
        topic = label
    elif label.isdecimal() and int(label) < len(LABELS):
        topic = LABELS[int(label)]
    else:
        raise InputError(f"{row.where}: label {label!r} is none of 0 to {len(LABELS) - 1}")
    name = content_id("twitter-topics", text)
    return Example(
        id=name,
        task="twitter-topics",
        instruction=INSTRUCTION,
        input=" ".join(SHORT_LINK.sub("", text).split()) or text,
        output=topic,
        group=name,
    )
