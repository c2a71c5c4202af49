"""Plugins: what other installed packages add by entry points, loaded when it is first needed.

A package declares them in its pyproject.toml:

    [project.entry-points."tuneproof.metrics"]
    politeness = "my_package.metrics:POLITENESS"

The groups are ``tuneproof.sources``, ``tuneproof.metrics``, ``tuneproof.checks`` and
``tuneproof.templates``; docs/plugins.md says what each holds. A plugin that cannot be used is one
warning, and everything else works.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeVar

from tuneproof.finding import Finding
from tuneproof.text import one_line

Kind = Literal["sources", "metrics", "checks", "templates"]
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One entry point, loaded."""

    name: str
    """Its name, as it is typed."""
    value: Any
    """What it points at."""
    package: str
    """The distribution that brings it, with its version."""


def plugins(
    kind: Kind,
    type_: type[T],
    taken: Collection[str] = (),
    fault_of: Callable[[T], str] = lambda value: "",
) -> dict[str, T]:
    """Return the plugins of a kind by name; those that cannot be used are said once and left out.

    Args:
        kind: The group, without ``tuneproof.``.
        type_: What each must be.
        taken: Names of what comes with this package; a plugin does not replace it.
        fault_of: Returns what else is wrong with one; empty where nothing is.
    """
    usable: dict[str, T] = {}
    for plugin in _loaded(kind):
        if plugin.name in taken:
            _warn(kind, plugin.name, plugin.package, "that name is taken by tuneproof itself")
        elif not isinstance(plugin.value, type_):
            type_name = type(plugin.value).__name__
            needed = f"a {type_.__module__}.{type_.__qualname__} is needed, found {type_name}"
            _warn(kind, plugin.name, plugin.package, needed)
        elif fault := fault_of(plugin.value):
            _warn(kind, plugin.name, plugin.package, fault)
        else:
            usable[plugin.name] = plugin.value
    return usable


def plugin_versions(kind: Kind) -> dict[str, str]:
    """Return the packages that bring plugins of a kind, and their versions."""
    named = (plugin.package.partition(" ") for plugin in _loaded(kind))
    return {name: version for name, _, version in named if name}


def checks_of(what: Literal["comparison", "data", "run"], subject: Any) -> Iterator[Finding]:
    """Yield what the checks of plugins find in a comparison, a data folder or a run.

    A check says by the name of its one parameter what it looks at. One that fails is a warning.

    Args:
        what: The parameter's name.
        subject: What is looked at.
    """
    for plugin in _loaded("checks"):
        parameters = _parameters(plugin.value)
        if len(parameters) != 1 or parameters[0] not in ("comparison", "data", "run"):
            needed = "a function of one parameter is needed, comparison, data or run"
            _warn("checks", plugin.name, plugin.package, needed)
        elif parameters[0] == what:
            yield from _findings(plugin, subject)


def forget() -> None:
    """Look for plugins anew, and say again what is wrong with them."""
    _loaded.cache_clear()
    _warn.cache_clear()


def _findings(plugin: Plugin, subject: Any) -> list[Finding]:
    """Return what one check finds; whatever it raises is its own fault, and no other check's."""
    try:
        findings = list(plugin.value(subject))
    except Exception as error:
        _warn("checks", plugin.name, plugin.package, f"it failed: {_said(error)}")
        return []
    wrong = next((one for one in findings if not isinstance(one, Finding)), None)
    if wrong is not None:
        type_name = type(wrong).__name__
        needed = f"it must yield tuneproof.finding.Finding, found {type_name}"
        _warn("checks", plugin.name, plugin.package, needed)
        return []
    return findings


def _parameters(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


@cache
def _loaded(kind: Kind) -> tuple[Plugin, ...]:
    """Load the entry points of a kind; of a name that two packages have, the first counts."""
    loaded: dict[str, Plugin] = {}
    for point in entry_points(group=f"tuneproof.{kind}"):
        package = _package(point)
        if point.name in loaded:
            other = loaded[point.name].package
            _warn(kind, point.name, package, f"{other} has one of that name, which is used")
            continue
        try:
            value = point.load()
        except Exception as error:  # code of others, which may raise anything
            _warn(kind, point.name, package, _said(error))
            continue
        loaded[point.name] = Plugin(name=point.name, value=value, package=package)
    return tuple(loaded.values())


def _package(point: EntryPoint) -> str:
    return "" if point.dist is None else f"{point.dist.name} {point.dist.version}"


def _said(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}", 160)


@cache
def _warn(kind: Kind, name: str, package: str, why: str) -> None:
    """Say once why a plugin is left out."""
    log.warning(f"plugin {name!r} of {package} (tuneproof.{kind}) is left out: {why}")


def merged(own: Mapping[str, T], kind: Kind, type_: type[T]) -> dict[str, T]:
    """Return what comes with this package and what plugins add, by name."""
    return {**own, **plugins(kind, type_, own)}
