"""Where the time of answering goes, by kind of operation: in batches as usual, and all at once."""

from __future__ import annotations

import time

from benchmarks.decoding import USUAL, new_tokens, ours, questions, variants_of
from benchmarks.operations import times
from benchmarks.profile import Profile, shares
from benchmarks.results import Share
from benchmarks.subjects import Settings, gpt2, records_of, run_on
from tuneproof.inference.variants import Variants

WARM_UP = 4
"""New tokens that are answered first, unseen."""


def measure(settings: Settings) -> list[Share]:
    """Return the profiles from the prompts to the last new tokens."""
    new = new_tokens(settings)
    with gpt2(settings) as model, run_on(model, records_of(["a"] * 8, ["b"] * 8, "Say b.")) as runs:
        variants, ids = variants_of(runs), questions(model, settings)
        return [
            share
            for at_once in sorted({min(USUAL, len(ids)), len(ids)})
            for share in _profiled(variants, ids, new, at_once)
        ]


def _profiled(variants: Variants, ids: list[list[int]], new: int, at_once: int) -> list[Share]:
    """Return the profile of answering with at most so many prompts at once."""
    from torch.profiler import ProfilerActivity, profile

    ours(variants, ids, WARM_UP, at_once)
    began = time.perf_counter()
    ours(variants, ids, new, at_once)
    plain = time.perf_counter() - began
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        began = time.perf_counter()
        ours(variants, ids, new, at_once)
        seconds = time.perf_counter() - began
    found = Profile(seconds=seconds, by_kind=times(profiler.events()))
    work = (
        f"{len(ids)} prompts x base and adapter, at most {at_once} at once, exactly {new} new "
        "tokens each"
    )
    return shares(work, found, f"{plain:.1f} s without the profiler")
