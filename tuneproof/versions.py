"""The versions that a result depends on, as every output records them."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from tuneproof.files import fingerprint

ROOT = Path(__file__).parent
CODE = (".py", ".j2")


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of the packages; one may be "not installed"."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run from a checkout that is not installed
            found[name] = "not installed"
    return found


def code_fingerprint(*rooms: str) -> str:
    """Return the SHA-256 of the code and templates of some of the package's folders.

    ``.`` is the package's own modules, without the folders beside them.

    A version number stays the same while the code is worked on; this does not.
    """
    digest = hashlib.sha256()
    for room in rooms:
        for path in sorted((ROOT / room).glob("*" if room == "." else "**/*")):
            if path.suffix in CODE:
                digest.update(f"{path.relative_to(ROOT).as_posix()} {fingerprint(path)}\n".encode())
    return digest.hexdigest()
