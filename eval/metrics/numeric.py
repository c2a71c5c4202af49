"""Numeric match: does the answer give the right number, written or executed?"""

from __future__ import annotations

from tuneproof.numbers import agrees, find_number, gives, parse_number


def numeric_match(prediction: str, reference: str) -> float | None:
    """Return 1 when the answer's number is the reference's, otherwise 0; None for a text reference.

    Range {0, 1}, higher is better. Only references that are one number and nothing else are scored:
    an optional sign or accounting brackets, a currency sign, thousands separators, and a percent
    sign or a word such as `million`. Which of an answer's numbers counts is told by
    `core.numbers.find_number`, how exact it must be by `core.numbers.agrees`. An answer without a
    number, hence an empty one, scores 0. Source: Chen et al., 2021 (FinQA's execution accuracy, on
    text instead of programs).
    """
    target = parse_number(reference)
    if target is None:
        return None
    answer = find_number(prediction)
    return 0.0 if answer is None else float(agrees(answer, target))


def executed_match(prediction: str, reference: str, executed: str) -> float:
    """Return 1 when the answer is what the source's program comes to, otherwise 0.

    Range {0, 1}, higher is better. A number must be the executed one to the digits, and in the
    unit, in which the reference is written (`core.numbers.agrees_with_value`); where the reference
    is no number, to four significant digits. Where the program says yes or no, the first such word
    of the answer must be that. An empty answer scores 0. Source: Chen et al., 2021 (execution
    accuracy).

    Args:
        prediction: The answer.
        reference: The answer as the source has it written.
        executed: What the program comes to: a number, ``yes`` or ``no``.
    """
    return float(gives(prediction, executed, reference))
