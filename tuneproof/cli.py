"""The `tuneproof` command: the commands of all stages under one name, and `ui`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

COMMANDS = {
    "prepdata": ("prepdata", "Turn sources into records, split so that nothing leaks."),
    "tune": ("tuning", "Fine-tune a small language model on them."),
    "infer": ("inference", "Ask base and runs the same questions, in the same way."),
    "score": ("eval", "Say what the answers are worth: metrics, intervals, verdicts."),
    "recipe": ("recipes", "Run all four in a row, from one YAML file."),
    "ui": ("ui", "Show it all in the browser; ask a run, start a training."),
}
"""The name of each command, the folder that has it, and what it does."""


class Commands(click.Group):
    """Loads a command when it is asked for; each shows its own log lines and errors."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        folder, _ = COMMANDS[cmd_name]
        command: click.Command = import_module(f"tuneproof.{folder}.cli").main
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, does) for name, (_, does) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a wrong call is one line."""
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            error.ctx = None
            raise


@click.group(
    cls=Commands, context_settings={"token_normalize_func": lambda name: name.replace("_", "-")}
)
@click.version_option(package_name="tuneproof", message="%(prog)s %(version)s")
def main() -> None:
    """Fine-tune a small language model, and prove whether it helped.

    `tuneproof tune run` is the same as `tune run`, and so for every command of a stage.
    """
