"""The `score` command: turn model_comparison.json into a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tuneproof.errors import Group
from tuneproof.eval.config import ExternalConfig, JudgeConfig, ReportConfig
from tuneproof.options import options_from, resolve

CONFIDENCE = ReportConfig().confidence


@click.group(cls=Group)
def main() -> None:
    """Score what `infer compare` wrote: metrics, intervals, verdicts."""


@main.command("report")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write into.  [default: reports/ with the name of FILE]",
)
@click.option(
    "--published",
    type=click.Path(path_type=Path),
    help="YAML of figures that others published, to be shown beside ours; as in recipes.",
)
@click.option(
    "--votes", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
    help="Votes that somebody exported from the page; repeat it for several people.",
)  # fmt: skip
@click.option(
    "--judgements", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
    help="What `score judge` wrote; repeat it for several judges.",
)  # fmt: skip
@click.option(
    "--regressions",
    multiple=True,
    type=click.Path(path_type=Path),
    help="What `infer compare regressions` or `score external` wrote of the same runs: the report "
    "says what they broke; repeatable.",
)
@options_from(ReportConfig)
def report_command(
    files: tuple[Path, ...],
    out: Path | None,
    published: Path | None,
    votes: tuple[Path, ...],
    judgements: tuple[Path, ...],
    regressions: tuple[Path, ...],
    **typed: Any,
) -> None:
    """Write report.html, report.md, report.json and plots for FILE.

    FILE is a model_comparison.json, or a plain list of {"prompt", "regular", "fine_tuned"}.
    Several files of one experiment are scored together.
    """
    config = resolve(ReportConfig, typed)
    from tuneproof.eval.report.build import report, report_folder
    from tuneproof.eval.report.published import read_published_file
    from tuneproof.eval.report.summary import text_table

    folder = out or report_folder(files)
    figures = () if published is None else read_published_file(published, config.metric)
    built = report(files, folder, config, figures, regressions, votes=votes, judgements=judgements)
    click.echo(text_table(built))
    click.echo(f"\n{folder / 'report.html'}")


@main.command("judge")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@options_from(JudgeConfig)
def judge_command(files: tuple[Path, ...], **typed: Any) -> None:
    """Have a model say which of two answers is better, in both orders, for every item of FILE.

    Its opinion is shown beside its accuracy once `score report --judgements FILE --votes FILE` has
    votes of people to check it by.
    """
    config = resolve(JudgeConfig, typed)
    from tuneproof.eval.judging.figures import judge_figures
    from tuneproof.eval.report.judging import judge_text
    from tuneproof.eval.units import group_numbers
    from tuneproof.formats.joined import read_comparisons
    from tuneproof.inference.judge import judge

    judgements = judge(files, config)
    comparison = read_comparisons(files)
    units = group_numbers(comparison.items)
    click.echo(judge_text(judge_figures(comparison, units, judgements, (), CONFIDENCE)))
    if judgements.left_out:
        click.echo(f"left out: {', '.join(judgements.left_out)}", err=True)
    named = " ".join(map(str, files))
    click.echo(f"next: score report {named} --judgements {config.out} --votes VOTES.json")


@main.command("gate")
@click.argument("report", type=click.Path(path_type=Path))
@click.option(
    "--require",
    multiple=True,
    metavar="CONDITION",
    help="What must hold, such as 'accuracy >= 0.80' or 'rougeL.gain > 0'; repeatable.",
)
@click.option(
    "--no-regression",
    multiple=True,
    metavar="WHAT",
    help="A metric that may not have got worse. Or, of a report with --regressions, 'all by 0.03': "
    "no more than so much may be lost over all general items, and no kind of them be broken; or a "
    "kind, such as 'facts by 0.1'; repeatable.",
)
@click.option(
    "--not-worse",
    multiple=True,
    metavar="MARGIN",
    help="What may be worse than the base by less than a margin, such as 'accuracy by 0.02' or "
    "'accuracy by 2 %'; repeatable.",
)
@click.option(
    "--same",
    multiple=True,
    metavar="MARGIN",
    help="What may differ from the base by less than a margin, either way; repeatable.",
)
@click.option("--variant", metavar="NAME", help="Variant to judge.  [default: the only tuned one]")
@click.option(
    "--point", is_flag=True, help="Judge by the value, not by the unfavourable end of its interval."
)
def gate_command(
    report: Path,
    require: tuple[str, ...],
    no_regression: tuple[str, ...],
    not_worse: tuple[str, ...],
    same: tuple[str, ...],
    variant: str | None,
    point: bool,
) -> None:
    """Exit 0 when REPORT meets every condition, and 1 when it does not.

    REPORT is a report.json or its folder. A condition must hold at the unfavourable end of the
    interval: the lower end for > and >=, the upper end for < and <=. --not-worse and --same are
    shown, by one and two one-sided tests, or fail and say how many items could show them.
    """
    from tuneproof.eval.gate import gate

    outcomes = gate(
        report, variant, require, no_regression, not_worse=not_worse, same=same, point=point
    )
    for outcome in outcomes:
        click.echo(outcome)
    if not all(outcome.holds for outcome in outcomes):
        raise click.exceptions.Exit(1)


@main.command("diff")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@options_from(ReportConfig)
def diff_command(a: Path, b: Path, **typed: Any) -> None:
    """Test B against A on the same items, variant by variant.

    Each is a report.json, its folder, or a comparison file.
    """
    config = resolve(ReportConfig, typed)
    from tuneproof.eval.diff import diff, diff_table
    from tuneproof.eval.metrics.asked import with_asked

    with with_asked(config.metric):
        click.echo(diff_table(diff(a, b, config)))


@main.command("same")
@click.argument("comparison", type=click.Path(path_type=Path))
@click.option("--run", required=True, metavar="NAME", help="The variant that was measured.")
@click.option(
    "--variant",
    multiple=True,
    metavar="NAME",
    help="What is served; repeatable.  [default: its merged models, GGUF files and servers]",
)
@options_from(ReportConfig)
def same_command(comparison: Path, run: str, variant: tuple[str, ...], **typed: Any) -> None:
    """Exit 0 when what is served answers as RUN did, and 1 when that is not shown.

    COMPARISON is what `infer compare --run NAME --merged NAME --gguf FILE --endpoint NAME-...=URL`
    wrote. Prompts and stops must be the same tokens, and the primary metric the same within
    --margin (0.02 where none is given), by two one-sided tests.
    """
    config = resolve(ReportConfig, typed)
    from tuneproof.eval.metrics.asked import with_asked
    from tuneproof.eval.same import compare_served

    with with_asked(config.metric):
        verdicts = compare_served(comparison, run, config, variant)
        for one in verdicts:
            click.echo("\n".join(one.lines(run)))
    if not all(one.holds for one in verdicts):
        raise click.exceptions.Exit(1)


@main.command("publish")
@click.argument("report", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write.  [default: statement.json beside the report]",
)  # fmt: skip
@click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
    help="The folder that holds the runs that the report is of.",
)  # fmt: skip
def publish_command(report: Path, out: Path | None, runs: Path) -> None:
    """Bind REPORT to its weights, data, prompts and settings by SHA-256.

    Writes an in-toto Statement v1, which `score verify` recomputes.
    """
    from tuneproof.eval.publish import publish

    file = publish(report, out, runs)
    click.echo(f"statement: {file}\nnext: score verify {file}")


@main.command("verify")
@click.argument("statement", type=click.Path(path_type=Path))
def verify_command(statement: Path) -> None:
    """Recompute what `score publish` wrote, offline; exit 1 where a file or a setting differs."""
    from tuneproof.eval.publish import verify

    verified = verify(statement)
    click.echo("\n".join(verified.lines()))
    if verified.differences:
        raise click.exceptions.Exit(1)


@main.command("plan")
@click.argument("pilot", type=click.Path(path_type=Path))
@click.option(
    "--metric", metavar="NAME",
    help="The metric, or a further one as `score report --metric` takes it.  [default: the "
    "primary one]",
)  # fmt: skip
@click.option(
    "--detect", type=float, required=True, metavar="DIFFERENCE",
    help="The difference that is to be seen, such as 0.05 (5 percentage points of a share).",
)  # fmt: skip
@click.option(
    "--variant",
    metavar="NAME",
    help="Variant whose spread is taken.  [default: the only tuned one]",
)
@options_from(ReportConfig, without=("metric",))
def plan_command(
    pilot: Path, metric: str | None, detect: float, variant: str | None, **typed: Any
) -> None:
    """Say how many items it takes to see a difference, from the spread of PILOT.

    PILOT is a comparison file, a report.json or its folder, with the same kind of prompts.
    """
    config = resolve(ReportConfig, typed)
    from tuneproof.eval.plan import plan

    click.echo(plan(pilot, metric, detect, variant, config))


@main.command("external")
@click.option("--config", type=click.Path(path_type=Path), help="YAML of the options below.")
@options_from(ExternalConfig)
def external_command(config: Path | None, **typed: Any) -> None:
    """Ask a run and its base tasks of lm-evaluation-harness.

    It needs pip install 'tuneproof[external]'. The values of every item are tested in pairs, task
    by task. Tasks whose data are not on this machine are fetched from the Hub.
    """
    settings = resolve(ExternalConfig, typed, config)
    from tuneproof.eval.external import external
    from tuneproof.eval.regressions import broken_of, broken_table

    click.echo(broken_table(broken_of(external(settings), ReportConfig())))
    click.echo(f"\nnext: score report FILE --regressions {settings.out}")


@main.command("selftest")
@click.option(
    "--simulations", type=click.IntRange(min=10),
    help="Made-up reports behind every line.  [default: 100; with --full 200]",
)  # fmt: skip
@click.option("--full", is_flag=True, help="All sizes from 8 to 300 items, many reports.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True,
    help="Seed of the made-up answers.",
)  # fmt: skip
@click.option(
    "--doctor",
    type=click.IntRange(min=1),
    metavar="DRAWS",
    help="Instead: plant every fault in so many healthy comparisons, and count how often the "
    "doctor names it.",
)
def selftest_command(simulations: int | None, full: bool, seed: int, doctor: int | None) -> None:
    """Check the statistics on made-up answers whose truth is known; exit 1 where one fails."""
    if doctor is not None:
        from tuneproof.eval.selftest.doctor import doctor_report

        text, is_right = doctor_report(doctor, seed)
        click.echo(text)
        raise click.exceptions.Exit(0 if is_right else 1)
    from tuneproof.eval.selftest.line import line_table, overview
    from tuneproof.eval.selftest.run import ALL_SIZES, SIZES, selftest

    count = simulations or (200 if full else 100)
    lines = list(selftest(count, seed, ALL_SIZES if full else SIZES))
    click.echo(f"{line_table(lines)}\n\n{overview(lines)}")
    if any(line.verdict == "FAILED" for line in lines):
        raise click.exceptions.Exit(1)
