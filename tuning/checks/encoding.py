"""What a run trains on, token by token: the whole answer, its end mark, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tuneproof.finding import Finding, finding, quoted, share
from tuneproof.formats.example import Example
from tuneproof.formats.run import Run
from tuneproof.prompts.fit import IGNORED, completion_ids
from tuneproof.tuning import generate
from tuneproof.tuning.checks.advice import RUN

ENCODED = 64
"""Records that are encoded; a fault of the encoding is in all of them or in none."""


def check_encoding(run: Run, records: Sequence[Example], tokenizer: Any) -> Iterator[Finding]:
    """Encode a few records as the run does, and yield what is wrong with their labels.

    Of a conversation the last answer is looked at.

    Args:
        run: Its template and max_length are used.
        records: The run's training records; the first are encoded.
        tokenizer: The tokenizer of the run's base.
    """
    template = run.template
    if template is None:  # texts are read as they are, and the loss is of the label
        return
    faults: dict[str, list[tuple[Example, list[int]]]] = {
        "eos-not-trained": [], "answer-not-trained": [], "loss-on-prompt": [],
    }  # fmt: skip
    encoded = 0
    for record in records[:ENCODED]:
        rows = generate.encode([record], template, tokenizer, run.max_length, "last").rows
        if not rows:  # too long, which is counted and reported elsewhere
            continue
        encoded += 1
        trained = [label for label in rows[0]["labels"] if label != IGNORED]
        answer = completion_ids(template, tokenizer, record.output)
        if trained[-1:] != answer[-1:]:
            faults["eos-not-trained"].append((record, trained))
        if len(trained) > len(answer):
            faults["loss-on-prompt"].append((record, trained))
        elif len(trained) < len(answer) - 1:
            faults["answer-not-trained"].append((record, trained))
    for code, cases in faults.items():
        if cases:
            record, trained = cases[0]
            end = "begins with" if code == "loss-on-prompt" else "ends with"
            shown = trained[:12] if code == "loss-on-prompt" else trained[-12:]
            yield finding(
                RUN,
                code,
                f"{run.name}: {share(len(cases), encoded)} encoded records; what is trained of "
                f"{record.id} {end} {quoted(tokenizer.decode(shown))}",
                tokens=2 * run.max_length,
            )
