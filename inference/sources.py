"""What the options name: the base, what is compared with it, and servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from tuneproof.errors import InputError, unknown
from tuneproof.files import fingerprint
from tuneproof.formats.example import digest
from tuneproof.formats.run import FILE, Data, Run, read_run
from tuneproof.formats.run_names import finished_run, is_form_of, name_of_run, runs_called
from tuneproof.formats.template import Template
from tuneproof.inference.config import CompareConfig, ModelsConfig
from tuneproof.inference.endpoint import Endpoint
from tuneproof.inference.subject import (
    Subject,
    from_adapter,
    from_model,
    from_run,
    name_of_folder,
    named,
)
from tuneproof.models import adapters
from tuneproof.models import load as models
from tuneproof.models.weights import weights_hash
from tuneproof.prompts import template as templates

Compared = TypeVar("Compared", bound=CompareConfig)


@dataclass(frozen=True, kw_only=True)
class Lineup:
    """All that is to answer."""

    base: str | None
    """The model that the others are compared with; None where only heads or servers answer."""
    template: Template | None
    """How the base is asked; None where nothing is said of it, so that a run decides."""
    subjects: tuple[Subject, ...]
    """Runs, adapters and further models."""
    merged: tuple[Subject, ...]
    """Runs whose adapters are to be merged."""
    heads: tuple[Run, ...]
    """Runs that trained a classification head."""
    endpoints: tuple[Endpoint, ...]
    """Servers."""


@dataclass(frozen=True, kw_only=True)
class _Templates:
    """What ``--template`` says."""

    default: str | None
    """Template of all variants that bring no chat template."""
    by_name: Mapping[str, str]
    """Template by variant, whatever that brings."""

    @classmethod
    def parsed(cls, texts: Sequence[str]) -> _Templates:
        """Read ``TEMPLATE`` and ``NAME=TEMPLATE``."""
        pairs = [named(text) for text in texts]
        defaults = [value for name, value in pairs if name is None]
        if len(defaults) > 1:
            raise InputError(
                f"--template is given twice ({', '.join(defaults)}); say for which variant: "
                f"NAME={defaults[1]}"
            )
        by_name = {name: value for name, value in pairs if name is not None}
        return cls(default=defaults[0] if defaults else None, by_name=by_name)

    def of(self, name: str, own: str | None, base: str | None = None) -> Template:
        """Return how a variant is asked.

        Args:
            name: The variant.
            own: The chat template that it brings; None where it brings none.
            base: That of its base, which it is asked in where nothing else is said.
        """
        if name in self.by_name:
            return templates.load(self.by_name[name], own or base)
        if own is not None:
            return templates.own(own)
        return templates.load(self.default or templates.AUTO, base)

    def check_used(self, brings: Mapping[str, bool]) -> None:
        """Raise InputError where some of what was typed decides nothing.

        Args:
            brings: Whether each variant that can be given a template brings one.
        """
        for name in self.by_name:
            if name not in brings:
                raise InputError(f"--template {name}=...: {unknown('variant', name, brings)}")
        if self.default is not None and all(brings.values()):
            hint = "a run is asked as it was trained"
            if brings:
                name = next(iter(brings))
                hint = f"all bring their own; say for which: --template {name}={self.default}"
            raise InputError(f"--template {self.default} decides nothing: {hint}")


def adapter_in_place_of_run(config: ModelsConfig, name: str) -> Path | None:
    """Return the folder of another tool's adapter that was given as a run, or None."""
    if (config.runs / name / FILE).is_file():
        return None
    named_there = [config.runs / name] if Path(name).name == name else []
    folders = (*named_there, Path(name).expanduser())
    return next((folder for folder in folders if adapters.is_adapter(folder)), None)


def data_of(config: CompareConfig) -> list[Data]:
    """Return what the named runs were trained on."""
    names = dict.fromkeys((*config.run, *config.merged))
    own = (name for name in names if adapter_in_place_of_run(config, name) is None)
    return [read_run(config.runs / name_of_run(config.runs, name)).data for name in own]


def adapters_of(config: ModelsConfig) -> dict[str, Path]:
    """Return the folders of adapters by variant; those of the Hub are fetched.

    Raises:
        InputError: One cannot be had, or two have the same name.
    """
    folders: dict[str, Path] = {}
    texts = [
        str(folder)
        for name in config.run
        if (folder := adapter_in_place_of_run(config, name)) is not None
    ]
    for text in (*texts, *config.adapter):
        is_plain = Path(text).expanduser().is_dir()
        given, location = (None, text) if is_plain else named(text)
        folder = adapters.find(location)
        is_local = Path(location).expanduser().is_dir()
        name = given or (name_of_folder(folder) if is_local else location.split("/")[-1])
        if name in folders:
            raise InputError(
                f"two adapters are called {name!r}; name one: --adapter NAME={location}"
            )
        folders[name] = folder
    return folders


def models_of(config: ModelsConfig) -> list[tuple[str, str]]:
    """Return name and model of each ``--model``, then of each ``--gguf``."""
    texts = (*config.model, *gguf_of(config))
    pairs = [(None, text) if Path(text).expanduser().exists() else named(text) for text in texts]
    return [(name or Path(model).name.removesuffix(".gguf"), model) for name, model in pairs]


def gguf_of(config: ModelsConfig) -> tuple[str, ...]:
    """Return what ``--gguf`` names, where there is such an option."""
    return config.gguf if isinstance(config, CompareConfig) else ()


def run_of(name: str, runs: Sequence[str], *, is_sure: bool = False) -> str | None:
    """Return the run that a served form is of: the one its name begins with, or the only one.

    Args:
        name: The served form.
        runs: The runs there are.
        is_sure: Whether only the name counts, since it may be another model.
    """
    fitting = [run for run in runs if is_form_of(name, run)]
    if fitting:
        return max(fitting, key=len)
    return runs[0] if len(runs) == 1 and not is_sure else None


def served_of(config: CompareConfig) -> dict[str, str]:
    """Return the run that each merged model and each GGUF file serves, by the variant's name."""
    files = models_of(config)[len(config.model) :]
    served = {name: run_of(name, config.run) for name, _ in files}
    served |= {f"{run}-merged": run for run in config.merged}
    return {name: run for name, run in served.items() if run is not None}


def with_seeds(config: Compared) -> Compared:
    """Return the options with NAME replaced by NAME-seed1, NAME-seed2, ... where only those are.

    A run may be given as its folder in `config.runs` too, as a shell completes it.
    """

    def called(names: Sequence[str]) -> tuple[str, ...]:
        resolved: list[str] = []
        for typed in names:
            if adapter_in_place_of_run(config, typed) is None:
                resolved += runs_called(config.runs, name_of_run(config.runs, typed))
            else:
                resolved.append(typed)
        return tuple(dict.fromkeys(resolved))

    return replace(config, run=called(config.run), merged=called(config.merged))


def lineup(config: ModelsConfig, merged: Sequence[str] = ()) -> Lineup:
    """Return all that the options name.

    The base is that of the runs; without runs the first ``--model``, else the one that the first
    adapter names.

    Args:
        config: The options.
        merged: Names of runs whose adapters are to be merged.

    Raises:
        InputError: Something cannot be had, or does not go together.
    """
    every = [
        finished_run(config.runs, name)
        for name in config.run
        if adapter_in_place_of_run(config, name) is None
    ]
    to_merge = [from_run(finished_run(config.runs, name)) for name in merged]
    runs = [from_run(run) for run in every if not run.is_classifier]
    folders = adapters_of(config)
    listed = models_of(config)
    base = next((one.model for one in (*runs, *to_merge)), None)
    others = listed
    is_given = base is None and bool(config.model)
    if is_given:
        base, others = listed[0][1], listed[1:]
        if base != config.model[0]:
            raise InputError(f"the first --model is called base: --model {base}")
    elif base is not None:
        others = [(n, model) for n, model in listed if models.stable_name(model) != base]
        is_given = len(others) < len(listed)
    for name, folder in folders.items():
        base = _base_for(name, folder, base, is_given=is_given)
    chosen = _Templates.parsed(config.template)
    chat = None if base is None else models.chat_template(base)
    brings = {} if base is None else {"base": chat is not None}
    subjects = list(runs)
    for name, folder in folders.items():
        own_chat = models.chat_template_in(folder)
        brings[name] = own_chat is not None
        assert base is not None
        template = chosen.of(name, own_chat, chat)
        subjects.append(from_adapter(name, folder, models.stable_name(base), template))
    for name, model in others:
        own = models.chat_template(model)
        brings[name] = own is not None
        subjects.append(from_model(name, model, chosen.of(name, own)))
    chosen.check_used(brings)
    is_said = chat is not None or "base" in chosen.by_name or chosen.default is not None
    return Lineup(
        base=None if base is None else models.stable_name(base),
        template=chosen.of("base", chat) if is_said and base is not None else None,
        subjects=tuple(subjects),
        merged=tuple(to_merge),
        heads=tuple(run for run in every if run.is_classifier),
        endpoints=endpoints_of(config),
    )


def endpoints_of(config: ModelsConfig) -> tuple[Endpoint, ...]:
    """Return the servers."""
    settings = {"timeout": config.endpoint_timeout, "concurrency": config.endpoint_concurrency}
    return tuple(Endpoint.parsed(text, **settings) for text in config.endpoint)


def _base_for(name: str, folder: Path, base: str | None, *, is_given: bool) -> str:
    """Return the base that an adapter is put on: the one of all, else the one that it names.

    Raises:
        InputError: It answers no prompts, or names no base, another one, or one that is not here.
    """
    stated = adapters.checked(folder).get("base_model_name_or_path")
    if base is not None and is_given:
        return base
    config = folder / adapters.CONFIG
    if not stated or not isinstance(stated, str):
        raise InputError(f"{config} names no base; give --model")
    try:
        models.chat_template(stated)
    except InputError as error:
        raise InputError(
            f"{config} names the base {stated!r}: {error}. Give the base as --model"
        ) from error
    if base is not None and models.stable_name(stated) != models.stable_name(base):
        raise InputError(
            f"adapter {name!r} was trained on {stated!r}, and the base here is {base!r}; "
            f"if they are the same, say so with --model {base}"
        )
    return base or str(stated)


def inputs_of(config: ModelsConfig) -> dict[str, str]:
    """Return hashes of all that models, adapters and templates hold and that decides answers.

    Raises:
        InputError: Something cannot be had.
    """
    hashes: dict[str, str] = {}
    for folder in adapters_of(config).values():
        files = (folder / name for name in adapters.FETCHED)
        hashes |= {str(file): fingerprint(file) for file in files if file.is_file()}
        if not config.model:
            stated = adapters.settings_of(folder).get("base_model_name_or_path")
            hashes |= _model_inputs(str(stated)) if stated else {}
    for _, model in models_of(config):
        hashes |= _model_inputs(model)
    for _, value in map(named, config.template):
        if (file := Path(value)).is_file():
            hashes[str(file)] = fingerprint(file)
    return hashes


def _model_inputs(model: str) -> dict[str, str]:
    return {
        f"weights of {model}": weights_hash(model),
        f"chat template of {model}": digest(models.chat_template(model) or ""),
    }
