"""The one exception a user causes, and how a command shows it: one line, exit code 2."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from typing import Any

import click

from tuneproof.log import lines_to, to_stderr

UNUSABLE_PATH = (
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)
"""The faults of a path that the user named, or of the disk it is on."""


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
    """A click group whose commands show log lines, and an InputError as one line with exit code 2.

    Options may be typed with underscores as well as dashes, as Python and YAML spell them.
    """

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Return click's context, for this group and its commands."""
        kwargs.setdefault("token_normalize_func", lambda name: name.replace("_", "-"))
        return super().make_context(*args, **kwargs)

    def __init__(self, *args: Any, **settings: Any) -> None:
        """Take click's settings, and add ``--version``."""
        super().__init__(*args, **settings)
        self.params.append(
            click.Option(
                ["--version"], is_flag=True, is_eager=True, expose_value=False,
                callback=_show_version, help="Show the version and exit.",
            )
        )  # fmt: skip

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command; only what the user can mend becomes a message."""
        try:
            with lines_to(to_stderr):
                return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            error.ctx = None  # else its one line comes under three of usage
            raise
        except InputError as error:
            raise _Failure(str(error)) from error
        except OSError as error:
            if error.errno not in UNUSABLE_PATH or error.filename is None:
                raise
            raise _Failure(f"{error.filename}: {error.strerror}") from error
        except KeyboardInterrupt:
            raise click.Abort from None


def _show_version(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        from importlib import metadata

        click.echo(f"{ctx.info_name} (tuneproof) {metadata.version('tuneproof')}")
        ctx.exit()


class _Failure(click.ClickException):
    """One line on stderr, and the exit code of a usage error."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        """Keep the message, on one line."""
        super().__init__(" ".join(message.split("\n")))
