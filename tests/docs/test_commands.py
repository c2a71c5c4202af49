"""What the pages tell people to type exists: commands, their options, and tests that show them."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import click
import pytest

from docs.generate import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
FEATURES = (ROOT / "docs/features.md").read_text(encoding="utf-8")
TYPED = re.compile(rf"(?:^(?:\$ )?|`)((?:{'|'.join(COMMANDS)}) [a-z][^`\n]*)", re.M)


def typed(text: str) -> list[str]:
    """Return the commands of a page, each on one line."""
    joined = re.sub(r" *\\\n\s*", " ", text)
    return [line.split("   ")[0].split(" #")[0].strip() for line in TYPED.findall(joined)]


def fault(line: str) -> str | None:
    """Return what of a command does not exist; None where all of it does."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    group: click.Group = import_module(f"tuneproof.{COMMANDS[words[0]]}.cli").main
    command = group.commands.get(words[1])
    if command is None:
        return f"no command {' '.join(words[:2])}"
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    for word in words[2:]:
        name = word.split("=")[0].rstrip(".,;:)").replace("_", "-")
        if re.fullmatch(r"--[a-z][\w-]*", name) and name not in {*known, "--help", "--version"}:
            return f"{' '.join(words[:2])} has no {name}"
    return None


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_named_exist(page: str) -> None:
    lines = typed((ROOT / page).read_text(encoding="utf-8"))
    assert [f"{line}: {said}" for line in lines if (said := fault(line))] == []


def test_what_does_not_exist_is_seen() -> None:
    assert typed("`tune run --a \\\n  b`\n$ score same X  # why\nthe tune of it") == [
        "tune run --a b", "score same X",
    ]  # fmt: skip
    assert fault("tune sing") == "no command tune sing"
    assert fault("tune run --lora_r 4 --loud") == "tune run has no --loud"
    assert fault("score report FILE --out=reports") is None


def rows() -> list[list[str]]:
    """Return the rows of the page of features as cells."""
    lines = re.findall(r"^\| (?!feature).*\|$", FEATURES, re.M)
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_feature_has_a_command_a_page_and_a_test() -> None:
    assert len(rows()) > 60
    for feature, command, page, shown in rows():
        assert re.fullmatch(r"`[^`]+`", command), feature
        assert re.match(r"\[[^]]+\]\([^)]+\)", page), feature
        tests = re.findall(r"`(tests/[\w/.]+\.py)`", shown)
        assert tests, feature
        assert [test for test in tests if not (ROOT / test).is_file()] == [], feature


def test_every_command_has_a_row() -> None:
    named = {" ".join(line.split()[:2]) for line in typed(FEATURES)}
    there = {
        f"{name} {command}"
        for name, stage in COMMANDS.items()
        for command in import_module(f"tuneproof.{stage}.cli").main.commands
    }
    assert there - named - {"recipe list", "tune list"} == set()
