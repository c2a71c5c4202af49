"""Run a recipe: the four stages in a row, without those whose output is up to date."""

from __future__ import annotations

import dataclasses
import logging

from tuneproof.errors import InputError
from tuneproof.formats.report import Report
from tuneproof.formats.run import read_run
from tuneproof.locks import at_work
from tuneproof.recipes.recipe import Recipe
from tuneproof.tuning.config import TuneConfig

log = logging.getLogger(__name__)


def run_recipe(recipe: Recipe) -> Report:
    """Run all four stages and return the report; what is done is logged.

    An interrupted recipe goes on where it stopped when it is run again.

    Raises:
        InputError: A stage cannot use what it is given, or another process runs the recipe.
    """
    with at_work(recipe.reports):
        prepare(recipe)
        _tune(recipe)
        _compare(recipe)
        _ask_regressions(recipe)
        return _score(recipe)


def prepare(recipe: Recipe) -> None:
    """Build the data where they are not up to date."""
    from tuneproof.prepdata.manifest import is_up_to_date

    if is_up_to_date(recipe.build):
        return log.info(f"1/4 prepdata: {recipe.build.out} is up to date")
    from tuneproof.prepdata.build import build
    from tuneproof.prepdata.report import build_summary

    log.info("1/4 prepdata")
    log.info(build_summary(recipe.build.out, build(recipe.build)))
    return None


def _tune(recipe: Recipe) -> None:
    """Train every run that is not there with these settings; of matched ones, the first first."""
    match, made_by = recipe.match, f"recipe {recipe.name}"
    done = _done_anew(recipe, made_by)
    for number, (short, config) in enumerate(recipe.runs.items(), 1):
        head = f"2/4 tune: {short} ({number} of {len(recipe.runs)})" if short else "2/4 tune"
        if match is None or short not in match.followers:
            train(config, head, made_by, is_done=short in done)
            continue
        first = recipe.runs[match.first].folder
        budget = match.used(read_run(first))
        if not budget:
            raise InputError(
                f"{first} does not say how many {match.by} it used, which are the others' budget; "
                "remove the folder, to have it trained again"
            )
        train(match.budgeted(config, budget), head, made_by, is_done=short in done)
        share = match.used(read_run(config.folder)) / budget
        log.info(f"{short} used {share:.1%} of the {match.by} of {match.first}")
    for config in recipe.runs.values():
        if config.folder.name in recipe.merged:
            _merge(config)


def _done_anew(recipe: Recipe, made_by: str) -> list[str]:
    """Return the runs that a recipe with `overwrite` had trained anew before it was cut off."""
    from tuneproof.tuning import runs

    shorts, cut_off = list(recipe.runs), 0
    for number, config in enumerate(recipe.runs.values()):
        run = runs.status_of(config).run if config.overwrite else None
        if run is None or run.state == "finished" or run.made_by != made_by:
            continue
        if run.config.get("overwrite"):
            cut_off = number
    return shorts[:cut_off]


def train(config: TuneConfig, head: str, made_by: str, *, is_done: bool = False) -> None:
    """Train where there is no finished run of these settings; a recipe may replace its own run.

    Args:
        config: The settings.
        head: What the log says of it.
        made_by: What run.json says of it.
        is_done: Whether a finished run stays that is to be overwritten, as that has been done.
    """
    from tuneproof.tuning import runs

    status = runs.status_of(config)
    if status.state == "finished" and (is_done or not config.overwrite):
        log.info(f"{head}: {config.folder} is up to date")
        if status.made_otherwise:
            log.info(
                f"it was trained before these changed: {', '.join(status.made_otherwise)}; "
                "--set tune.overwrite=true trains again"
            )
        return None
    log.info(head)
    if status.state == "other" and status.run and status.run.made_by == made_by:
        log.info(f"training again, since these have changed: {', '.join(status.differing)}")
        config = dataclasses.replace(config, overwrite=True)
    from tuneproof.tuning.run import finetune

    finetune(config, made_by=made_by)
    return None


def _merge(config: TuneConfig) -> None:
    """Write a finished run's merged model where it is not there.

    A run that is trained again begins with an empty folder, so that a merged model in it is
    current.
    """
    folder = config.folder / "merged"
    if (folder / "config.json").is_file():
        return log.info(f"2/4 merge: {folder} is up to date")
    log.info(f"2/4 merge: {config.folder.name}")
    from tuneproof.tuning.merge import merge_run

    for line in merge_run(read_run(config.folder), folder).lines():
        log.info(line)
    return None


def _compare(recipe: Recipe) -> None:
    from tuneproof.inference.compare import compare, is_up_to_date

    for prompts, config in recipe.comparisons.items():
        if is_up_to_date(prompts, config):
            log.info(f"3/4 compare: {config.out} is up to date")
            continue
        log.info(f"3/4 compare: {prompts}")
        compare(prompts, config)


def _ask_regressions(recipe: Recipe) -> None:
    """Ask general items where the recipe is to, and note in the runs' cards what was broken."""
    if recipe.regressions is None:
        return
    from tuneproof.inference.regressions import compare_regressions, is_up_to_date, note_broken

    config = recipe.regressions
    if is_up_to_date(config):
        log.info(f"3/4 compare: {config.out} is up to date")
    else:
        log.info("3/4 compare: regressions")
        compare_regressions(config)
    note_broken(config, recipe.score)


def _score(recipe: Recipe) -> Report:
    from tuneproof.eval.report.build import report, up_to_date_report

    files = [config.out for config in recipe.comparisons.values()]
    asked = [recipe.regressions.out] if recipe.regressions else []
    given = (files, recipe.reports, recipe.score, recipe.published_by_variant, asked)
    earlier = up_to_date_report(*given)
    if earlier is not None:
        log.info(f"4/4 score: {recipe.reports / 'report.json'} is up to date")
        return earlier
    log.info("4/4 score")
    return report(*given)
