"""The verdict in plain words: headline, paragraph, baselines, and the table a command prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tuneproof.eval.metrics.asked import with_defined
from tuneproof.eval.metrics.registry import METRICS, unit_of
from tuneproof.eval.report import wording
from tuneproof.eval.report.judging import judge_text, vote_sentence
from tuneproof.eval.report.ladder import TITLES, headline, ladder_table, seed_headline
from tuneproof.formats.figures import Gain, Pair
from tuneproof.formats.report import Counts, Report, Summary
from tuneproof.formats.variant import Variant
from tuneproof.text import table

NAMED = 4
"""Most metrics of one verdict that the paragraph names with their sizes."""


def summarise(report: Report, variant: str) -> Summary:
    """Return the verdict on a tuned variant; `report` need not have one yet."""
    gains = report.gains[variant]
    judged = {name: gain for name, gain in gains.items() if METRICS[name].direction != "none"}
    baselines = [other.name for other in report.variants if other.is_baseline]
    sentences = [(gain.verdict, gain.sentence) for gain in gains.values()]
    summary = Summary(
        headline=headline(report, variant),
        baselines=against_baselines(report, variant, baselines),
        beats_all=beats_all(report, variant, baselines),
        better=tuple(text for called, text in sentences if called == "better"),
        worse=tuple(text for called, text in sentences if called == "worse"),
        unchanged=tuple(text for called, text in sentences if called == "no measurable difference"),
        different=tuple(text for called, text in sentences if called == "different"),
        broke=_broke(report, variant),
    )
    (details,) = (other for other in report.variants if other.name == variant)
    parts = [
        summary.headline,
        summary.broke or "",
        _sizes(judged, "worse")
        or f"Nothing is seen to be worse than {_forms_of_base(judged, report.base)}.",
        _within(judged, variant, report.base),
        f"{summary.baselines}." if summary.baselines else "",
        _unseen(judged, report.counts),
        _cost(details),
        _certainty(judged, report.settings.confidence),
        _advice(report, variant, judged, baselines),
    ]
    return replace(summary, paragraph=" ".join(filter(None, parts)))


def against_baselines(report: Report, variant: str, baselines: Sequence[str]) -> str | None:
    """Say which baselines a variant beats in the primary metric, and of which it is not known.

    As good as one is said only where the two are the same within a margin named beforehand: that no
    difference is shown says nothing of its size.
    """
    parts: dict[str, list[str]] = {phrase: [] for phrase in _PHRASES}
    for pair in _pairs(report, variant, baselines):
        unit = METRICS[pair.metric].unit
        value = wording.amount(report.metrics[pair.b][pair.metric].value, unit)
        name = f"{TITLES.get(pair.b, pair.b)} ({value})"
        size = wording.change(pair.difference, unit)
        by = f"{name}: difference {size} ({wording.interval(pair.low, pair.high, unit)})"
        if pair.verdict == "better":
            parts["beats"].append(name)
        elif pair.verdict == "worse":
            parts["is worse than"].append(by)
        elif pair.equivalence and pair.equivalence.same:
            parts["is as good as"].append(by)
        else:
            parts["shows no difference from"].append(by)
    phrases = [f"{phrase} {wording.listed(names)}" for phrase, names in parts.items() if names]
    return f"{variant} {'; it '.join(phrases)}" if phrases else None


_PHRASES = ("beats", "is worse than", "is as good as", "shows no difference from")


def beats_all(report: Report, variant: str, baselines: Sequence[str]) -> bool | None:
    """Say whether a variant beats every baseline; None where none can be compared."""
    pairs = _pairs(report, variant, baselines)
    return all(pair.verdict == "better" for pair in pairs) if pairs else None


def _broke(report: Report, variant: str) -> str | None:
    """Return what a variant broke of what the base could do, where that was asked."""
    losses = report.broken.variants.get(variant) if report.broken else None
    return losses.sentence if losses else None


def _pairs(report: Report, variant: str, baselines: Sequence[str]) -> list[Pair]:
    """Return the comparisons of a variant with each baseline that can be compared."""
    pairs = (pair.seen_from(variant, name) for name in baselines for pair in report.pairs)
    return [pair for pair in pairs if pair is not None]


def _forms_of_base(judged: Mapping[str, Gain], base: str) -> str:
    """Name what gains are measured from: the base, and those of its forms that do better."""
    names = {gain.against or base for gain in judged.values()}
    return " or ".join(sorted(names, key=lambda name: (name != base, name))) or base


def _sizes(judged: Mapping[str, Gain], called: str) -> str:
    """Say by how much metrics got better or worse, those first that matter first."""
    names = [name for name, gain in judged.items() if gain.verdict == called]
    if not names:
        return ""
    sizes = [
        f"{METRICS[name].title} {wording.bounded_change(judged[name], METRICS[name].unit)}"
        f"{f' from {against}' if (against := judged[name].against) else ''}"
        for name in names[:NAMED]
    ]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{called.capitalize()}: {', '.join(sizes)}{more}."


def _certainty(judged: Mapping[str, Gain], confidence: float) -> str:
    called = [g.p_corrected for g in judged.values() if g.verdict in ("better", "worse")]
    few = sum(gain.warning is not None for gain in judged.values())
    sentences = []
    if called:
        sentences.append(
            f"If nothing had changed, at most {100 * (1 - confidence):.3g} in 100 such reports "
            "would say better or worse even once; the least sure of these verdicts has a corrected "
            f"p of {wording.p_value(max(called))}."
        )
    if few:
        which = "any metric" if few == len(judged) else wording.counted(few, "metric")
        sentences.append(f"Too few items differ for a verdict on {which}.")
    return " ".join(sentences)


def _cost(variant: Variant) -> str:
    """Say what training cost, as far as the comparison file knows."""
    parts = []
    trained, total = variant.parameters.trainable, variant.parameters.total
    if trained:
        of = f" of {total:,} parameters ({100 * trained / total:.3g} %)" if total else " parameters"
        parts.append(f"changed {trained:,}{of}")
    if variant.training_seconds is not None:
        parts.append(f"took {variant.training_seconds / 60:.1f} minutes")
    if variant.peak_memory_bytes is not None:
        parts.append(f"needed at most {variant.peak_memory_bytes / 2**30:.1f} GiB of memory")
    return f"Training {wording.listed(parts)}." if parts else ""


def _primary(judged: Mapping[str, Gain]) -> tuple[str, Gain] | None:
    """Return the primary metric and the gain in it."""
    return next(((name, gain) for name, gain in judged.items() if gain.is_primary), None)


def _within(judged: Mapping[str, Gain], variant: str, base: str) -> str:
    """Say what is shown of the primary metric and the margin, where one was named."""
    primary = _primary(judged)
    if primary is None or (equivalence := primary[1].equivalence) is None:
        return ""
    name, gain = primary
    spec, base = METRICS[name], gain.against or base
    margin = wording.change(equivalence.margin, spec.unit).removeprefix("+")
    if equivalence.same:
        return f"In {spec.title} {variant} and {base} are the same within {margin}."
    if equivalence.not_worse:
        return f"In {spec.title} {variant} is not worse than {base} by {margin} or more."
    items = equivalence.items
    needed = f"; about {items:,} items could" if items and items > gain.n else ""
    return (
        f"It is not shown that {variant} is the same as {base} in {spec.title} within "
        f"{margin}{needed}."
    )


def _unseen(judged: Mapping[str, Gain], counts: Counts) -> str:
    """Say which difference in the primary metric the sample was too small for."""
    primary = _primary(judged)
    if primary is None or primary[1].mde is None:
        return ""
    name, gain = primary
    spec, effect = METRICS[name], gain.mde or 0.0
    least, most = spec.difference_bounds
    sample = wording.counted(gain.n, "item")
    sample += f" in {wording.counted(gain.units, 'unit')}" if counts.groups else ""
    if effect > max(-least, most):
        return f"With {sample} no difference in {spec.title} could be counted on to be seen."
    size = wording.change(effect, spec.unit).removeprefix("+")
    return f"With {sample} it could have seen a difference in {spec.title} of {size} (80 % power)."


def _advice(
    report: Report, variant: str, judged: Mapping[str, Gain], baselines: Sequence[str]
) -> str:
    """Say what to do now."""
    verdicts = {gain.verdict for gain in judged.values()}
    others = {pair.b: pair for pair in _pairs(report, variant, baselines)}
    losing = [name for name, pair in others.items() if pair.verdict == "worse"]
    if losing:
        named = wording.listed([TITLES.get(name, name) for name in losing])
        verb = "does" if len(losing) == 1 else "do"
        return (
            f"Next: more data or training; until then {named}, which costs next to nothing, "
            f"{verb} better."
        )
    if "worse" in verdicts:
        return "Next: read the worst regressions in report.html before it is used."
    if any(pair.verdict != "better" for pair in others.values()):
        return "Next: ask more prompts, until it is shown to beat what costs next to nothing."
    if "better" in verdicts:
        return "Next: read some answers, and ask prompts from elsewhere."
    if all(not gain.differing for gain in judged.values()):
        return "Next: check that the adapter was used, and train longer."
    return (
        "Next: decide which difference would matter, and let `score plan` say how many prompts "
        "show it; or train longer."
    )


def certainty(report: Report) -> str:
    """Say what the intervals rest on, and what they cannot show."""
    settings, counts = report.settings, report.counts
    percent = f"{100 * settings.confidence:g} %"
    units = wording.counted(counts.items, "item")
    if counts.groups:
        units += f" in {wording.counted(counts.groups, 'unit')}, which are drawn whole"
    same = "ROUGE and token F1 measure nearly the same thing"
    if report.labels is not None:
        same = "Accuracy, F1 and correlation are made from the same labels"
    alpha = 100 * (1 - settings.confidence)
    primary = report.primary and METRICS[report.primary.metric].title
    together = f"; of differences in {primary} they hold together, and of those in all others"
    first = f" {primary} is tested first, the others by the largest of all differences (max-T)."
    return (
        f"In brackets: {percent} intervals from {settings.resamples:,} paired resamples of "
        f"{units}{together if primary else ''}. Better and worse are said where the interval "
        "leaves out zero, which it does only where a paired permutation test, corrected for all "
        f"gains of this report, does so too.{first if primary else ''} Where nothing changed, "
        f"at most {alpha:.3g} in 100 reports say either even once. That no difference is shown "
        f"does not mean that there is none. {same}: read them as one piece of evidence. All of it "
        f"holds for prompts like these, asked and decoded like this.{_cautions(report)}"
    )


def _cautions(report: Report) -> str:
    """Say of which metrics the intervals may be too narrow, and why."""
    reasons: dict[str, list[str]] = {}
    for variant, figures in report.metrics.items():
        gains = report.gains.get(variant, {})
        pairs = [(name, figure.caution) for name, figure in figures.items()]
        for name, reason in pairs + [(name, gain.caution) for name, gain in gains.items()]:
            titles = reasons.setdefault(reason, []) if reason else []
            if METRICS[name].title not in titles:
                titles.append(METRICS[name].title)
    known = {name for figures in report.metrics.values() for name in figures}
    of = {
        reason: wording.listed(titles) if len(titles) < len(known) else "every metric"
        for reason, titles in reasons.items()
    }
    return "".join(
        f" The interval of {titles} may be too narrow: {reason}." for reason, titles in of.items()
    )


def nothing_to_compare(report: Report) -> str:
    """Say why a report has no gains."""
    if len(report.metrics) == 1:
        return f"Only {report.base} answered: nothing to compare it with."
    return f"No tuned variant answered, only {wording.listed(report.names)}."


def text_table(report: Report) -> str:
    """Return the figures as a plain table, one block per tuned variant, with the headlines."""
    with with_defined(report.definitions):
        return _text_table(report)


def _text_table(report: Report) -> str:
    blocks = []
    percent = f"{100 * report.settings.confidence:g} %"
    for variant, gains in report.gains.items():
        rows = [["metric", "n", report.base, variant, f"gain ({percent} interval)", "verdict"]]
        for name, gain in gains.items():
            unit = unit_of(name, report.length_unit)
            against = gain.against or report.base
            cells = [report.metrics[who][name] for who in (against, variant)]
            values = [wording.amount(cell.value, unit) for cell in cells]
            if gain.against:
                values[0] += f" ({against})"
            rows.append(
                [
                    METRICS[name].title,
                    f"{gain.n:,}",
                    *values,
                    wording.bounded_change(gain, unit),
                    gain.verdict,
                ]
            )
        summary = report.summary[variant]
        blocks.append(f"{summary.paragraph or summary.headline}\n\n{table(rows, left=(0, 5))}")
    if not blocks:
        rows = [["metric", "n", *report.names]]
        for name, cell in report.metrics[report.base].items():
            unit = unit_of(name, report.length_unit)
            others = [report.metrics[who].get(name) for who in report.names]
            shown = [wording.amount(other.value, unit) if other else "" for other in others]
            rows.append([METRICS[name].title, f"{cell.n:,}", *shown])
        blocks.append(f"{table(rows)}\n{nothing_to_compare(report)}")
    blocks[:0] = [seed_headline(report, seeds) for seeds in report.seeds]
    if report.gains and (ladder := ladder_table(report)):
        blocks.insert(0, ladder)
    blocks += [vote_sentence(one) for one in report.votes]
    blocks += [judge_text(one) for one in report.judges]
    missing = [f"{METRICS[m].title}: {why}" for m, why in report.not_available.items()]
    return "\n\n".join(blocks) + "".join(f"\nnot available: {line}" for line in missing)
