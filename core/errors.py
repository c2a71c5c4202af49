"""The one exception a user causes, and how a command shows it: one line, exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import click


class InputError(ValueError):
    """What the user gave cannot be used.

    The message says what is wrong, where (``file:line``), the value seen, and what to type instead.
    """


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Return the error for a name that is not among the known ones, with the nearest match."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(names) if names else "none yet"
    return InputError(f"unknown {kind} {name!r}.{hint} Known: {listed}")


class Group(click.Group):
    """A click group whose commands report an InputError as one line with exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command; only an InputError becomes a message, other faults keep theirs."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            failure = click.ClickException(" ".join(str(error).split("\n")))
            failure.exit_code = 2
            raise failure from error
        except KeyboardInterrupt:
            raise click.Abort from None
