"""How an answer ends: whether the model stopped by itself, and after how much text."""

from __future__ import annotations

from tuneproof.eval.metrics.metric import Metric


def stop_rate(finish_reason: str) -> float:
    """Return 1 when the model ended its answer itself (``eos``), 0 when the limit cut it.

    Range {0, 1}, higher is better. The text is not looked at: an empty answer that ended by itself
    scores 1. Source: this project.
    """
    return float(finish_reason == "eos")


STOP_RATE = Metric(
    title="Stops by itself",
    function=stop_rate,
    task="any",
    direction="higher",
    unit="share",
    definition="Share of answers that the model ended itself, before the length limit.",
    empty="1 if the model stopped by itself",
    source="tuneproof",
    weakness="Depends on the limit, and a bad answer can stop too.",
)


def length(length: int) -> float:
    """Return the length of the answer in tokens, or in words where tokens were not recorded.

    Range [0, inf), no direction. Tokens are the model's own, without the end mark; words are runs
    between white space, or characters in scripts without spaces (`words.spaced`). An empty answer
    scores 0. Source: this project.
    """
    return float(length)


LENGTH = Metric(
    title="Length",
    function=length,
    task="any",
    direction="none",
    unit="tokens",
    definition="Length of the answer.",
    source="tuneproof",
    weakness="Says nothing of quality; ROUGE and length move together.",
)
