"""The card of the embedded model, written from what its training recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneproof.files import read_json, write_text

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
near-duplicate of one; no prompt template; no label of a classification task. Muon and AdamW,
8,192 tokens a step, bfloat16 autocast; stored in float16. The script ran for

{stages}

## Terms

The weights come with the project, under Apache-2.0 as far as the project can grant it. The texts
keep terms of their own: Dolly asks for attribution and sharing alike (CC BY-SA 3.0), IMDB states no
licence and was published for research, the others are MIT or public domain. Where that matters,
name another model (`--model`), or train `tiny` anew on sources of your choice: the commands stand
at the top of `tiny/train.py`.

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
    scores, stages = training["held_out_bits_per_byte"], training["stages"]
    tokens = sum(stage["tokens_seen"] for stage in stages)
    return CARD.format(
        parameters=parameters / 1e6,
        layers=config["n_layer"],
        width=config["n_embd"],
        heads=config["n_head"],
        vocabulary=config["vocab_size"],
        context=config["n_positions"],
        tokens=tokens,
        passes=tokens / training["tokens_in_corpus"],
        stages="\n".join(map(stage_text, stages)),
        scores="\n".join(f"| {text} | {scores[name]:.2f} |" for name, text in DOMAINS.items()),
    )


def stage_text(stage: dict[str, Any]) -> str:
    """Return a line of a list about one run of the script."""
    objective = "next-token cross-entropy"
    if stage["unlikelihood"]:
        objective += f" and {stage['unlikelihood']:g} of the unlikelihood of repeated tokens"
    return f"- {stage['steps']:,} steps, seed {stage['seed']}, on {objective}"


def write_card(folder: Path, parameters: int) -> None:
    """Write README.md into the folder of the weights."""
    training, config = read_json(folder / "training.json"), read_json(folder / "config.json")
    write_text(folder / "README.md", card(training, config, parameters))
