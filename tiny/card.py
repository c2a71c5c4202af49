"""The card of the embedded model, written from what its training recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.files import read_json, write_text

DOMAINS = {
    "imdb": "IMDB reviews",
    "dolly": "Dolly (question, context and answer)",
    "finqa": "FinQA (question, page and answer)",
    "twitter-topics": "financial tweets",
    "complaints": "consumer complaints",
}

CARD = """\
# tiny

A GPT-2 of {parameters:.1f} million parameters ({layers} layers of width {width}, {heads} heads, a
byte-level BPE of {vocabulary:,} tokens, {context:,} tokens of context), trained from nothing by
`tiny/train.py`. It is here so that everything can be tried with no network, in minutes, on two
cores. It continues text and knows little: use it to see the machinery work, not for its answers.

## What it was trained on

{tokens:,} tokens ({passes:.1f} passes) of the training split that `prepdata build` makes of Dolly
(CC BY-SA 3.0), FinQA (MIT), IMDB (for research), Twitter financial news (MIT) and the consumer
complaints (public domain). No row of a validation or test split was among them, nor a
near-duplicate of one; no prompt template; no label of a classification task. Seed {seed},
{steps:,} steps of 8,192 tokens, Muon and AdamW, bfloat16 autocast; stored in float16.

## How well it predicts

Bits per byte of UTF-8 (lower is better) on the validation split, at most 250 records of each,
each cut at {context:,} tokens:

| text | bits per byte |
| --- | --- |
{scores}

Measured by `tiny/train.py` at its end. The script stops by the clock, so another machine gives
other weights; the recipe is what can be repeated.
"""


def card(training: dict[str, Any], config: dict[str, Any], parameters: int) -> str:
    """Return the card's text.

    Args:
        training: What training.json holds.
        config: What config.json holds.
        parameters: How many the model has.
    """
    found = training["held_out_bits_per_byte"]
    return CARD.format(
        parameters=parameters / 1e6,
        layers=config["n_layer"],
        width=config["n_embd"],
        heads=config["n_head"],
        vocabulary=config["vocab_size"],
        context=config["n_positions"],
        tokens=training["tokens_seen"],
        passes=training["tokens_seen"] / training["tokens_in_corpus"],
        seed=training["seed"],
        steps=training["steps"],
        scores="\n".join(f"| {text} | {found[name]:.2f} |" for name, text in DOMAINS.items()),
    )


def write_card(folder: Path, parameters: int) -> None:
    """Write README.md beside the weights."""
    training, config = read_json(folder / "training.json"), read_json(folder / "config.json")
    write_text(folder / "README.md", card(training, config, parameters))
