"""Write the pages that come from the code: `python -m docs.generate`, or `make docs`.

docs/cli.md lists every command with its options, docs/findings.md every code of the doctor. In
docs/formats.md the table of a dataclass's fields, and of the dataclasses that it holds, stands
between ``<!-- fields: MODULE.CLASS -->`` and ``<!-- end -->``. In docs/how-to-read-a-report.md the
metrics of a kind of task stand between ``<!-- metrics: TASK ... -->`` and ``<!-- end -->``, in
docs/experiments.md what a recipe does between ``<!-- recipe: NAME -->`` and ``<!-- end -->``.
docs/shop.csv is the data of the tutorial.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from docs import experiments, shop
from tuneproof.eval.metrics.metric import Metric
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.finding import Advice
from tuneproof.formats.codec import is_in_file, key_of
from tuneproof.options import field_docs

DOCS = Path(__file__).parent
COMMANDS = {
    "prepdata": "prepdata",
    "tune": "tuning",
    "infer": "inference",
    "score": "eval",
    "recipe": "recipes",
}
"""The name of each command, and its stage."""
FINDINGS = (
    ("In data", "tuneproof.prepdata.checks.advice", "DATA"),
    ("In a run, and in a comparison beside its run", "tuneproof.tuning.checks.advice", "RUN"),
    ("In a comparison", "tuneproof.eval.checks.advice", "COMPARISON"),
)
"""Title, module and name of every registry of codes."""
CLI_HEAD = """\
# The commands

Written by `make docs` from the commands themselves. `tuneproof tune list` and `python -m
tuneproof.tuning list` are the same as `tune list`, and so for every stage; from the repository
`python -m tuning list` is as well. `--config FILE` reads options from YAML; what is typed wins.
Results go to stdout, progress to stderr. Exit codes: 0; 1 where a check failed (`score gate`,
`score same`, `score verify`, `score selftest`, `tune doctor`), and after Ctrl-C; 2 where the call
or a file was wrong; 143 after SIGTERM.
"""
FINDINGS_HEAD = """\
# What the doctor can find

Written by `make docs` from the codes themselves. `tune doctor --data`, `--run` and `--comparison`
look for them; `prepdata build`, `tune run`, `infer compare` and `score report` do so by themselves
where they can. An error means that no conclusion holds, a warning that one should look at it, a
note that it is good to know. How bad it is depends on how many records or answers have it: the
table has what holds where many do, and one or two are a note. So is what the base does by nature.
[How well the checks of a comparison see](doctor.md) is measured.
"""
TABLE = re.compile(r"(<!-- fields: ([\w.]+) -->\n).*?(<!-- end -->\n)", re.DOTALL)
METRIC_TABLE = re.compile(r"(<!-- metrics: ([\w ]+) -->\n).*?(<!-- end -->\n)", re.DOTALL)
RECIPE = re.compile(r"(<!-- recipe: ([\w-]+) -->\n).*?(<!-- end -->\n)", re.DOTALL)
BETTER = {"higher": "higher", "lower": "lower", "none": "neither"}


def pages() -> dict[Path, str]:
    """Return the generated pages as they should be, by file."""
    formats, report = DOCS / "formats.md", DOCS / "how-to-read-a-report.md"
    recipes = DOCS / "experiments.md"
    return {
        DOCS / "cli.md": cli(),
        DOCS / "findings.md": findings(),
        formats: TABLE.sub(_with_fields, formats.read_text(encoding="utf-8")),
        report: METRIC_TABLE.sub(_with_metrics, report.read_text(encoding="utf-8")),
        recipes: RECIPE.sub(_with_recipe, recipes.read_text(encoding="utf-8")),
        DOCS / "shop.csv": shop.table(),
    }


def cli() -> str:
    """Return the page of the commands."""
    parts = [CLI_HEAD]
    for name, stage in COMMANDS.items():
        group: click.Group = import_module(f"tuneproof.{stage}.cli").main
        parts.append(f"## {name}\n\n{_text(group.help)}\n")
        parts += [
            "\n".join(_command(f"{name} {title}", command))
            for title, command in sorted(group.commands.items())
        ]
    group = import_module("tuneproof.cli").main
    parts.append(f"## tuneproof\n\n{_text(group.help)}\n")
    parts.append("\n".join(_command("tuneproof ui", import_module("tuneproof.ui.cli").main)))
    return "\n".join(parts)


def findings() -> str:
    """Return the page of the doctor's codes."""
    parts = [FINDINGS_HEAD]
    for title, module, name in FINDINGS:
        registry: Mapping[str, Advice] = getattr(import_module(module), name)
        rows = "".join(
            f"| `{code}` | {one.severity} | {_row(one.usually)} | {_row(one.mend)} |\n"
            for code, one in registry.items()
        )
        head = "| code | where many have it | what it usually means | what mends it |\n"
        parts.append(f"## {title}\n\n{head}|---|---|---|---|\n{rows}")
    return "\n".join(parts)


def _row(text: str) -> str:
    """Return a text as a cell, with the words that a finding fills in as capitals."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda word: word[1].upper(), text).replace("|", "\\|")


def _command(title: str, command: click.Command) -> Iterator[str]:
    """Yield the lines of a command's section."""
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    usage = " ".join(_usage(argument) for argument in arguments)
    yield f"### {title}\n"
    yield f"```\n{title} [OPTIONS] {usage}".rstrip() + "\n```\n"
    yield f"{_text(command.help)}\n"
    options = [one for one in command.params if isinstance(one, click.Option)]
    if options:
        yield "| option | meaning |\n|---|---|"
        for option in options:
            names = ", ".join([*option.opts, *option.secondary_opts])
            yield f"| `{names}{_values(option)}` | {_cell(option)} |"
        yield ""
    if command.epilog:
        yield f"```\n{command.epilog.replace(chr(8), '').strip()}\n```\n"


def _usage(argument: click.Argument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    name += "..." if argument.nargs == -1 and not name.endswith("...") else ""
    return name if argument.required else f"[{name}]"


def _values(option: click.Option) -> str:
    """Return what an option takes."""
    if option.is_flag:
        return ""
    kind = option.type
    if isinstance(kind, click.Choice):
        values = [str(choice) for choice in kind.choices]
        return f" {{{','.join(values)}}}" if len(values) <= 6 else " NAME"
    return f" {kind.name.upper()}"


def _cell(option: click.Option) -> str:
    text = _text(option.help)
    default = option.default
    if option.show_default and isinstance(default, bool | int | float | str | Path):
        shown = ("on" if default else "off") if isinstance(default, bool) else default
        text += f" [default: {shown}]"
    return text.replace("|", "\\|")


def _text(text: str | None) -> str:
    """Return a help text on one line per paragraph."""
    paragraphs = (text or "").replace("\b", "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).strip()


def _with_recipe(block: re.Match[str]) -> str:
    """Return a marked block with what a recipe trains and what was measured."""
    return f"{block[1]}\n{experiments.experiment(block[2])}\n{block[3]}"


def _with_metrics(block: re.Match[str]) -> str:
    """Return a marked block with the table of the metrics of some kinds of task."""
    rows = [_metric(n, m) for n, m in METRICS.items() if m.task in block[2].split()]
    head = (
        "| metric | what it measures | range | better | not available where | weakness | source |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    return f"{block[1]}{head}{''.join(rows)}{block[3]}"


def _metric(name: str, metric: Metric) -> str:
    cells = (
        f"{metric.title} `{name}`",
        metric.definition,
        metric.range,
        BETTER[metric.direction],
        "; ".join(metric.missing),
        metric.weakness,
        metric.source,
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _with_fields(block: re.Match[str]) -> str:
    """Return a marked block with the tables of its dataclass and of those that it holds."""
    module, _, name = block[2].rpartition(".")
    kinds: list[Any] = [getattr(import_module(module), name)]
    for kind in kinds:
        hints = typing.get_type_hints(kind)
        held = (part for field in _in_file(kind) for part in _dataclasses(hints[field.name]))
        kinds += [part for part in dict.fromkeys(held) if part not in kinds]
    first, *parts = map(_fields, kinds)
    heads = (f"\n`{kind.__name__}`: {_summary(kind)}\n\n" for kind in kinds[1:])
    tables = (head + table for head, table in zip(heads, parts, strict=True))
    return f"{block[1]}{first}{''.join(tables)}{block[3]}"


def _fields(kind: Any) -> str:
    """Return the table of a dataclass's fields."""
    docs, hints = field_docs(kind), typing.get_type_hints(kind)
    rows = [
        f"| {_key(field)} | {_type(hints[field.name])} | {_meaning(docs.get(field.name, ''))} |\n"
        for field in _in_file(kind)
    ]
    return f"| key | type | meaning |\n|---|---|---|\n{''.join(rows)}"


def _in_file(kind: Any) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(kind) if is_in_file(field)]


def _key(field: dataclasses.Field[Any]) -> str:
    return "others" if field.metadata.get("rest") else f"`{key_of(field)}`"


def _summary(kind: Any) -> str:
    """Return the first paragraph of a docstring."""
    return " ".join(kind.__doc__.split("\n\n")[0].split())


def _meaning(text: str) -> str:
    """Return the text under a field in the words of JSON and Markdown."""
    return re.sub(r"\bNone\b", "null", text.replace("``", "`")).replace("|", "\\|")


def _dataclasses(hint: Any) -> Iterator[Any]:
    """Yield the dataclasses that a type is made of."""
    if dataclasses.is_dataclass(hint):
        yield hint
    for part in typing.get_args(hint):
        yield from _dataclasses(part)


def _type(hint: Any) -> str:
    """Return a type in the words of JSON."""
    origin, parts = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_type, parts))
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in parts)
    if origin in (Mapping, dict):
        return "object" if parts[1] is Any else f"object of {_type(parts[1])}"
    if origin in (Sequence, list, tuple):
        return f"list of {_type(parts[0])}"
    if dataclasses.is_dataclass(hint):
        return f"`{hint.__name__}`"  # type: ignore[union-attr]
    return {types.NoneType: "null", Any: "any", str: "text", bool: "true or false"}.get(
        hint, "whole number" if hint is int else "number"
    )


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
