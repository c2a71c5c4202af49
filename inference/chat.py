"""Trying a run by hand: every line typed is answered by the base and by the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tuneproof.formats.example import Example
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
        example = Example(id=f"line-{number}", task="chat", instruction=line, group="chat")
        answers: dict[str, Answer] = {}
        for variants in loaded:
            asked = {
                name: variants.ask(name, example, decoding.max_new_tokens)
                for name in variants.names
            }
            ids = {name: encoded.prompt_ids for name, encoded in asked.items() if encoded}
            if len(ids) < len(asked):
                break
            answers |= answer_batch(variants, [ids], decoding, decoding.seed + number)[0]
        else:
            yield answers
            continue
        yield None
