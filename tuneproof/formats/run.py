"""run.json: a training run, its settings, its data and its result.

A field whose default is None is left out of the file while it is None. Keys that no field holds are
kept, and written again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from pathlib import Path
from typing import Any, Literal

from tuneproof.errors import InputError, unknown
from tuneproof.files import read_json, write_json
from tuneproof.formats.codec import (
    decode,
    encode,
    has_schema,
    member,
    unknown_keys,
    with_unknown_keys,
)
from tuneproof.formats.data_folder import FILES, prompts_for
from tuneproof.formats.example import digest
from tuneproof.formats.template import Template
from tuneproof.stamp import Stamp

SCHEMA = "tuneproof/run@1"
LOCATION_ONLY = (
    "name", "runs", "overwrite", "template", "template_variable", "save_steps", "save_minutes",
    "device", "sample_prompts", "report_to",
)  # fmt: skip
"""Settings that say where and when a run is written, not how it is trained; a template's text
does."""
FILE = "run.json"
log = logging.getLogger(__name__)
State = Literal["running", "interrupted", "failed", "pruned", "finished"]
Weighting = Literal["example", "token"]
"""What counts the same in a loss."""


@dataclass(frozen=True, kw_only=True)
class FourBit:
    """How the weights of a base's linear layers are held, by bitsandbytes' names."""

    bnb_4bit_quant_type: Literal["nf4", "fp4"] = "nf4"
    """4-bit normal floats (Dettmers et al. 2023, "QLoRA") or plain ones."""
    bnb_4bit_use_double_quant: bool = True
    """Whether the scales of the blocks are quantised too."""
    bnb_4bit_compute_dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """What the weights become in a product, as asked for; a GPU without bfloat16 takes float16
    in its place, a CPU float32."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """SHA-256 of a tensor's float32 values around the training."""

    before: str
    """Before the first step."""
    after: str
    """Of the weights that are kept."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """A classification head."""

    labels: Sequence[str]
    """The label set, in the order of the logits."""
    modules: Sequence[str]
    """Names of the head's modules in the model."""
    pad_token_id: int
    """What texts are filled up with."""
    tensors: Mapping[str, Change] | None = None
    """The head's parameters by name; None before the training is done."""


@dataclass(frozen=True, kw_only=True)
class Base:
    """The model that was tuned."""

    model: str
    """``tiny``, ``smollm2``, the absolute path of a folder or GGUF file, or a Hub id."""
    weights_sha256: str
    """One hash over its weight files."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The examples of one split, as tokens."""

    examples: int
    """Those that are used."""
    tokens: int
    """Of all of them."""
    longest: int | None = None
    """Tokens of the longest; older runs do not say."""
    trained_tokens: int | None = None
    """Tokens that the loss covers; None where a head is trained."""
    shortened: int
    """Examples whose input (or end, where a head is trained) was cut to fit."""
    too_long: int | None = None
    """Examples left out as too long; None where a head is trained."""
    dropped_turns: int = field(default=0, metadata={"omit": True})
    """Messages left out at the beginning of conversations that were too long."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """The records a run was trained on."""

    folder: str
    """As it was given."""
    fingerprint: str
    """Hashes of the folder's files."""
    tasks: Sequence[str]
    """Names of the tasks in it."""
    labels: Mapping[str, Sequence[str]]
    """The label set of each task that has one."""
    train: Counts
    """What is trained on."""
    validation: Counts
    """What the best checkpoint is chosen by."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How many parameters a model has."""

    trainable: int
    """Those that are trained."""
    total: int
    """All of them."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a training reached, and what it cost; None where an older run did not record it."""

    steps: int
    """Optimizer steps."""
    epochs: float
    """Passes over the examples."""
    examples_seen: int
    """Examples of all steps."""
    tokens_seen: int
    """Tokens of them, without padding."""
    positions_seen: int | None = None
    """Tokens with padding; the shared beginning of a packed batch counts once."""
    flops: int | None = None
    """Floating-point operations, evaluations left out."""
    head_flops: int | None = None
    """Those of them that the output head took."""
    train_seconds: float | None = None
    """Wall time of the steps alone, without evaluations."""
    cpu_seconds: float | None = None
    """CPU time of the steps, over all cores."""
    gpu_seconds: float | None = None
    """GPU time of the steps; None without a GPU."""
    first_loss: float | None
    """Mean of the first tenth of the logged losses, in nats per token."""
    last_loss: float | None
    """Mean of the last tenth."""
    best_validation_loss: float | None
    """Of the weights that are kept; None without validation records."""
    best_step: int | None
    """The step of the weights that are kept."""
    best_validation_accuracy: float | None = None
    """Share of right labels of the weights that are kept, in [0, 1]."""
    wall_seconds: float
    """Of everything, over all sittings."""
    peak_memory_bytes: int
    """Most memory the process held."""
    peak_gpu_memory_bytes: int | None = None
    """Most GPU memory; None without a GPU."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """How the examples of an optimizer step go through the model."""

    per_device_train_batch_size: int
    """Examples at once."""
    gradient_accumulation_steps: int
    """How often, before the optimizer moves."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast a training was."""

    tokens_per_second: float
    """Tokens without padding, over the seconds of the steps."""
    matrix_flops_per_second: int
    """Of large matrix products on this machine."""
    share_of_limit: float
    """Operations of the useful tokens per second, as a share of that."""


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How many labels a trained head has right."""

    on: Literal["train", "validation"]
    """The split; the validation, where there is one."""
    examples: int
    """Number of them."""
    value: float
    """Share of right labels, in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder, read from its run.json."""

    folder: Path = field(metadata={"in_file": False})
    """``runs/NAME``; not in the file."""
    state: State
    """How far the training came; ``pruned``: a sweep ended it early."""
    config: Mapping[str, Any]
    """The settings of `tune run`, as JSON holds them."""
    template: Template | None
    """How prompts are rendered; None where texts are read as they are."""
    head: Head | None = None
    """None where answers are generated."""
    quantization: FourBit | None
    """How the base was held; None where it was whole."""
    unlikelihood: float | None = None
    """Weight of the loss on repeated tokens; None where a head is trained."""
    loss_weighting: Weighting | None = None
    """What counts the same in the loss; None where a head is trained, and in older files."""
    base: Base
    """The model that was tuned."""
    data: Data
    """What it was trained on."""
    parameters: Parameters
    """How many the model has."""
    adapted_layers: Sequence[str]
    """Names of the kinds of layers that have an adapter."""
    versions: Mapping[str, str]
    """Of Python and the packages that matter."""
    learning_rate: float
    """At its peak."""
    products: str
    """The dtype of matrix products."""
    device: str | None = None
    """Where it was trained: ``cpu``, ``mps``, or a GPU's name; None in older runs."""
    batch: Batch | None = None
    """How the examples of a step were shared out, where that was found by trying."""
    code: str | None = None
    """SHA-256 of the code that trained it; None in older runs."""
    processes: int | None = None
    """How many processes began it, each on a device of its own: their batches make up a step. None
    in older runs: one."""
    made_by: str
    """The command that asked for it: ``tune run``, ``recipe NAME``, ..."""
    result: Result | None
    """None before a training ended or was interrupted for the first time."""
    fast_paths: Mapping[str, int] | None = None
    """How many modules each fast path replaced."""
    fast_paths_left_out: Mapping[str, str] | None = None
    """Why the others were not used, by name; None in older runs."""
    speed: Speed | None = None
    """How fast it was."""
    ended_by: Literal["steps", "budget", "early-stopping"] | None = None
    """Whether the planned steps, a budget (max_seconds, max_tokens, max_flops) or evaluations that
    became no better (early_stopping_patience) ended it."""
    warnings: Sequence[str] | None = None
    """What the checks after the training found; None before them."""
    accuracy: Accuracy | None = None
    """Of a head; None where answers are generated."""
    weights_sha256: Mapping[str, str] | None = None
    """SHA-256 of each file of weights that was saved, by name; None before that, and in older
    runs."""
    unknown: Mapping[str, Any] = field(default_factory=dict, metadata={"in_file": False})
    """Keys of the file that no field holds, at any depth."""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def stamp(self) -> Stamp:
        """What the run was trained from."""
        inputs: dict[str, str | None] = {
            "the data": self.data.fingerprint,
            "the base's weights": self.base.weights_sha256,
        }
        if self.template is not None:
            inputs["the template's text"] = self.template.hash
        settings = {name: self.config[name] for name in self.config if name not in LOCATION_ONLY}
        return Stamp(settings=settings, inputs=inputs, code=self.code or "", versions=self.versions)

    @property
    def seed(self) -> int | None:
        """The seed it was trained with; None where it does not say."""
        seed = self.config.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def settings_hash(self) -> str:
        """A hash of all that it was trained from but its seed: runs that share it are repeats."""
        stamp = self.stamp
        settings = {name: value for name, value in stamp.settings.items() if name != "seed"}
        return digest(json.dumps([settings, dict(stamp.inputs)], sort_keys=True, default=str))

    @property
    def method(self) -> str:
        """How it was trained, such as ``lora``."""
        return str(self.config["method"])

    @property
    def objective(self) -> str:
        """``generate`` or ``classify``."""
        return str(self.config["objective"])

    @property
    def max_length(self) -> int:
        """Most tokens of an example."""
        where = f"{self.folder / FILE}: 'config'"
        return int(member(self.config, "max_length", int, where))

    @property
    def names_labels(self) -> bool:
        """Whether the questions it was trained on named the labels."""
        return self.config.get("name_labels") is True

    @property
    def is_classifier(self) -> bool:
        """Whether a classification head was trained, so that it answers no prompts."""
        return self.objective == "classify"

    @property
    def is_whole(self) -> bool:
        """Whether all weights were trained, so that the whole model is saved and no adapter."""
        return self.parameters.trainable == self.parameters.total

    @property
    def adapter(self) -> Path:
        """The folder of the best adapter."""
        return self.folder / "adapter"

    @property
    def saved(self) -> Path:
        """What the training left: the adapter, or the whole model where all weights are trained."""
        return self.folder / "model" if self.is_whole else self.adapter

    @property
    def weights(self) -> list[Path]:
        """The files of weights among it, by name."""
        return sorted(self.saved.glob("*.safetensors"))

    @property
    def metrics(self) -> Path:
        """The file of logged losses and evaluations."""
        return self.folder / "metrics.jsonl"

    @property
    def prompts(self) -> Path:
        """What to try the run on."""
        data = Path(self.data.folder)
        return data / FILES["test"] if self.is_classifier else prompts_for(data)

    @property
    def outcome(self) -> Result:
        """The result of a run that has one.

        Raises:
            InputError: It was never trained so far.
        """
        if self.result is None:
            raise InputError(f"run {self.name!r} has no result; it is {self.state}")
        return self.result

    def check_finished(self) -> None:
        """Raise InputError where the training is not done."""
        if self.state != "finished":
            raise InputError(
                f"run {self.name!r} is not finished (it is {self.state}); "
                "the same `tune run` command goes on with it"
            )


def read_run(folder: Path) -> Run:
    """Return the run in a folder, ``runs/NAME``.

    Raises:
        InputError: There is no such run (the message names the nearest of those that are there), or
            its run.json is none or lacks something.
    """
    file = folder / FILE
    if not file.is_file():
        known = [path.parent.name for path in sorted(folder.parent.glob(f"*/{FILE}"))]
        raise unknown("run", folder.name if known else str(folder), known)
    values = read_json(file)
    if not has_schema(values, SCHEMA):
        raise InputError(f"{file}: not a run of schema {SCHEMA}")
    values = _upgraded(values, str(file))
    run = decode(Run, values, str(file), folder=folder)
    return replace(run, unknown=unknown_keys(values, _encoded(run)))


def write_run(run: Run) -> None:
    """Write run.json, whole or not at all."""
    write_json(run.folder / FILE, with_unknown_keys(_encoded(run), run.unknown))


def _upgraded(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the file's content with what older versions did not record yet.

    Raises:
        InputError: A setting that everything needs is missing, or of another type.
    """
    config = dict(member(values, "config", dict, where))
    config.setdefault("objective", "generate")
    for name in ("model", "method", "objective"):
        member(config, name, str, f"{where}: 'config'")
    older = {
        "quantization": None,
        "learning_rate": config.get("learning_rate"),
        "products": "float32",
        "made_by": "tune run",
    }
    result = values.get("result")
    if isinstance(result, dict):  # a validation that diverged
        known = {k: v for k, v in result.items() if not (isinstance(v, float) and isnan(v))}
        values = {**values, "result": {**dict.fromkeys(result), **known}}
    return {**older, **values, "config": config}


def _encoded(run: Run) -> dict[str, Any]:
    return {"schema": SCHEMA, **encode(run, omit_none=True)}
