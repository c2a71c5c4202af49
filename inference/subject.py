"""What is compared with a base: a run, an adapter that another tool trained, or another model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.run import FourBit, Run
from tuneproof.formats.template import Template
from tuneproof.formats.variant import described
from tuneproof.models import adapters
from tuneproof.models import load as models
from tuneproof.models.weights import check_saved, check_weights


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One thing that answers beside the base, whoever made it."""

    name: str
    """What the variant is called."""
    model: str
    """The base; of a model that was made from no other here, itself."""
    weights_sha256: str | None = None
    """Hash of the base that it was trained on; None where nothing says."""
    template: Template
    """How it is asked."""
    max_length: int | None = None
    """Most tokens of an example it was trained on; None where nothing says."""
    adapter: Path | None = None
    """The folder of its adapter; None where it has all weights of its own."""
    whole: str | None = None
    """The model with its weights; None where it is an adapter."""
    names_labels: bool = False
    """Whether the question named the labels when it was trained."""
    quantization: FourBit | None = None
    """How its base is held; None leaves it as its files hold it."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What the comparison file says of it."""

    @property
    def stands_alone(self) -> bool:
        """Whether it was made from no other model here: its tokenizer and limits are its own."""
        return self.whole == self.model

    @property
    def shares_base(self) -> bool:
        """Whether it answers in one batch with the base and others."""
        if self.adapter is None or self.quantization is not None:
            return False
        return adapters.shares_base(self.adapter)

    def row(self, name: str = "") -> dict[str, Any]:
        """Return what the comparison file says of it, by default under its own name."""
        return {"name": name or self.name, **self.details}


def subject_of(one: Run | Subject) -> Subject:
    """Return a run as what is compared, or what is one already."""
    return from_run(one) if isinstance(one, Run) else one


def from_run(run: Run) -> Subject:
    """Return a finished run.

    Raises:
        InputError: It answers no prompts, or its weights are not those that it was left with.
    """
    if run.template is None:
        raise InputError(f"run {run.name!r} trained a classification head; it answers no prompts")
    check_saved(run)
    return Subject(
        name=run.name,
        model=run.base.model,
        weights_sha256=run.base.weights_sha256,
        template=run.template,
        max_length=run.max_length,
        names_labels=run.names_labels,
        adapter=None if run.is_whole else run.adapter,
        whole=str(run.saved) if run.is_whole else None,
        quantization=run.quantization,
        details={key: value for key, value in described(run).items() if key != "name"},
    )


def from_adapter(name: str, folder: Path, base: str, template: Template) -> Subject:
    """Return an adapter of any tool over a base.

    Args:
        name: What the variant is called.
        folder: It holds PEFT's files; see `tuneproof.models.adapters.checked`.
        base: The model that it is put on.
        template: How it is asked.
    """
    kind = str(adapters.settings_of(folder)["peft_type"])
    return Subject(
        name=name,
        model=base,
        template=template,
        adapter=folder,
        details={"model": base, "adapter": str(folder), "method": kind.lower()},
    )


def from_model(name: str, model: str, template: Template) -> Subject:
    """Return a model that was made from no other here."""
    known = models.stable_name(model)
    stored = models.stored_four_bit(model)
    return Subject(
        name=name,
        model=known,
        template=template,
        whole=known,
        quantization=stored,
        details={"kind": "model", "model": known, "adapter": None},
    )


def named(text: str) -> tuple[str | None, str]:
    """Return name and value of ``NAME=VALUE``; the name is None where there is only a value."""
    match = re.fullmatch(r"(?!\.)([^=/\\]+)=(.+)", text)
    return (match[1], match[2]) if match else (None, text)


def name_of_folder(folder: Path) -> str:
    """Return what an adapter is called by its folder; one called ``adapter`` by its parent."""
    folder = folder.resolve()
    return folder.parent.name if folder.name == "adapter" else folder.name


def common_base(subjects: Sequence[Subject], base: str | None) -> str:
    """Return the base of all; InputError where they differ, or its weights do."""
    if base is not None:
        base = models.stable_name(base)
    _check_same("base model", {one.name: one.model for one in subjects})
    known = {one.name: one.weights_sha256 for one in subjects if one.weights_sha256}
    _check_same("base weights", known)
    for name, sha256 in list(known.items())[:1]:
        check_weights(name, subjects[0].model, sha256)
    if base is None or subjects:
        base = subjects[0].model
    return base


def _check_same(what: str, values: dict[str, str]) -> None:
    """Raise InputError where runs differ in something."""
    if len(set(values.values())) > 1:
        listed = ", ".join(f"{name}: {value[:60]!r}" for name, value in values.items())
        raise InputError(f"the runs differ in their {what} ({listed}); compare them one by one")
