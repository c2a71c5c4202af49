"""Stamps: what a file was made from, and whether it would come out the same today.

Data folders, runs, comparisons, reports and sweeps each carry one. What counts is the same for
all: the settings, the inputs by their hashes, the code of the stage and the versions of what it
stands on. Where the result stands, how it is called, and whether it replaces another are no part
of it.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from tuneproof.files import fingerprint

ROOT = Path(__file__).parent
CODE = (".py", ".j2")


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """What a file was made from."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings that decide what it says, as JSON holds them."""
    inputs: Mapping[str, str | None] = field(default_factory=dict)
    """What was read, by name: a SHA-256 of the content, None for what was not there."""
    code: str = ""
    """SHA-256 of the stage's code and templates; see `code_fingerprint`."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of Python and the packages that decide what it says."""

    def __post_init__(self) -> None:
        """Bring the settings into the form that JSON gives back."""
        object.__setattr__(self, "settings", json.loads(json.dumps(self.settings, default=str)))

    @property
    def key(self) -> str:
        """One SHA-256 over all of it, as 64 hex digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def differing(self, other: Stamp, *, defaults: Mapping[str, Any] | None = None) -> list[str]:
        """Return what was asked for or read differently, by name; code and versions apart.

        Args:
            other: The stamp of today.
            defaults: What a setting was that is newer than this stamp.
        """
        settings = {**(defaults or {}), **self.settings}
        names = [*dict.fromkeys([*self.settings, *other.settings])]
        changed = [name for name in names if settings.get(name) != other.settings.get(name)]
        inputs = [*dict.fromkeys([*self.inputs, *other.inputs])]
        return changed + [
            name for name in inputs if self.inputs.get(name) != other.inputs.get(name)
        ]

    def made_otherwise(self, other: Stamp) -> list[str]:
        """Return what made it that is another today: ``the code``, or a package and its version."""
        changed = ["the code"] if self.code != other.code else []
        names = [*dict.fromkeys([*self.versions, *other.versions])]
        pairs = [(name, self.versions.get(name), other.versions.get(name)) for name in names]
        return changed + [f"{name} {now}" for name, then, now in pairs if then != now]


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of the packages; one may be "not installed"."""
    versions = {"python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run from a checkout that is not installed
            versions[name] = "not installed"
    return versions


def code_fingerprint(*rooms: str) -> str:
    """Return the SHA-256 of the code and templates of some of the package's folders.

    ``.`` is the package's own modules, without the folders beside them. A version number stays the
    same while the code is worked on; this does not.
    """
    digest = hashlib.sha256()
    for room in rooms:
        for path in sorted((ROOT / room).glob("*" if room == "." else "**/*")):
            if path.suffix in CODE:
                digest.update(f"{path.relative_to(ROOT).as_posix()} {fingerprint(path)}\n".encode())
    return digest.hexdigest()
