"""Variants: the models whose answers a comparison holds, and a run described as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuneproof.formats.codec import LARGEST, encode
from tuneproof.formats.run import Run
from tuneproof.formats.training_log import validation_curve


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How many parameters a model has."""

    trainable: float | None
    """Those that were trained."""
    total: float | None
    """All of them."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a training took, its evaluations apart; None where it is not recorded."""

    flops: float | None = None
    """Floating-point operations."""
    tokens: float | None = None
    """Tokens seen, without padding."""
    seconds: float | None = None
    """Wall time of the steps."""
    epochs: float | None = None
    """Passes over the examples."""
    peak_gpu_memory_bytes: float | None = None
    """Most GPU memory."""
    curve: tuple[Mapping[str, float], ...] = ()
    """Its evaluations: step, epoch, flops, tokens, seconds, validation_loss and
    validation_accuracy, as far as they are known."""


POINT = ("step", "epoch", "flops", "tokens", "seconds", "validation_loss", "validation_accuracy")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One model whose answers were recorded.

    Other programs write such files too: a detail of another type than it should have counts as
    unknown, and whatever else there is is kept.
    """

    name: str
    """The key of its answers; unique."""
    details: Mapping[str, Any] = field(default_factory=dict, metadata={"rest": True})
    """All other keys of the file: `model`, `adapter`, `method`, `kind` (``base``: not tuned,
    however it was asked; ``baseline``, ``head``, ``model``: another model, or ``endpoint``: one
    behind a server), `url`, `template`, `template_variables`, `shots` (`k`,
    `by`, `seed`, `file` and `mean`: how many there was room for), `system`, `label_sentence`,
    `training_seed`, `settings_sha256` (the same for runs that differ in their seed alone),
    `quantization`, `parameters`, `training`, `training_seconds`, `peak_memory_bytes`,
    `load_seconds`, `weights_bytes`, `tokens_per_second`, `merged`, `serves` (of a merged model or a
    GGUF file: `run`, and how many of its `prompts` are the run's, token by token: `same_prompts`;
    the `first_difference`, and `stops_missing`), and the mean cost of an answer:
    `prompt_tokens`, `answer_tokens`, `seconds_per_answer`, ..."""

    @property
    def model(self) -> str | None:
        """The base model."""
        return self._text("model")

    @property
    def adapter(self) -> str | None:
        """The folder of its adapter."""
        return self._text("adapter")

    @property
    def template(self) -> str | None:
        """Its prompt template, where that is not the comparison's."""
        return self._text("template")

    @property
    def decoding(self) -> Mapping[str, Any]:
        """Its settings of decoding, where those are not the comparison's."""
        return self._object("decoding") or {}

    @property
    def is_baseline(self) -> bool:
        """Whether it is a classical baseline and no language model."""
        return self._text("kind") == "baseline"

    @property
    def is_base(self) -> bool:
        """Whether it is the base, not tuned, in one of the ways in which it was asked."""
        return self.name == "base" or self._text("kind") == "base"

    @property
    def is_tuned(self) -> bool:
        """Whether it was made from the base by training, as far as the file says."""
        return not self.is_base and self._text("kind") not in ("baseline", "model", "endpoint")

    @property
    def seed(self) -> int | None:
        """The seed of its training; None where there was none, or it is not recorded."""
        seed = self.details.get("training_seed")
        return seed if isinstance(seed, int) and not isinstance(seed, bool) else None

    @property
    def settings_sha256(self) -> str | None:
        """A hash of all that it was trained from but the seed."""
        return self._text("settings_sha256")

    @property
    def is_head(self) -> bool:
        """Whether it is a classification head."""
        return self._text("kind") == "head"

    @property
    def is_merged(self) -> bool:
        """Whether it is an adapter merged into its base."""
        return self.details.get("merged") is True

    @property
    def parameters(self) -> Parameters:
        """How many parameters it has."""
        row = self._object("parameters") or {}
        return Parameters(trainable=_number(row, "trainable"), total=_number(row, "total"))

    @property
    def training_seconds(self) -> float | None:
        """Wall time of its training, evaluations included."""
        return _number(self.details, "training_seconds")

    @property
    def peak_memory_bytes(self) -> float | None:
        """Most memory that its training held."""
        return _number(self.details, "peak_memory_bytes")

    @property
    def training(self) -> Training | None:
        """What its training took; None where the file says nothing of one."""
        row = self._object("training")
        if row is None:
            return None
        listed = row.get("curve")
        curve = [_point(point) for point in listed] if isinstance(listed, list) else []
        return Training(
            flops=_number(row, "flops"),
            tokens=_number(row, "tokens"),
            seconds=_number(row, "seconds"),
            epochs=_number(row, "epochs"),
            peak_gpu_memory_bytes=_number(row, "peak_gpu_memory_bytes"),
            curve=tuple(point for point in curve if point is not None),
        )

    def number(self, key: str) -> float | None:
        """Return a detail that is a number and not negative, else None."""
        return _number(self.details, key)

    def _text(self, key: str) -> str | None:
        value = self.details.get(key)
        return value if isinstance(value, str) else None

    def _object(self, key: str) -> Mapping[str, Any] | None:
        value = self.details.get(key)
        return value if isinstance(value, Mapping) else None


def described(run: Run) -> dict[str, Any]:
    """Return a finished run as a comparison file records it."""
    return {
        "name": run.name,
        "model": run.base.model,
        "adapter": None if run.is_whole else str(run.adapter),
        "method": run.method,
        "training_seed": run.seed,
        "settings_sha256": run.settings_hash,
        "quantization": encode(run.quantization),
        "parameters": encode(run.parameters),
        "training_seconds": run.outcome.wall_seconds,
        "peak_memory_bytes": run.outcome.peak_memory_bytes,
        "training": training_of(run),
    }


def training_of(run: Run) -> dict[str, Any]:
    """Return what a finished training took, with a point for each of its evaluations.

    Values that an older run did not record are left out.
    """
    result = run.outcome
    taken = {
        "flops": result.flops,
        "tokens": result.tokens_seen,
        "seconds": result.train_seconds,
        "epochs": result.epochs,
        "peak_gpu_memory_bytes": result.peak_gpu_memory_bytes,
    }
    known = {name: value for name, value in taken.items() if value is not None}
    return {**known, "curve": validation_curve(run.metrics)}


def _point(row: Any) -> dict[str, float] | None:
    """Return an evaluation of a training, as far as it is numbers."""
    if not isinstance(row, Mapping):
        return None
    return {name: value for name in POINT if (value := _number(row, name)) is not None}


def _number(row: Mapping[str, Any], key: str) -> float | None:
    """Return a value that is a finite number and not negative, else None."""
    value = row.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if 0 <= value <= LARGEST else None
