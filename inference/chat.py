"""Trying a run by hand: every line typed is answered by the base and by the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tuneproof.inference.config import Decoding
from tuneproof.inference.generate import Answer, answer_batch
from tuneproof.inference.variants import Variants


def replies(
    loaded: Sequence[Variants], lines: Iterable[str], decoding: Decoding
) -> Iterator[dict[str, Answer] | None]:
    """Yield the answers to each line by variant; None where a line is too long to be asked.

    Every line is asked alone: the runs were trained on single questions.
    """
    for number, line in enumerate(lines):
        encoded = loaded[0].ask(line, "", decoding.max_new_tokens)
        if encoded is None:
            yield None
            continue
        answers: dict[str, Answer] = {}
        for variants in loaded:
            seed = decoding.seed + number
            answers |= answer_batch(variants, [encoded.prompt_ids], decoding, seed)[0]
        yield answers
