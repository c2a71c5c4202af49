"""Probes of a loaded run.

Does the adapter do anything, is the head the trained one, and does a question get the same answer
alone as it got in a batch?
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tuneproof.errors import InputError
from tuneproof.finding import Finding, finding, quoted, share
from tuneproof.formats.comparison import Comparison, Item
from tuneproof.formats.example import Example
from tuneproof.formats.run import Head, Run
from tuneproof.tuning.checks.advice import RUN

QUESTION = Example(id="probe", task="probe", instruction="What is a river?", group="probe")
"""What base and tuned are asked; any text would do."""
SAME_LOGITS = 1e-6
"""Logits no farther apart than this are the same: float32 sums differ by about 1e-5."""
ASKED = 5
"""Questions that are answered again, one by one."""
NEW_TOKENS = 32
"""Tokens of each; padding on the wrong side shows in the first."""
HALF_CHARACTER = "\N{REPLACEMENT CHARACTER}"
"""What a character decodes to whose last bytes are in tokens to come."""
DIFFERING = 0.5
"""Share of other answers from which the batch is wrong. A tie in float32 may turn one."""


def check_loaded(run: Run, comparison: Comparison | None) -> Iterator[Finding]:
    """Load a finished run and yield what only the model shows.

    Args:
        run: A finished run.
        comparison: Whose answers are tried again; None leaves that out.
    """
    if run.head is not None:
        yield from _head(run, run.head)
        return
    from tuneproof.inference.variants import load_variants

    try:
        loaded = load_variants([run])
    except InputError as error:
        yield finding(RUN, "adapter-wrong-base", f"{run.name}: {quoted(str(error), 200)}")
        return
    yield from _effect(run, loaded)
    if comparison is not None:
        yield from _batches(run, loaded, comparison)


def _effect(run: Run, loaded: Sequence[Any]) -> Iterator[Finding]:
    """Compare the logits of base and run after one question."""
    import torch

    encoded = loaded[-1].ask(run.name, QUESTION, 1)
    if encoded is None:
        return
    rows = []
    for variants in loaded:
        ids = torch.tensor([encoded.prompt_ids] * len(variants.names), device=variants.model.device)
        with torch.inference_mode():
            logits = variants.model(input_ids=ids, **variants.routed(variants.names)).logits
        rows += [row[-1].float() for row in logits]  # after the whole question
    distance = float((rows[0] - rows[-1]).abs().max())
    if distance <= SAME_LOGITS:
        yield finding(
            RUN,
            "adapter-no-effect",
            f"{run.name}: with and without it the logits differ by at most {distance:.1g}",
        )


def _batches(run: Run, loaded: Sequence[Any], comparison: Comparison) -> Iterator[Finding]:
    """Answer a few questions again, one by one and greedily, and compare with the file."""
    from tuneproof.inference.config import Decoding
    from tuneproof.inference.generate import answer_batch

    recorded = comparison.decoding or {}
    known = [(one, name) for one in loaded for name in one.names if _asks(one, name, comparison)]
    if run.name not in [name for _, name in known] or recorded.get("do_sample", True):
        return  # asked otherwise; sampled, or nobody knows
    limit = min(NEW_TOKENS, recorded.get("max_new_tokens", NEW_TOKENS))
    decoding = Decoding(max_new_tokens=limit)
    differing: dict[str, list[tuple[Item, str]]] = {}
    asked = 0
    for item in _spread(comparison.items):
        if item.truncated:  # how it was shortened depends on all the runs
            continue
        asked += 1
        for variants, name in known:
            encoded = variants.ask(name, item, recorded.get("max_new_tokens", limit))
            if encoded is None:
                continue
            prompt = dict.fromkeys(variants.names, encoded.prompt_ids)  # of one length: no padding
            answer = answer_batch(variants, [prompt], decoding, seed=0)[0][name]
            saved = item.answers[name].text
            if saved is not None and not _agree(saved, answer):
                differing.setdefault(name, []).append((item, answer.text))
    for name, cases in differing.items():
        if len(cases) < max(2, DIFFERING * asked):
            continue
        item, text = cases[0]
        yield finding(
            RUN,
            "batch-differs",
            f"{name}: {share(len(cases), asked)} questions get another answer alone; {item.id}: "
            f"{quoted(text)} instead of {quoted(item.answers[name].text or '')}",
            run=run.name,
        )


def _asks(variants: Any, name: str, comparison: Comparison) -> bool:
    """Return whether a loaded variant is asked as it was for the comparison."""
    variant = comparison.by_name.get(name)
    if variant is None:
        return False
    template = variant.template or comparison.template
    beside = variant.details.keys() & {"shots", "system", "label_sentence"}
    return bool(template == variants.forms[name].template.text) and not beside


def _spread(items: Sequence[Item]) -> list[Item]:
    """Return a few items, from the shortest question to the longest: the short ones are padded."""
    ordered = sorted(items, key=lambda item: len(item.instruction) + len(item.input))
    step = max(1, len(ordered) // ASKED)
    return ordered[::step][:ASKED]


def _agree(saved: str, answer: Any) -> bool:
    """Return whether a recorded answer is the new one, or goes on where that was stopped."""
    if answer.finish_reason == "eos":
        return bool(saved.strip() == answer.text.strip())
    return saved.strip().startswith(answer.text.strip().rstrip(HALF_CHARACTER))


def _head(run: Run, head: Head) -> Iterator[Finding]:
    """Load a classification head; whatever the loader refuses is the finding."""
    from tuneproof.inference.classifier import load_head
    from tuneproof.models.head import head_tensors

    tensors = head.tensors or {}
    same = [name for name, change in tensors.items() if change.before == change.after]
    if same and len(same) == len(tensors):
        yield finding(RUN, "head-untrained", f"{run.name}: {', '.join(same)} is as it began")
    try:
        loaded = load_head(run, head.labels)
    except InputError as error:
        yield finding(RUN, "head-untrained", str(error))
        return
    for name, tensor in head_tensors(loaded.model, head.modules).items():
        if not tensor.is_floating_point():
            yield finding(RUN, "head-quantised", f"{run.name}: {name} is {tensor.dtype}")
