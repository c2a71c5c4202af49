"""The settings of `score report`, `score judge` and `score external`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tuneproof.models.device import Dtype
from tuneproof.options import check_least_one


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """How sure a report has to be, and how it finds out."""

    seed: int = 0
    """Seed of the resampling; the same seed gives the same report."""
    resamples: int = 10_000
    """Bootstrap resamples of the items, behind every interval; and random swaps behind p-values."""
    confidence: float = 0.95
    """Confidence of the intervals, and of the verdicts drawn from them."""
    primary: str | None = None
    """The metric that decides, tested first: name it before the answers are there.  [default: by
    task]"""
    margin: float | None = None
    """Difference in the primary metric that is too small to matter, such as 0.02: two variants that
    differ by less are called the same."""
    metric: tuple[str, ...] = ()
    """A further metric: json, json:SCHEMA.json, regex:PATTERN, contains, contains:TEXT,
    max-length:N, language:CODE, code, code:reference, or a function of your own as FILE.py:NAME;
    NAME=... gives it a name; may be repeated."""
    regression_margin: float = 0.03
    """Loss on general items (`--regressions`) that is too small to matter, as a part of 1."""

    @property
    def draws(self) -> int:
        """Random swaps behind a p-value: enough that a corrected one can still be small."""
        return max(self.resamples, round(100 / (1 - self.confidence)))

    def __post_init__(self) -> None:
        """Reject what cannot give an interval."""
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, got {self.seed}")
        if self.resamples < 100:
            raise ValueError(f"resamples must be 100 or more, got {self.resamples}")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(
                f"confidence must be at least 0.5 and below 1, got {self.confidence}; "
                "type 0.95 for 95 %"
            )
        if self.margin is not None and self.margin <= 0:
            raise ValueError(f"margin must be above 0, got {self.margin}")
        if not 0 < self.regression_margin < 1:
            raise ValueError(
                f"regression_margin must be above 0 and below 1, got {self.regression_margin}; "
                "type 0.03 for 3 points"
            )


@dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """Who judges which answers."""

    model: str | None = None
    """A local model as the judge: tiny, smollm2, a folder, a GGUF file or a Hub id. Its verdict is
    the most probable of A, B and tie."""
    endpoint: str | None = None
    """A server as the judge that speaks OpenAI's chat API, as URL or MODEL@URL; the key is read
    from TUNEPROOF_API_KEY."""
    variant: str | None = None
    """The variant that is judged.  [default: the only tuned one]"""
    against: str | None = None
    """The variant that it is held against.  [default: the base]"""
    rubric: Path | None = None
    """A text file that says by what to judge.  [default: right, to the point, clear, no longer than
    needed]"""
    with_reference: bool = False
    """Show the judge the reference too."""
    limit: int | None = None
    """Judge the first so many items of the order drawn."""
    out: Path = Path("judgements.json")
    """The file to write; what was asked before is kept beside it."""
    batch_size: int = 8
    """Questions asked at once."""
    max_new_tokens: int = 512
    """Longest reply of a server in tokens, thoughts included."""
    dtype: Dtype = "auto"
    """Type of a local model's weights; auto is bfloat16 on a GPU and float32 on a CPU."""
    endpoint_concurrency: int = 4
    """Requests to a server that are under way at once."""
    endpoint_timeout: float = 120.0
    """Seconds to wait for a server's answer."""
    price_read: float | None = None
    """Price of a million tokens that the judge reads, to show what it cost."""
    price_written: float | None = None
    """Price of a million tokens that it writes."""

    def __post_init__(self) -> None:
        """Reject what cannot be."""
        if (self.model is None) == (self.endpoint is None):
            raise ValueError("who judges? Give --model or --endpoint, one of them")
        check_least_one(self, "limit", "batch_size", "max_new_tokens")
        for name in ("endpoint_concurrency", "endpoint_timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be over 0, got {getattr(self, name)}")
        for name in ("price_read", "price_written"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class ExternalConfig:
    """Which tasks of lm-evaluation-harness are asked of a base and a run, and how."""

    tasks: tuple[str, ...] = ()
    """A task or group of lm-evaluation-harness; may be repeated, or several with commas."""
    run: str | None = None
    """The run that is asked, and its base."""
    runs: Path = Path("runs")
    """The folder that holds the runs."""
    task_folder: Path | None = None
    """A folder with task files (YAML) of your own, whose data may be local files."""
    base_samples: Path | None = None
    """Instead of asking: what `lm_eval --log_samples --output_path FOLDER` wrote of the base."""
    run_samples: Path | None = None
    """The same of the run."""
    metric: str | None = None
    """The value that is paired, such as acc_norm.  [default: exact_match, acc, em, f1 or acc_norm,
    the first that a task has]"""
    limit: int | None = None
    """Ask the first so many items of every task only."""
    num_fewshot: int | None = None
    """Examples before each question.  [default: as the task says]"""
    chat: bool = False
    """Ask in the model's chat template."""
    batch_size: int = 8
    """Items answered at once."""
    dtype: Dtype = "auto"
    """Type of the weights; auto is bfloat16 on a GPU and float32 on a CPU."""
    out: Path = Path("external.json")
    """The file to write; `score report FILE --regressions` reads it."""

    def __post_init__(self) -> None:
        """Reject what names nothing to ask, or two things at once."""
        listed = [part.strip() for text in self.tasks for part in text.split(",")]
        object.__setattr__(self, "tasks", tuple(filter(None, listed)))
        samples = (self.base_samples, self.run_samples)
        if any(samples) and not all(samples):
            raise ValueError("base_samples and run_samples go together; only one was given")
        if any(samples) and self.tasks:
            raise ValueError("give tasks to ask, or base_samples and run_samples to read, not both")
        if not any(samples) and not (self.tasks and self.run):
            raise ValueError(
                "nothing to ask; give --tasks and --run, or --base-samples and --run-samples"
            )
        check_least_one(self, "limit", "batch_size")
