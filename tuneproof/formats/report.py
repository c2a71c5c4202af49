"""report.json: the types of a report, its one reader and its one writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import read_json, write_json
from tuneproof.finding import Finding
from tuneproof.formats.broken import Broken
from tuneproof.formats.codec import decode, encode, has_schema
from tuneproof.formats.figures import (
    Cost,
    Gain,
    LabelFigures,
    MetricFigure,
    Pair,
    Primary,
    ReliabilityBin,
    SeedFigures,
    TaskPart,
    Verdict,
)
from tuneproof.formats.judging import JudgeFigures, VoteFigures
from tuneproof.formats.variant import Variant
from tuneproof.stamp import Stamp

SCHEMA = "tuneproof/report@1"
FILE = "report.json"
OLDER_ALPHA = 0.05
"""Below which older reports called a pair."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A comparison file."""

    file: str
    """Its path, as it was given."""
    sha256: str
    """Of its bytes."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of the statistics, see `eval.config.ReportConfig`."""

    seed: int
    """Of the resampling."""
    resamples: int
    """Bootstrap resamples of the items."""
    confidence: float
    """Of the intervals, such as 0.95."""
    primary: str | None = field(default=None, metadata={"omit": True})
    """The primary metric, where one was named."""
    margin: float | None = field(default=None, metadata={"omit": True})
    """The difference on it that is too small to matter, where one was named."""
    metric: tuple[str, ...] = field(default=(), metadata={"omit": True})
    """The further metrics that were asked for."""
    regression_margin: float = field(default=0.03, metadata={"omit": True})
    """The loss on general items that is too small to matter."""


@dataclass(frozen=True, kw_only=True)
class AnswerCounts:
    """How the answers of one variant ended."""

    empty: int | None
    """Answers without text; None for a variant that generates nothing."""
    stopped: int
    """Answers that the model ended itself."""
    cut: int
    """Answers that the limit cut."""
    tokens: int
    """Generated tokens of all answers."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What was counted over the whole comparison."""

    items: int
    """All items."""
    without_reference: int
    """Items without a right answer."""
    truncated_inputs: int
    """Items whose input was shortened to fit the model."""
    variants: Mapping[str, AnswerCounts]
    """By variant."""
    failed: int = field(default=0, metadata={"omit": True})
    """Prompts that one variant or several gave no answer to; they are no items, and not scored."""
    groups: int = 0
    """Units: items of one group, with the same question or about the same passage are one; 0 where
    every item stands for itself."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The verdict on one tuned variant, in words."""

    headline: str
    """The verdict in a sentence."""
    baselines: str | None = None
    """Which baselines it beats; None where there are none."""
    beats_all: bool | None = None
    """Whether it beats every baseline; None where there are none."""
    better: tuple[str, ...]
    """One sentence for every metric of this verdict."""
    worse: tuple[str, ...]
    """The same for the metrics that got worse."""
    unchanged: tuple[str, ...] = field(metadata={"key": "no measurable difference"})
    """The same for those without a measurable difference."""
    different: tuple[str, ...]
    """The same for those that changed and have no better direction."""
    paragraph: str = ""
    """All of it in short sentences."""
    broke: str | None = field(default=None, metadata={"omit": True})
    """What it broke of what the base could do; null where no general items were asked."""

    def sentences(self, verdict: Verdict) -> tuple[str, ...]:
        """Return the sentences of a verdict."""
        return {
            "better": self.better,
            "worse": self.worse,
            "no measurable difference": self.unchanged,
            "different": self.different,
        }[verdict]


@dataclass(frozen=True, kw_only=True)
class Published:
    """A figure that others have published, to show with ours."""

    variant: str
    """The variant of ours that it is shown with."""
    metric: str
    """One of our metrics."""
    value: float
    """A share or a score is a part of 1."""
    model: str
    """The base model that it is of."""
    source: str
    """Where it was published, and what else must be known of it."""


@dataclass(frozen=True, kw_only=True)
class OurFigure:
    """Our figure for a published one."""

    model: str | None
    """The base model of our variant."""
    value: float
    """The figure."""
    low: float | None
    """Lower end of the interval."""
    high: float | None
    """Upper end of it."""
    n: int
    """Items scored."""


@dataclass(frozen=True, kw_only=True)
class PublishedBesideOurs(Published):
    """A published figure with ours; None where it was not measured here."""

    ours: OurFigure | None
    """Our figure."""


@dataclass(frozen=True, kw_only=True)
class NumberSample:
    """How the number of one answer was read."""

    id: str
    """Of the item."""
    variant: str
    """Whose answer it is."""
    answer: str
    """The text around the number."""
    read: str | None
    """The answer's number as it was understood; None where it holds none."""
    reference: str
    """The right answer."""
    wanted: str
    """The reference's number, as it was understood."""
    tolerance: str
    """How far they may be apart, in words."""
    match: bool
    """Whether they agree."""
    executed: str | None
    """What the source's program comes to."""
    executed_match: bool | None
    """Whether the answer agrees with that; None without a program."""


@dataclass(frozen=True, kw_only=True)
class NumberForm:
    """One form in which answers had the right number, or had not."""

    form: str
    """Its name."""
    means: str
    """What answers of this form have in common."""
    answers: int
    """Number of such answers."""
    samples: tuple[NumberSample, ...]
    """A few of them."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What a reader must know of a metric."""

    title: str
    """The name shown to a reader."""
    direction: str
    """Which way is better: ``higher``, ``lower`` or ``none``."""
    unit: str
    """``score`` (0 to 1), ``share`` (of answers or parts) or ``tokens``."""
    definition: str
    """One sentence."""
    empty: str
    """What an empty answer scores."""
    source: str
    """The paper it comes from."""
    weakness: str
    """What it gets wrong."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that report.json holds."""

    schema: str = SCHEMA
    """The form of the file."""
    sources: tuple[Source, ...]
    """What was scored."""
    beside_files: tuple[Source, ...] = field(default=(), metadata={"omit": True})
    """What else it was made from: votes, judgements, and the files of further metrics."""
    settings: Settings
    """Of the statistics."""
    beside: tuple[Published, ...] = ()
    """The published figures asked for."""
    regression_sources: tuple[Source, ...] = field(default=(), metadata={"omit": True})
    """The files of answers to general items, where some were given."""
    versions: Mapping[str, str]
    """Of Python and the packages that decide figures."""
    code: str = ""
    """Fingerprint of the code that made it."""
    base: str
    """The variant that the others are measured against."""
    variants: tuple[Variant, ...]
    """In reading order, the base first."""
    labels: tuple[str, ...] | None = None
    """The label set; None where answers are free."""
    counts: Counts
    """What was counted over all items."""
    summary: Mapping[str, Summary]
    """By tuned variant."""
    findings: tuple[Finding, ...] = ()
    """What the checks of the comparison found."""
    metrics: Mapping[str, Mapping[str, MetricFigure]]
    """By variant and metric."""
    gains: Mapping[str, Mapping[str, Gain]]
    """By tuned variant and metric."""
    classes: Mapping[str, Mapping[str, LabelFigures]] = field(default_factory=dict)
    """By variant and label."""
    confusion: Mapping[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    """By variant, (right label, given label) counts."""
    reliability: Mapping[str, tuple[ReliabilityBin, ...]] = field(default_factory=dict)
    """By variant, how often answers of some confidence are right."""
    pairs: tuple[Pair, ...] = ()
    """Every two variants, by accuracy."""
    tasks: Mapping[str, TaskPart] = field(default_factory=dict)
    """The figures by task, where there are several tasks."""
    seeds: tuple[SeedFigures, ...] = ()
    """Settings of which several seeds were trained."""
    compute: Cost | None = None
    """What every training took, with its quality."""
    published: tuple[PublishedBesideOurs, ...] = ()
    """Published figures with ours."""
    votes: tuple[VoteFigures, ...] = field(default=(), metadata={"omit": True})
    """What people said of two variants' answers."""
    judges: tuple[JudgeFigures, ...] = field(default=(), metadata={"omit": True})
    """What judges said, and how far each can be trusted."""
    numbers: tuple[NumberForm, ...] = ()
    """How the numbers in answers were read, where references are numbers."""
    not_available: Mapping[str, str]
    """Metric -> why nothing has a value of it."""
    length_unit: str
    """``tokens`` or ``words``."""
    decoding: Mapping[str, Any] | None = None
    """As in the comparison."""
    template: str | None = None
    """As in the comparison."""
    definitions: Mapping[str, Definition]
    """By metric."""
    certainty: str = ""
    """What the intervals rest on, in words."""
    primary: Primary | None = None
    """The primary metric, and what was found of it; None where nothing has a value of it."""
    broken: Broken | None = field(default=None, metadata={"omit": True})
    """What the tuning broke of what the base could do; None where no general items were asked."""

    @property
    def stamp(self) -> Stamp:
        """What the report was made from."""
        beside = [asdict(figure) for figure in self.beside]
        return Stamp(
            settings={"schema": self.schema, **asdict(self.settings), "beside": beside},
            inputs={
                source.file: source.sha256
                for source in (*self.sources, *self.beside_files, *self.regression_sources)
            },
            code=self.code,
            versions=self.versions,
        )

    @property
    def names(self) -> list[str]:
        """The variants, the base first."""
        return list(self.metrics)

    @property
    def tuned(self) -> list[str]:
        """The variants that have gains."""
        return list(self.gains)

    def as_json(self) -> dict[str, Any]:
        """Return what report.json holds."""
        document: dict[str, Any] = encode(self)
        return document


def report_file(path: Path) -> Path:
    """Return the report.json of a folder, or the file itself."""
    return path / FILE if path.is_dir() else path


def recorded_files(path: str, recording: Path) -> list[Path]:
    """Return where a file may be that another one records: as it says, or moved along beside it."""
    candidates = (Path(path), recording.parent / path, recording.parent / Path(path).name)
    return [one for one in candidates if one.is_file()]


def write_report(path: Path, report: Report) -> None:
    """Write report.json."""
    write_json(path, report.as_json())


def read_report(path: Path) -> Report:
    """Read a report.json.

    Raises:
        InputError: There is none, or it was made by a version whose figures are others.
    """
    document = read_json(path)
    if not has_schema(document, SCHEMA):
        raise InputError(f"{path}: not a report; `score report` writes {FILE}")
    try:
        upgraded = upgrade(document, path)
    except (AttributeError, KeyError, TypeError) as error:
        fault = f"{path}: parts of it are missing or of another type; run `score report` again"
        raise InputError(fault) from error
    try:
        return decode(Report, upgraded, str(path))
    except InputError as error:
        raise InputError(f"{error}; run `score report` again") from error


def upgrade(document: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return a document of an older version as this one would have written it.

    What was added later has a default in `Report`, unless its absence means other figures.

    Raises:
        InputError: It was made by a version whose figures are others.
    """
    gains = document.get("gains")
    if not isinstance(gains, dict):
        return dict(document)
    for cells in gains.values():
        if any(not {"p_holm", "p_corrected"} & gain.keys() for gain in cells.values()):
            raise InputError(f"{path}: made by an older version; run `score report` again")
    upgraded = {**document, "gains": _with_corrected(gains)}
    if isinstance(tasks := document.get("tasks"), dict):
        upgraded["tasks"] = {
            name: {**part, "gains": _with_corrected(part["gains"])}
            if isinstance(part, dict) and isinstance(part.get("gains"), dict)
            else part
            for name, part in tasks.items()
        }
    if isinstance(pairs := document.get("pairs"), list):
        upgraded["pairs"] = [
            {**_of_older_pair(pair), **pair} if isinstance(pair, dict) else pair for pair in pairs
        ]
    return upgraded


def _with_corrected(gains: Mapping[str, Any]) -> dict[str, Any]:
    """Return gains whose corrected p-value has the name of today; older ones are Holm's."""
    return {
        variant: {
            metric: {"p_corrected": gain["p_holm"], **gain} if "p_holm" in gain else gain
            for metric, gain in cells.items()
        }
        for variant, cells in gains.items()
    }


def _of_older_pair(pair: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of today that follow from those of an older pair; none from others.

    Its verdict was where the interval left out zero and Holm's p-value was below 0.05, as far as
    the interval can say: an older report did not state it.
    """
    if not {"accuracy_difference", "p_holm", "low", "high"} <= pair.keys():
        return {}
    low, high, p = pair["low"], pair["high"], pair["p_holm"]
    called: Verdict = "no measurable difference"
    if low is not None and high is not None and not low <= 0 <= high and p < OLDER_ALPHA:
        called = "better" if low > 0 else "worse"
    return {"difference": pair["accuracy_difference"], "p_corrected": p, "verdict": called}
