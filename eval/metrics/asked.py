"""Metrics that are asked for by `--metric`: checks of form, and functions of your own.

A metric is written ``[NAME=]KIND[:ARGUMENT]`` with a kind of `KINDS`, or
``[NAME=]FILE.py:FUNCTION``.
"""

from __future__ import annotations

import importlib.util
import inspect
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.eval.metrics import form
from tuneproof.eval.metrics.metric import COLUMNS, Direction, Metric
from tuneproof.eval.metrics.registry import METRICS, added
from tuneproof.files import existing_file
from tuneproof.formats.report import Definition

KINDS: dict[str, tuple[str, Callable[[str], Metric]]] = {
    "json": ("valid_json", form.json_metric),
    "regex": ("regex", form.regex_metric),
    "contains": ("contains", form.contains_metric),
    "max-length": ("max_length", form.length_metric),
    "language": ("language", form.language_metric),
    "code": ("code_runs", form.code_metric),
}
"""Kind of check -> the name of its metric, and what makes it of the argument."""
NEEDS_ARGUMENT = ("regex", "max-length", "language")
_NAMED = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<rest>.+)", re.DOTALL)
_OWN = re.compile(r"(?P<file>.+\.py):(?P<function>\w+)(?::(?P<direction>higher|lower|none))?")


@contextmanager
def with_asked(specs: Sequence[str]) -> Iterator[None]:
    """Have the metrics that are asked for among all metrics while a block runs."""
    with added(metrics_asked(specs)):
        yield


@contextmanager
def with_defined(definitions: Mapping[str, Definition]) -> Iterator[None]:
    """Know the metrics of a report that are asked for, to read their figures while a block runs."""
    with added({n: _known(one) for n, one in definitions.items() if n not in METRICS}):
        yield


def metrics_asked(specs: Sequence[str]) -> dict[str, Metric]:
    """Return the metrics of `--metric`, by name.

    Raises:
        InputError: One cannot be read, or its name is taken.
    """
    asked: dict[str, Metric] = {}
    for spec in specs:
        name, metric = metric_of(spec)
        if name in asked or name in METRICS:
            raise InputError(f"--metric {spec}: {name!r} is taken; type --metric NAME={spec}")
        asked[name] = metric
    return asked


def metric_of(spec: str) -> tuple[str, Metric]:
    """Return name and metric of one ``--metric``.

    Raises:
        InputError: It cannot be read.
    """
    match = _NAMED.fullmatch(spec)
    if match is None:
        raise InputError("--metric is empty; type a check such as json, or FILE.py:FUNCTION")
    own = _OWN.fullmatch(match["rest"])
    if own is not None:
        direction: Any = own["direction"] or "higher"
        metric = own_metric(Path(own["file"]), own["function"], direction)
        return match["name"] or own["function"], metric
    kind, _, argument = match["rest"].partition(":")
    if kind not in KINDS:
        raise InputError(
            f"--metric {spec}: {unknown('check', kind, KINDS)}; or your own as FILE.py:FUNCTION"
        )
    if kind in NEEDS_ARGUMENT and not argument:
        raise InputError(f"--metric {spec}: of what? Type {kind}:ARGUMENT")
    name, make = KINDS[kind]
    metric = make(argument)
    title = match["name"]
    return title or name, replace(metric, title=title.replace("_", " ")) if title else metric


def files_of(specs: Sequence[str]) -> list[Path]:
    """Return the files that metrics are read from: their own code, and schemas."""
    rests = [match["rest"] for spec in specs if (match := _NAMED.fullmatch(spec))]
    owns = [Path(own["file"]) for rest in rests if (own := _OWN.fullmatch(rest))]
    return owns + [Path(rest.removeprefix("json:")) for rest in rests if rest[:5] == "json:"]


def is_asked(text: str) -> bool:
    """Return whether a text asks for a metric, and does not only name one."""
    return text not in METRICS and (text.partition(":")[0] in KINDS or ":" in text or "=" in text)


def own_metric(file: Path, name: str, direction: Direction) -> Metric:
    """Return a function of a Python file as a metric.

    Its parameters are named after what it reads (`Metric.function` lists them); it returns a number
    from 0 to 1, true or false, or None where an answer has no value. The first line of its
    docstring is the definition; ``-> bool`` makes its mean a share.

    Raises:
        InputError: There is no such function, or it reads what no answer has.
    """
    function = _loaded(file, name)
    read = inspect.signature(function).parameters
    for column in read:
        if column not in COLUMNS:
            raise InputError(f"{file}: {name}: {unknown('parameter', column, COLUMNS)}")

    returns = inspect.signature(function).return_annotation
    said = (inspect.getdoc(function) or f"What {name} of {file.name} returns.").splitlines()[0]
    return Metric(
        title=name.replace("_", " ").capitalize(),
        function=_guarded(function, file, name),
        direction=direction,
        unit="share" if returns in (bool, "bool") else "score",
        definition=said,
        source=f"{name} in {file.name}",
        weakness="Yours to know.",
        empty="as the function has it",
        task="any",
    )


def _guarded(function: Callable[..., Any], file: Path, name: str) -> Callable[..., float | None]:
    """Return a function whose faults are errors that name it and the answer."""

    @wraps(function)
    def value(**inputs: Any) -> float | None:
        try:
            result = function(**inputs)
        except Exception as error:
            kind = type(error).__name__
            raise InputError(
                f"{file}: {name} fails with {kind}: {error}, on {_shown(inputs)}"
            ) from error
        if result is None:
            return None
        if not isinstance(result, int | float) or not 0 <= result <= 1 or math.isnan(result):
            raise InputError(
                f"{file}: {name} returns {result!r} on {_shown(inputs)}; a number from 0 to 1, or "
                "None, is needed"
            )
        return float(result)

    return value


def _loaded(file: Path, name: str) -> Callable[..., Any]:
    """Return a function of a Python file."""
    spec = importlib.util.spec_from_file_location(f"_own_{file.stem}", existing_file(file))
    assert spec is not None and spec.loader is not None  # its name ends with .py
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{file} cannot be loaded: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not inspect.isfunction(function):
        defined = [key for key, one in vars(module).items() if inspect.isfunction(one)]
        raise InputError(f"{file}: {unknown('function', name, defined)}")
    return function


def _shown(inputs: Mapping[str, Any]) -> str:
    return f"the answer {str(inputs.get('prediction', ''))[:60]!r}"


def _known(definition: Definition) -> Metric:
    """Return a metric that a report defines; its values are in the report."""
    direction: Any = definition.direction
    unit: Any = definition.unit
    return Metric(
        title=definition.title,
        function=lambda prediction: None,
        direction=direction,
        unit=unit,
        definition=definition.definition,
        source=definition.source,
        weakness=definition.weakness,
        empty=definition.empty,
    )
