"""Numeric match: does the answer give the right number, written or executed?"""

from __future__ import annotations

from tuneproof.eval.metrics.metric import Metric
from tuneproof.numbers import Number, agrees, find_number, parse_number, states_value, without_dots


def numeric_match(prediction: str, reference: str, decimal_mark: str = "") -> float | None:
    """Return 1 when the answer's number is the reference's, otherwise 0; None where that is open.

    Range {0, 1}, higher is better. Only references that are one number or range and nothing else
    are scored, in the forms that `parse_number` reads. `find_number` says which of an answer's
    numbers counts, `agrees` how exact it must be. An answer without a number, hence an empty one,
    scores 0. Numbers are read in the style of the reference, else in that of all references
    (`decimal_mark`); where neither shows whether 1.234 is a thousand and more, and the match hangs
    on it, there is no value. Source: Chen et al., 2021 (FinQA's execution accuracy, on text instead
    of programs).
    """
    answer, target = read_numbers(prediction, reference, decimal_mark)
    if target is None or is_ambiguous(prediction, reference, decimal_mark):
        return None
    return 0.0 if answer is None else float(agrees(answer, target))


def read_numbers(
    prediction: str, reference: str, decimal_mark: str
) -> tuple[Number | None, Number | None]:
    """Return the number of an answer and that of its reference, both in the reference's style."""
    target = parse_number(reference, decimal_mark)
    mark = decimal_mark if target is None else target.mark or decimal_mark
    return find_number(prediction, mark), target


def is_ambiguous(prediction: str, reference: str, decimal_mark: str) -> bool:
    """Return whether the match hangs on how 1.234 is read, and nothing shows how."""
    answer, target = read_numbers(prediction, reference, decimal_mark)
    if answer is None or target is None or target.mark or decimal_mark:
        return False
    other, wanted = read_numbers(without_dots(prediction), without_dots(reference), "")
    if other is None or wanted is None:
        return False
    return agrees(answer, target) != agrees(other, wanted)


NUMERIC_MATCH = Metric(
    title="Numeric match",
    function=numeric_match,
    direction="higher",
    unit="share",
    definition="Share of answers whose number is the reference's, to the digits the reference "
    "shows and in its style (1.234,50 or 1,234.50); only for references that are numbers or "
    "ranges. The answer's number is the first after "
    "'answer is', 'answer:' or '####', otherwise the last in the first line that has one "
    "(a bare year, and what another is compared with, only when alone). Not scored where the "
    "match hangs on whether 1.234 is a thousand and more, and no reference shows it.",
    source="Chen et al., 2021, FinQA: A Dataset of Numerical Reasoning over Financial Data",
    weakness="A right result that stands elsewhere in the answer is missed. A unit that only "
    "one side has may be missing, so 12.4 and 0.124 both match 12.4%.",
    unread="no item has a number as its reference",
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
