"""The metrics by name: what each needs, which way is better, and what it cannot see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from eval.metrics.echo import echo_rate
from eval.metrics.ending import length, stop_rate
from eval.metrics.numeric import numeric_match
from eval.metrics.repetition import distinct_2, loop_rate, repetition_rate
from eval.metrics.rouge import rouge1, rouge2, rouge_l
from eval.metrics.squad import exact_match, token_f1

Column = Literal["prediction", "reference", "prompt", "finish_reason", "length"]
Direction = Literal["higher", "lower", "none"]
Unit = Literal["score", "share", "tokens", "words"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric: a function of one answer, and what a reader must know of it."""

    title: str
    """The name shown to a reader."""
    function: Callable[..., float | None]
    """Scores one answer from the columns in `needs`, in that order; None where it cannot."""
    needs: tuple[Column, ...]
    """What it reads of an item and its answer."""
    direction: Direction
    """Which way is better."""
    unit: Unit
    """``score`` (0 to 1), ``share`` (of answers or parts, shown in percent) or a length."""
    definition: str
    """One sentence."""
    empty: str
    """What an empty answer scores."""
    source: str
    """The paper it comes from."""
    weakness: str
    """What it gets wrong."""
    numeric: bool = False
    """Whether only references that are numbers are scored."""


_PAIR: tuple[Column, ...] = ("prediction", "reference")
_LIN = "Lin, 2004, ROUGE: A Package for Automatic Evaluation of Summaries"
_SQUAD = "Rajpurkar et al., 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text"

METRICS: dict[str, Metric] = {
    "rougeL": Metric(
        title="ROUGE-L",
        function=rouge_l,
        needs=_PAIR,
        direction="higher",
        unit="score",
        definition="F1 of the longest sequence of words that answer and reference share in order "
        "(lower case, letters and digits only, no stemmer).",
        empty="0",
        source=_LIN,
        weakness="Counts words, not meaning: a right answer in other words scores low, and a "
        "wrong one that copies the reference's phrasing scores high.",
    ),
    "rouge1": Metric(
        title="ROUGE-1",
        function=rouge1,
        needs=_PAIR,
        direction="higher",
        unit="score",
        definition="F1 of the words that answer and reference share, in any order "
        "(same tokens as ROUGE-L).",
        empty="0",
        source=_LIN,
        weakness="Ignores order, and rewards frequent words such as 'the'.",
    ),
    "rouge2": Metric(
        title="ROUGE-2",
        function=rouge2,
        needs=_PAIR,
        direction="higher",
        unit="score",
        definition="F1 of the pairs of neighbouring words that answer and reference share "
        "(same tokens as ROUGE-L).",
        empty="0",
        source=_LIN,
        weakness="Always 0 for an answer or a reference of one word.",
    ),
    "token_f1": Metric(
        title="Token F1",
        function=token_f1,
        needs=_PAIR,
        direction="higher",
        unit="score",
        definition="F1 of the shared words after SQuAD normalisation (lower case, without "
        "punctuation and the articles a, an, the).",
        empty="0",
        source=_SQUAD,
        weakness="Made for short answers; blind to order and negation.",
    ),
    "exact_match": Metric(
        title="Exact match",
        function=exact_match,
        needs=_PAIR,
        direction="higher",
        unit="share",
        definition="Share of answers equal to the reference after SQuAD normalisation.",
        empty="0",
        source=_SQUAD,
        weakness="One word more makes a right answer wrong; without punctuation -3.2 equals 32, "
        "so judge numbers by numeric match.",
    ),
    "numeric_match": Metric(
        title="Numeric match",
        function=numeric_match,
        needs=_PAIR,
        direction="higher",
        unit="share",
        definition="Share of answers whose number is the reference's, to the digits the reference "
        "shows; only for references that are numbers. The answer's number is the first after "
        "'answer is', 'answer:' or '####', otherwise the last in the first line that has one "
        "(a bare year only when alone).",
        empty="0",
        source="Chen et al., 2021, FinQA: A Dataset of Numerical Reasoning over Financial Data",
        weakness="A right result that stands elsewhere in the answer is missed. A unit that only "
        "one side has may be missing, so 12.4 and 0.124 both match 12.4%.",
        numeric=True,
    ),
    "repetition_rate": Metric(
        title="Repeated 4-grams",
        function=repetition_rate,
        needs=("prediction",),
        direction="lower",
        unit="share",
        definition="Share of the answer's runs of four words that repeat an earlier one.",
        empty="0",
        source="Welleck et al., 2020, Neural Text Generation with Unlikelihood Training",
        weakness="Lists and tables repeat legitimately; a very short answer cannot repeat itself.",
    ),
    "loop_rate": Metric(
        title="Ends in a loop",
        function=loop_rate,
        needs=("prediction",),
        direction="lower",
        unit="share",
        definition="Share of answers that end with the same words at least three times in a row, "
        "filling at least twelve words.",
        empty="0",
        source="Holtzman et al., 2020, The Curious Case of Neural Text Degeneration; "
        "the rule is tuneproof's",
        weakness="A loop that changes a word each time, such as a running number, is missed.",
    ),
    "echo_rate": Metric(
        title="Echoes the prompt",
        function=echo_rate,
        needs=("prediction", "prompt"),
        direction="lower",
        unit="share",
        definition="Share of answers that open with a line of the prompt (eight words, or a whole "
        "line of four), hold 24 words of it in a row, or start a line with template words such as "
        "'Input:' or '### Response:'. Copying from the input is not counted.",
        empty="0",
        source="tuneproof",
        weakness="An answer may repeat the question on purpose. Where the prompt contains the "
        "source text, quoting that is counted.",
    ),
    "stop_rate": Metric(
        title="Stops by itself",
        function=stop_rate,
        needs=("finish_reason",),
        direction="higher",
        unit="share",
        definition="Share of answers that the model ended itself, before the length limit.",
        empty="1 if the model stopped by itself",
        source="tuneproof",
        weakness="Depends on the limit, and a bad answer can stop too.",
    ),
    "distinct_2": Metric(
        title="Distinct bigrams",
        function=distinct_2,
        needs=("prediction",),
        direction="none",
        unit="share",
        definition="Distinct pairs of neighbouring words divided by all pairs, per answer.",
        empty="0",
        source="Li et al., 2016, A Diversity-Promoting Objective Function for Neural Conversation "
        "Models",
        weakness="Falls with the length of any text, good or bad: therefore no direction.",
    ),
    "length": Metric(
        title="Length",
        function=length,
        needs=("length",),
        direction="none",
        unit="tokens",
        definition="Length of the answer.",
        empty="0",
        source="tuneproof",
        weakness="Says nothing of quality; ROUGE and length move together.",
    ),
}
"""Every metric, in the order in which reports show them."""
