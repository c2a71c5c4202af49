"""The command `tuneproof ui`."""

from __future__ import annotations

from typing import Any

import click

from tuneproof.errors import InputError, reported
from tuneproof.options import options_from, resolve
from tuneproof.ui.config import UiConfig

NEEDED = ("starlette", "uvicorn")


@click.command(name="ui")
@options_from(UiConfig)
def main(**typed: Any) -> None:
    """Show runs, comparisons and reports in the browser, ask a run, start and watch a training.

    The page is for this machine and for whoever has its address, which holds a token. Ctrl-C ends
    it, and the training that was started in it; the same command goes on with that.
    """
    with reported("ui"):
        settings = resolve(UiConfig, typed)
        try:
            from tuneproof.ui.server import serve
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in NEEDED:
                raise
            raise InputError(
                f"the page needs the package {package}: pip install 'tuneproof[ui]'"
            ) from error
        serve(settings, click.echo)
