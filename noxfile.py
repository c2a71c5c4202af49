"""Install the wheel on every Python that is here and try it: `make wheels`, or `nox`.

    nox                                  every interpreter found, with all dependencies
    nox --python 3.12                    one of them
    nox -- --without-torch               leave out torch and what needs it: for a Python that torch
                                         has no wheel for, or a machine that cannot hold it

Interpreters that are not here are left out, and it is said which.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
TRAINING = ("accelerate", "bitsandbytes", "peft", "torch", "trl")
"""Dependencies that are torch, or install it; reports and data need none of them."""
ROOT = Path(__file__).parent
nox.options.error_on_missing_interpreters = False


@nox.session(python=PYTHONS)
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it by itself, and try it away from the checkout."""
    folder = Path(session.create_tmp())
    shutil.rmtree(ROOT / "build" / "lib", ignore_errors=True)  # may hold files that are gone
    build = ("pip", "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    session.run("python", "-m", *build, silent=True)
    (file,) = folder.glob("tuneproof-*.whl")
    is_light = "--without-torch" in session.posargs
    constraints = ("--constraint", str(ROOT / "constraints.txt"))
    if is_light:
        project = nox.project.load_toml(ROOT / "pyproject.toml")["project"]
        light = [one for one in project["dependencies"] if not one.startswith(TRAINING)]
        session.install(*constraints, *light)
        session.install("--no-deps", str(file))
    else:
        session.install(*constraints, str(file))
    session.chdir(folder)
    command = ("python", "-I", str(ROOT / "tests" / "wheel.py"))
    session.run(*command, *(("--without-torch",) if is_light else ()))
