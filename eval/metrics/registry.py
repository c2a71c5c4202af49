"""The metrics by name: what each needs, which way is better, and what it cannot see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tuneproof.eval.metrics.echo import echo_rate
from tuneproof.eval.metrics.ending import length, stop_rate
from tuneproof.eval.metrics.label_sets import (
    calibration_error,
    macro_f1,
    matthews,
    weighted_f1,
    weighted_precision,
    weighted_recall,
)
from tuneproof.eval.metrics.labels import accuracy, brier, free_accuracy, invalid_rate
from tuneproof.eval.metrics.numeric import executed_match, numeric_match
from tuneproof.eval.metrics.repetition import distinct_2, loop_rate, repetition_rate
from tuneproof.eval.metrics.rouge import rouge1, rouge2, rouge_l
from tuneproof.eval.metrics.squad import exact_match, token_f1

Column = Literal[
    "prediction", "reference", "prompt", "finish_reason", "length",
    "label", "label_probabilities", "labels",
    "executed",
    "hits", "predicted", "actual", "gaps", "count",
]  # fmt: skip
"""What a metric may read; the last line stands for a set of items, see `metrics.label_sets`."""
Task = Literal["text", "labels", "programs", "any"]
Direction = Literal["higher", "lower", "none"]
Unit = Literal["score", "share", "tokens", "words"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric: a function of one answer or one set, and what a reader must know of it."""

    title: str
    """The name shown to a reader."""
    function: Callable[..., float | None]
    """Scores one answer from the columns in `needs`, in that order; None where it cannot.
    Where `is_of_a_set`, it scores sets from their counts instead."""
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
    task: Task = "text"
    """Whether it judges free texts, labels of a fixed set, texts whose right answer a program
    gives, or all of them."""

    @property
    def is_of_a_set(self) -> bool:
        """Whether it has no value for one answer, only for a set of them."""
        return bool({"count", "hits"} & set(self.needs))


def metrics_of(*, with_labels: bool, with_programs: bool = False) -> dict[str, Metric]:
    """Return the metrics for a task with a label set, or for one without.

    Those of programs join in where items have programs.

    A label is a few fixed words: overlap with the reference would be accuracy again in a weaker
    form, and an answer that loops or echoes is not a label, so `invalid_rate` counts it already.
    """
    wanted = {"any", "labels" if with_labels else "text"}
    if with_programs and not with_labels:
        wanted.add("programs")
    return {name: metric for name, metric in METRICS.items() if metric.task in wanted}


def unit_of(metric: str, length_unit: str) -> str:
    """Return the unit in which a metric's values are shown; lengths are in `length_unit`."""
    return length_unit if metric == "length" else METRICS[metric].unit


_PAIR: tuple[Column, ...] = ("prediction", "reference")
_COUNTS: tuple[Column, ...] = ("hits", "predicted", "actual")
_NOT_READ = "not read: the label was scored, not generated"
_LIN = "Lin, 2004, ROUGE: A Package for Automatic Evaluation of Summaries"
_SQUAD = "Rajpurkar et al., 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text"

METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        title="Accuracy",
        function=accuracy,
        needs=("label", "reference"),
        task="labels",
        direction="higher",
        unit="share",
        definition="Share of items whose most probable label is the right one.",
        empty=_NOT_READ,
        source="standard",
        weakness="Where one label is frequent, always saying it looks good: see the majority "
        "baseline and macro F1.",
    ),
    "macro_f1": Metric(
        title="Macro F1",
        function=macro_f1,
        needs=_COUNTS,
        task="labels",
        direction="higher",
        unit="score",
        definition="Mean over the labels that occur of F1, the harmonic mean of precision and "
        "recall.",
        empty=_NOT_READ,
        source="Sokolova and Lapalme, 2009, A systematic analysis of performance measures for "
        "classification tasks",
        weakness="A label with three items weighs as much as one with three hundred.",
    ),
    "weighted_f1": Metric(
        title="Weighted F1",
        function=weighted_f1,
        needs=_COUNTS,
        task="labels",
        direction="higher",
        unit="score",
        definition="Mean F1 of the labels, weighted by how often each is right.",
        empty=_NOT_READ,
        source="Sokolova and Lapalme, 2009",
        weakness="Hides rare labels; need not lie between weighted precision and recall.",
    ),
    "weighted_precision": Metric(
        title="Weighted precision",
        function=weighted_precision,
        needs=_COUNTS,
        task="labels",
        direction="higher",
        unit="score",
        definition="Mean precision of the labels, weighted by how often each is right; 0 for one "
        "that is never predicted.",
        empty=_NOT_READ,
        source="Sokolova and Lapalme, 2009",
        weakness="Hides rare labels.",
    ),
    "weighted_recall": Metric(
        title="Weighted recall",
        function=weighted_recall,
        needs=_COUNTS,
        task="labels",
        direction="higher",
        unit="score",
        definition="Mean recall of the labels, weighted by how often each is right.",
        empty=_NOT_READ,
        source="Sokolova and Lapalme, 2009",
        weakness="Equals the accuracy by its algebra; shown because others report it.",
    ),
    "matthews": Metric(
        title="Matthews correlation",
        function=matthews,
        needs=_COUNTS,
        task="labels",
        direction="higher",
        unit="score",
        definition="Correlation between predicted and right labels, from -1 to 1; guessing and "
        "always saying the same label give 0.",
        empty=_NOT_READ,
        source="Gorodkin, 2004, Comparing two K-category assignments by a K-category correlation "
        "coefficient",
        weakness="Says nothing of which labels are confused.",
    ),
    "brier": Metric(
        title="Brier score",
        function=brier,
        needs=("label_probabilities", "reference"),
        task="labels",
        direction="lower",
        unit="score",
        definition="Half the squared distance between the label probabilities and certainty of "
        "the right label; 0 is certain and right, 1 certain and wrong.",
        empty=_NOT_READ,
        source="Brier, 1950, Verification of Forecasts Expressed in Terms of Probability",
        weakness="Mixes being right with knowing how sure to be.",
    ),
    "calibration_error": Metric(
        title="Calibration error",
        function=calibration_error,
        needs=("gaps", "count"),
        task="labels",
        direction="lower",
        unit="score",
        definition="Distance between confidence (the probability of the predicted label) and "
        "accuracy, averaged over 15 bins of equal width (ECE).",
        empty=_NOT_READ,
        source="Guo et al., 2017, On Calibration of Modern Neural Networks",
        weakness="Too high for few items, and low for a model that is equally unsure of "
        "everything.",
    ),
    "free_accuracy": Metric(
        title="Generated accuracy",
        function=free_accuracy,
        needs=("prediction", "reference", "labels"),
        task="labels",
        direction="higher",
        unit="share",
        definition="Share of generated answers that are the right label and nothing else, but for "
        "case, spaces and punctuation around it.",
        empty="0",
        source="tuneproof",
        weakness="A right label inside a sentence is missed.",
    ),
    "invalid_rate": Metric(
        title="Invalid answers",
        function=invalid_rate,
        needs=("prediction", "labels"),
        task="labels",
        direction="lower",
        unit="share",
        definition="Share of generated answers that are none of the labels.",
        empty="1",
        source="tuneproof",
        weakness="A label inside a sentence counts as none.",
    ),
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
    "executed_match": Metric(
        title="Numeric match, executed",
        function=executed_match,
        needs=(*_PAIR, "executed"),
        task="programs",
        direction="higher",
        unit="share",
        definition="Share of answers that give what the source's program comes to, a number to the "
        "digits and in the unit in which the reference is written (four significant digits where "
        "it is no number), or the program's yes or no; only for items with a program.",
        empty="0",
        source="Chen et al., 2021 (execution accuracy)",
        weakness="Some programs answer another question than the reference does; prepdata counts "
        "them.",
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
        task="any",
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
        task="any",
        direction="none",
        unit="tokens",
        definition="Length of the answer.",
        empty="0",
        source="tuneproof",
        weakness="Says nothing of quality; ROUGE and length move together.",
    ),
}
"""Every metric, in the order in which reports show them."""
