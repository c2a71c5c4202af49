"""The settings of `infer compare` and `infer chat`."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from tuneproof.errors import InputError
from tuneproof.files import read_text
from tuneproof.formats.regressions import FILE
from tuneproof.models.device import Dtype, check_device
from tuneproof.options import check_least_one

EngineName = Literal["builtin", "vllm"]


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How answers are drawn; always the same for every variant."""

    max_new_tokens: int = 200
    """Longest answer in tokens."""
    do_sample: bool = False
    """Draw tokens at random; by default the most probable one is taken (greedy)."""
    temperature: float = 1.0
    """Flattens (above 1) or sharpens (below 1) the distribution that is sampled."""
    top_p: float = 1.0
    """Sample from the smallest set of tokens with this much probability."""
    seed: int = 42
    """Seed of whatever is drawn at random."""

    def __post_init__(self) -> None:
        """Reject what cannot be."""
        check_least_one(self, "max_new_tokens")
        if not 0 < self.temperature < math.inf:
            raise ValueError(
                f"temperature must be positive, got {self.temperature}; for greedy answers leave "
                "--do-sample out"
            )
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be over 0 and at most 1, got {self.top_p}")
        if not self.do_sample and (self.temperature, self.top_p) != (1.0, 1.0):
            raise ValueError("temperature and top_p need --do-sample")

    def recorded(self) -> dict[str, Any]:
        """Return the settings that matter, as the comparison records them."""
        if not self.do_sample:
            return {"do_sample": False, "max_new_tokens": self.max_new_tokens}
        names = ("do_sample", "max_new_tokens", "temperature", "top_p", "seed")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class ModelsConfig(Decoding):
    """What answers."""

    run: tuple[str, ...] = ()
    """A run of `tune run`, to compare with its base; may be repeated."""
    adapter: tuple[str, ...] = ()
    """A folder or Hub id of a PEFT adapter of any tool, over the base that it names or --model;
    NAME=FOLDER gives it a name; may be repeated."""
    model: tuple[str, ...] = ()
    """The base; repeated, further models to compare with it (NAME=MODEL gives one a name): tiny,
    smollm2, a folder, a GGUF file or a Hub id."""
    endpoint: tuple[str, ...] = ()
    """A server that speaks OpenAI's chat API, as NAME=URL or NAME=MODEL@URL; the key is read from
    TUNEPROOF_API_KEY; may be repeated."""
    endpoint_concurrency: int = 4
    """Requests to a server that are under way at once."""
    endpoint_timeout: float = 120.0
    """Seconds to wait for a server's answer."""
    template: tuple[str, ...] = ()
    """How models and adapters are asked that bring no chat template: a name or a file;
    NAME=TEMPLATE: how one variant is asked in any case (chat: as the model's own); may be
    repeated."""
    runs: Path = Path("runs")
    """The folder that holds the runs."""
    dtype: Dtype = "auto"
    """Type of the weights; auto is bfloat16 on a GPU (float16 where it has none) and float32 on a
    CPU."""
    device: str = "auto"
    """Where the models answer: auto, cpu, cuda, cuda:N or mps; auto is a GPU where there is one."""

    def __post_init__(self) -> None:
        """Reject what cannot be."""
        super().__post_init__()
        check_device(self.device)
        if not self.names_any:
            raise ValueError(
                "nothing to ask; name a run with --run (see `tune list`), or give --model, "
                "--adapter or --endpoint"
            )
        if len(set(self.run)) != len(self.run):
            raise ValueError(f"a run is given twice: {', '.join(self.run)}")
        if "base" in self.run:
            raise ValueError("'base' is the name of the untuned model; rename the run's folder")
        for name in ("endpoint_concurrency", "endpoint_timeout"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} must be over 0, got {value}")

    @property
    def names_any(self) -> bool:
        """Whether anything is named that answers."""
        return bool(self.run or self.adapter or self.model or self.endpoint)


@dataclass(frozen=True, kw_only=True)
class CompareConfig(ModelsConfig):
    """What is compared, and how answers are drawn."""

    merged: tuple[str, ...] = ()
    """A run to compare as RUN-merged: its adapter merged into the full-precision base, in memory;
    may be repeated."""
    gguf: tuple[str, ...] = ()
    """A GGUF file of a run, as `tune export` writes it, to compare with the run token by token;
    NAME=FILE gives it a name, which should begin with the run's; may be repeated."""
    quantized: Literal["base"] | None = None
    """Compare the base in 4 bits too, as base-4bit."""
    engine: EngineName = "builtin"
    """What writes the answers: the loop of this package, or vLLM, where it is installed, for texts
    by a base and plain LoRA adapters over it."""
    out: Path = Path("model_comparison.json")
    """The file to write."""
    limit: int | None = None
    """Ask the first so many prompts only."""
    turns: Literal["all", "last"] = "all"
    """Of a prompt that is a conversation: ask for every answer in it, each after the true turns
    before it, or for the last one only."""
    batch_size: int | None = None
    """Most prompts answered at once (each by every variant); more is faster and takes more memory.
    By default 12; on a GPU as many as its free memory holds, up to 256 answers."""
    calibrate: Literal["none", "prior"] = "none"
    """Where answers are labels: prior divides what the base gives a label by what it gives it after
    an empty input; it needs prompts whose input stands apart from the question."""
    few_shot: int | None = None
    """Ask the base with so many training examples before the question too, as base-few-shot; by
    default 4 where a train.jsonl lies beside the prompts, or the data that a run was trained on are
    unchanged. 0 leaves it out."""
    few_shot_by: Literal["nearest", "random"] = "nearest"
    """Which examples: the nearest to the question by TF-IDF, or some drawn with the seed."""
    system: str | None = None
    """Ask the base with this system message too, as base-prompted: a text, or a file that holds
    it."""
    no_baselines: bool = False
    """Leave out what answers without a model: the nearest training example and, where answers are
    labels, chance, majority class and TF-IDF + logistic regression."""
    must_work: Path | None = None
    """With `regressions` for PROMPTS: your own file of prompts that must still work, asked beside
    the set that comes with the package."""

    def __post_init__(self) -> None:
        """Reject what cannot be."""
        super().__post_init__()
        if len(set(self.merged)) != len(self.merged):
            raise ValueError(f"a run is given twice: {', '.join(self.merged)}")
        check_least_one(self, "limit", "batch_size")
        if self.engine != "builtin" and self.device != "auto":
            raise ValueError(f"device {self.device} is for the built-in loop; leave it out")
        if self.few_shot is not None and self.few_shot < 0:
            raise ValueError(f"few_shot must be at least 0, got {self.few_shot}")
        if self.system is not None and not self.system.strip():
            raise ValueError("system is empty; give a text, or the file that holds it")

    @property
    def names_any(self) -> bool:
        """Whether anything is named that answers."""
        return super().names_any or bool(self.merged)

    @property
    def system_text(self) -> str:
        """The system message of base-prompted, read from its file where it is one; empty: none.

        Raises:
            InputError: The file is missing, empty or no UTF-8.
        """
        system = self.system or ""
        is_name = "\n" not in system and len(system) < 250
        if not is_name or not (system.endswith((".txt", ".md")) or Path(system).is_file()):
            return system
        text = read_text(Path(system)).strip()
        if not text:
            raise InputError(f"{system} is empty; it should hold the system message")
        return text


DECIDE_NOTHING = (
    "endpoint", "quantized", "few_shot", "few_shot_by", "system", "turns", "calibrate",
    "no_baselines",
)  # fmt: skip
"""Settings of a comparison that have no part in asking for regressions."""


@dataclass(frozen=True, kw_only=True)
class RegressionsConfig(CompareConfig):
    """What is asked for regressions, and how: its defaults are those of short answers."""

    max_new_tokens: int = 32
    out: Path = Path(FILE)

    def __post_init__(self) -> None:
        """Reject what decides nothing here."""
        super().__post_init__()
        if self.engine != "builtin":
            raise ValueError("regressions are scored by the built-in loop; leave engine out")
        defaults = {one.name: one.default for one in fields(self)}
        for name in DECIDE_NOTHING:
            if getattr(self, name) not in (defaults[name], 0):  # few_shot 0 leaves it out
                raise ValueError(
                    f"{name} decides nothing for regressions: the base is asked in its own "
                    "template, and each run in its own; leave it out"
                )
