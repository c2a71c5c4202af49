"""Numeric match: does the answer give the right number, written or executed?"""

from __future__ import annotations

from tuneproof.eval.metrics.metric import Metric
from tuneproof.numbers import agrees, find_number, parse_number, states_value


def numeric_match(prediction: str, reference: str) -> float | None:
    """Return 1 when the answer's number is the reference's, otherwise 0; None for a text reference.

    Range {0, 1}, higher is better. Only references that are one number and nothing else are scored:
    an optional sign or accounting brackets, a currency sign, thousands separators, and a percent
    sign or a word such as `million`. `find_number` says which of an answer's numbers counts,
    `agrees` how exact it must be. An answer without a number, hence an empty one, scores 0.
    Source: Chen et al., 2021 (FinQA's execution accuracy, on text instead of programs).
    """
    target = parse_number(reference)
    if target is None:
        return None
    answer = find_number(prediction)
    return 0.0 if answer is None else float(agrees(answer, target))


NUMERIC_MATCH = Metric(
    title="Numeric match",
    function=numeric_match,
    direction="higher",
    unit="share",
    definition="Share of answers whose number is the reference's, to the digits the reference "
    "shows; only for references that are numbers. The answer's number is the first after "
    "'answer is', 'answer:' or '####', otherwise the last in the first line that has one "
    "(a bare year only when alone).",
    source="Chen et al., 2021, FinQA: A Dataset of Numerical Reasoning over Financial Data",
    weakness="A right result that stands elsewhere in the answer is missed. A unit that only "
    "one side has may be missing, so 12.4 and 0.124 both match 12.4%.",
    numeric=True,
)


def executed_match(prediction: str, reference: str, executed: str) -> float:
    """Return 1 when the answer is what the source's program comes to, otherwise 0.

    Range {0, 1}, higher is better. A number must be the executed one to the digits, and in the
    unit, in which the reference is written (`agrees_with_value`); where the reference
    is no number, to four significant digits. Where the program says yes or no, the first such word
    of the answer must be that. An empty answer scores 0. Source: Chen et al., 2021 (execution
    accuracy).

    Args:
        prediction: The answer.
        reference: The answer as the source has it written.
        executed: What the program comes to: a number, ``yes`` or ``no``.
    """
    return float(states_value(prediction, executed, reference))


EXECUTED_MATCH = Metric(
    title="Numeric match, executed",
    function=executed_match,
    task="programs",
    direction="higher",
    unit="share",
    definition="Share of answers that give what the source's program comes to, a number to the "
    "digits and in the unit in which the reference is written (four significant digits where "
    "it is no number), or the program's yes or no; only for items with a program.",
    source="Chen et al., 2021 (execution accuracy)",
    weakness="Some programs answer another question than the reference does; prepdata counts them.",
)
