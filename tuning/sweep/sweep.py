"""Running a sweep: trial after trial, each an ordinary run, from where an earlier call stopped."""

from __future__ import annotations

import gc
import math
import shutil
from typing import Any

from tuneproof.errors import InputError
from tuneproof.tuning import runs
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.job import Judge, Say
from tuneproof.tuning.sweep import study
from tuneproof.tuning.sweep.config import SweepConfig
from tuneproof.tuning.sweep.identity import definition_of, make_room
from tuneproof.tuning.sweep.lock import alone
from tuneproof.tuning.sweep.outcome import Outcome, metric_of, outcome_of, shown, write
from tuneproof.tuning.sweep.space import size_of

FAILURES = 3
"""So many failed trials, with none that did not fail, end a sweep."""
ALWAYS_TOLD = ("WARNING", "going on from", "stopping after")
"""How those lines of a training begin that are told of every one; others are told of the first."""


def sweep(config: SweepConfig, say: Say, *, is_anew: bool = False) -> Outcome:
    """Try settings until there are as many trials as the plan says, and leave the sweep's files.

    Args:
        config: The settings.
        say: Receives one line of text at a time.
        is_anew: Whether to remove a sweep of the same name, its trials included, and begin again.

    Raises:
        InputError: Data or settings cannot be used, or the folder belongs to another sweep.
        KeyboardInterrupt: Ctrl-C came; the same call goes on from there.
    """
    study.check_installed()
    definition = definition_of(config)
    with alone(config.folder):
        make_room(config, definition, is_anew=is_anew)
        with study.opened(config.folder, config.plan, config.space) as memory:
            memory.begin(definition)
            try:
                _all_trials(config, memory, say)
            except KeyboardInterrupt:
                say(f"{_ended(memory)} trials are done; the same command goes on from there")
                raise
            outcome = outcome_of(config, memory, memory.importance())
            write(outcome)
            return outcome


def _all_trials(config: SweepConfig, memory: study.Study, say: Say) -> None:
    """Try settings until there are enough, or there is nothing left to try."""
    total, size = config.plan.trials, size_of(config.space)
    if size is not None and size <= total:
        total = size
        say(f"the search space holds {size} settings; each is tried once")
    if "model" in config.space and config.plan.metric == "loss":
        say("WARNING: losses can be compared between models with the same tokenizer only")
    tell = say
    while (done := _ended(memory)) < total:
        _one_trial(config, memory, f"trial {done + 1} of {total}", say, tell)
        write(outcome_of(config, memory))
        tell = _brief(say)


def _one_trial(config: SweepConfig, memory: study.Study, head: str, say: Say, tell: Say) -> None:
    """Begin a trial or go on with the one that was interrupted, and keep what became of it.

    Args:
        config: The sweep's settings.
        memory: What is known of the trials.
        head: Says which trial it is.
        say: Receives the lines about the trial.
        tell: Receives those about its training.
    """
    asked, trial = memory.next()
    chosen = ", ".join(f"{name} {shown(label)}" for name, label in trial.labels.items())
    say(f"{head}: {chosen}")
    try:
        tuned = config.trial(trial.number, trial.labels)
    except ValueError as error:  # values that contradict each other
        memory.tell(asked, "failed", reason=str(error))
    else:
        _run_trial(config, memory, asked, tuned, tell)
        shutil.rmtree(tuned.folder / "checkpoints", ignore_errors=True)  # nobody goes on from them
    gc.collect()  # a trainer holds its model in a circle of references
    said = outcome_of(config, memory).rows[-1].line(config.plan.metric)
    best = memory.best()
    more = "" if best is None else f"; best so far: {shown(best.value)} (trial {best.number})"
    say(f"{head}: {said}{more}")
    _check_failures(memory)


def _run_trial(
    config: SweepConfig, memory: study.Study, asked: Any, tuned: TuneConfig, tell: Say
) -> None:
    """Train a trial, unless that was done when an earlier call was killed."""
    found = runs.standing(tuned)
    if found.state == "other":
        raise InputError(
            f"{tuned.folder} belongs to another run (it differs in {', '.join(found.differing)}); "
            "choose another --name, or remove it"
        )
    try:
        if found.facts is not None and found.facts["state"] in ("finished", "pruned"):
            facts = found.facts
        else:
            from tuneproof.tuning.run import finetune

            judge = _judge(config, memory, asked)
            facts = finetune(tuned, tell, made_by=config.made_by, judge=judge).facts
    except (InputError, MemoryError, RuntimeError) as error:
        is_known = isinstance(error, InputError | MemoryError)
        if not is_known and type(error).__name__ != "OutOfMemoryError":  # torch's
            raise
        if not (tuned.folder / "run.json").exists() and not memory.has_succeeded:
            raise  # it did not even begin, so that others would not either
        reason = " ".join(str(error).split()) or "out of memory"
        return memory.tell(asked, "failed", reason=reason)
    metric = config.plan.metric
    value = metric_of(metric, facts["result"])
    if facts["state"] == "pruned":
        return memory.tell(asked, "pruned")
    if value is None or not math.isfinite(value):
        return memory.tell(asked, "failed", reason=f"its validation {metric} is {value}")
    return memory.tell(asked, "finished", value)


def _judge(config: SweepConfig, memory: study.Study, asked: Any) -> Judge:
    name = f"eval_{config.plan.metric}"
    return lambda epoch, found: memory.report(asked, epoch, found[name])


def _brief(say: Say) -> Say:
    def brief(line: str) -> None:
        if line.startswith(ALWAYS_TOLD):
            say(line)

    return brief


def _ended(memory: study.Study) -> int:
    return sum(trial.state != "unfinished" for trial in memory.trials())


def _check_failures(memory: study.Study) -> None:
    """Raise InputError when trials fail and none does not."""
    failed = [trial for trial in memory.trials() if trial.state == "failed"]
    if len(failed) >= FAILURES and not memory.has_succeeded:
        raise InputError(f"all {len(failed)} trials failed; the last one: {failed[-1].reason}")
