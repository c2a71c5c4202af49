"""Whether what is served answers as what was measured: a run beside its merged or GGUF form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tuneproof.errors import InputError, unknown
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.metrics.registry import METRICS, unit_of
from tuneproof.eval.report import wording
from tuneproof.eval.score import score
from tuneproof.eval.stats.estimates import estimate_all, judge_parts
from tuneproof.eval.stats.primary import primary_of
from tuneproof.eval.stats.verdicts import Difference
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.figures import Gain
from tuneproof.formats.joined import read_comparisons
from tuneproof.formats.run_names import is_form_of
from tuneproof.formats.variant import Variant

MARGIN = 0.02
"""The difference that is too small to matter, where none is named: two points of 100."""
Judgement = Literal["the same", "not shown to be the same", "different"]


@dataclass(frozen=True, kw_only=True)
class Sameness:
    """A served form of a run beside the run."""

    name: str
    """The variant that is served."""
    items: int
    """Prompts that both answered."""
    same_answers: int
    """Answers that are the same, text and label."""
    asked: tuple[str, ...]
    """What differs in how the two were asked; empty where nothing does."""
    metric: str
    """What decides."""
    unit: str
    """Its unit."""
    margin: float
    """The difference that is too small to matter."""
    gain: Gain | None
    """Served minus run; None where all answers are the same, so that nothing is to be tested."""

    @property
    def verdict(self) -> Judgement:
        """The verdict, by two one-sided tests."""
        if self.gain is None:
            return "the same"
        if self.gain.equivalence is not None and self.gain.equivalence.same:
            return "the same"
        is_called = self.gain.verdict in ("better", "worse", "different")
        return "different" if is_called else "not shown to be the same"

    @property
    def holds(self) -> bool:
        """Whether it was asked alike and is shown to be the same."""
        return self.verdict == "the same" and not self.asked

    def lines(self, run: str) -> list[str]:
        """Return the verdict in words."""
        within = wording.amount(self.margin, self.unit)
        title = METRICS[self.metric].title
        answers = f"{self.same_answers} of {self.items} answers are the same"
        head = f"{self.name} and {run}: {self.verdict} within {within} of {title}; {answers}"
        lines = [head, *(f"  asked otherwise: {one}" for one in self.asked)]
        if self.gain is not None:
            lines.insert(1, f"  {title} {wording.bounded_change(self.gain, self.unit)}")
            equivalence = self.gain.equivalence
            if self.verdict == "not shown to be the same" and equivalence and equivalence.items:
                lines.insert(2, f"  equal variants need about {equivalence.items:,} prompts")
        return lines


def compare_served(
    path: Path, run: str, config: ReportConfig, variants: Sequence[str] = ()
) -> list[Sameness]:
    """Judge whether served forms of a run are the same as the run.

    Args:
        path: A comparison file.
        run: The variant that was measured.
        config: Settings of the statistics; without a margin it is two points of 100.
        variants: What is served; by default all that say so, or whose name begins with the run's.

    Raises:
        InputError: There is no such variant, or nothing that is served.
    """
    comparison = read_comparisons([path])
    known = {one.name: one for one in comparison.variants}
    for name in (run, *variants):
        if name not in known:
            raise unknown("variant", name, known)
    named = list(variants) or [one.name for one in known.values() if _serves(one, run)]
    if not named:
        raise InputError(
            f"{path}: no variant is a served form of {run!r}; compare one by `infer compare --run "
            f"{run} --merged {run}`, `--gguf FILE` or `--endpoint {run}-server=URL`"
        )
    config = config if config.margin is not None else replace(config, margin=MARGIN)
    return [_judged(comparison, known[run], known[name], config) for name in named]


def _serves(one: Variant, run: str) -> bool:
    serves = one.details.get("serves")
    if isinstance(serves, Mapping):
        return serves.get("run") == run
    is_other = one.is_merged or one.details.get("kind") in ("model", "endpoint")
    return is_other and is_form_of(one.name, run)


def _judged(
    comparison: Comparison, run: Variant, served: Variant, config: ReportConfig
) -> Sameness:
    """Return the verdict on one served form."""
    items = tuple(
        replace(item, answers={name: item.answers[name] for name in (run.name, served.name)})
        for item in comparison.items
        if {run.name, served.name} <= item.answers.keys()
    )
    two = replace(
        comparison,
        variants=(Variant(name=run.name, details={"kind": "base"}), Variant(name=served.name)),
        items=items,
    )
    scores = score(two)
    primary = primary_of(two, scores, config)
    if primary is None:
        raise InputError("no metric has a value: the prompts have no references")
    parts = {served.name: (estimate_all(two, scores, config), served.name)}
    judged = judge_parts(parts, config, scores.length_unit, primary)
    texts = [(item.answers[run.name], item.answers[served.name]) for item in items]
    same = sum(_answer(one) == _answer(other) for one, other in texts)
    gain = judged.get(Difference("", served.name, primary))
    if gain is None and same < len(items):
        raise InputError(
            f"no item has a value of {METRICS[primary].title} for both {run.name!r} and "
            f"{served.name!r}; give the prompts references, or ask both anew"
        )
    assert config.margin is not None
    return Sameness(
        name=served.name,
        items=len(items),
        same_answers=same,
        asked=tuple(_asked_otherwise(run, served, has_failed=bool(comparison.failed))),
        metric=primary,
        unit=unit_of(primary, scores.length_unit),
        margin=config.margin,
        gain=None if same == len(items) else gain,
    )


def _answer(answer: Any) -> Any:
    """Return what an answer is: its text and its label, of which one may be missing."""
    return answer.text, answer.label


def _asked_otherwise(run: Variant, served: Variant, *, has_failed: bool) -> list[str]:
    """Return what differs in prompts, special tokens and stops, as far as the file says.

    Where prompts failed, the mean length of a server's is of others than the run's.
    """
    lines = []
    serves = served.details.get("serves")
    if isinstance(serves, Mapping):
        prompts, same = serves.get("prompts"), serves.get("same_prompts")
        if prompts != same:
            first = serves.get("first_difference")
            lines.append(f"only {same} of {prompts} prompts are the same tokens; first: {first}")
        for stop in serves.get("stops_missing") or ():
            lines.append(f"{stop!r} ends no answer")
    ours, theirs = run.number("prompt_tokens"), served.number("prompt_tokens")
    if not has_failed and ours is not None and theirs is not None and ours != theirs:
        lines.append(f"a prompt has {theirs:g} tokens in the mean, and the run's {ours:g}")
    return lines
