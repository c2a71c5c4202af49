"""Where the time of answering goes, by kind of operation: all prompts at once, by two variants."""

from __future__ import annotations

import time

from benchmarks.decoding import new_tokens, ours, questions, variants_of
from benchmarks.operations import times
from benchmarks.profile import Profile, shares
from benchmarks.results import Share
from benchmarks.subjects import Settings, gpt2, records_of, run_on

WARM_UP = 4
"""New tokens that are answered first, unseen."""


def measure(settings: Settings) -> list[Share]:
    """Return the profile of one batch from its prompts to its last new tokens."""
    from torch.profiler import ProfilerActivity, profile

    new = new_tokens(settings)
    with gpt2(settings) as model, run_on(model, records_of(["a"] * 8, ["b"] * 8, "Say b.")) as runs:
        variants, ids = variants_of(runs), questions(model, settings)
        ours(variants, ids, WARM_UP, len(ids))
        began = time.perf_counter()
        ours(variants, ids, new, len(ids))
        plain = time.perf_counter() - began
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            began = time.perf_counter()
            ours(variants, ids, new, len(ids))
            seconds = time.perf_counter() - began
    found = Profile(seconds=seconds, by_kind=times(profiler.events()))
    work = f"{len(ids)} prompts x base and adapter at once, exactly {new} new tokens each"
    return shares(work, found, f"{plain:.1f} s without the profiler")
