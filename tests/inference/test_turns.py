"""Conversations as prompts of a comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.inference.test_endpoint import echo, serving
from tuneproof.formats.comparison import Comparison, read_comparison
from tuneproof.formats.example import read_prompts
from tuneproof.inference.cli import main
from tuneproof.inference.compare import compare
from tuneproof.inference.config import CompareConfig
from tuneproof.inference.turns import asked_turns

TURNS = [
    ("system", "You are a river."),
    ("user", "Who are you?"),
    ("assistant", "A river."),
    ("user", "What do you carry?"),
    ("assistant", "Mud."),
    ("user", "Where to?"),
    ("assistant", "To the sea."),
]


def messages(*turns: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in turns]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [
        {"id": "c", "task": "river", "messages": messages(*TURNS)},
        {"id": "one", "messages": messages(*TURNS[1:3])},
        {"id": "open", "messages": messages(*TURNS[1:4])},
        {"id": "plain", "prompt": "Ice?", "reference": "Yes."},
    ]
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def asked_of(file: Path, **settings: Any) -> tuple[Comparison, list[list[dict[str, str]]]]:
    with serving(echo) as server:
        config = CompareConfig(
            endpoint=(f"s={server.url}",), endpoint_concurrency=1, out=file.parent / "c.json",
            **settings,
        )  # fmt: skip
        compare(file, config)
    return read_comparison(config.out), [body["messages"] for body in server.asked]


def test_every_answer_is_asked_for_after_the_true_turns_before_it(file: Path) -> None:
    found, asked = asked_of(file)
    assert [item.id for item in found.items] == [
        "c#turn1", "c#turn2", "c#turn3", "one", "open#turn1", "open#turn2", "plain",
    ]  # fmt: skip
    assert {item.group for item in found.items[:3]} == {"c"}
    assert [item.reference for item in found.items] == [
        "A river.", "Mud.", "To the sea.", "A river.", "A river.", None, "Yes.",
    ]  # fmt: skip
    for end in (2, 4, 6):
        assert messages(*TURNS[:end]) in asked
    assert messages(*TURNS[1:4]) in asked
    assert len(asked) == 7
    third = found.items[2]
    assert (third.instruction, third.output, third.task) == ("Where to?", "To the sea.", "river")
    assert [turn.content for turn in third.messages] == [content for _, content in TURNS]
    assert found.items[3].messages == ()


def test_last_turns_only(file: Path) -> None:
    found, asked = asked_of(file, turns="last")
    assert [item.id for item in found.items] == ["c", "one", "open", "plain"]
    assert messages(*TURNS[:6]) in asked
    assert len(asked) == 4


def test_limit_counts_conversations(file: Path) -> None:
    found, _ = asked_of(file, limit=1)
    assert [item.id for item in found.items] == ["c#turn1", "c#turn2", "c#turn3"]


def test_last_turn_keeps_all_right_answers(tmp_path: Path) -> None:
    row = {"messages": messages(*TURNS[1:6]), "references": ["To the sea.", "Seawards."]}
    (tmp_path / "p.json").write_text(json.dumps([row]))
    *_, last = asked_turns(read_prompts(tmp_path / "p.json"), "all")
    assert last.references == ("To the sea.", "Seawards.")
    assert last.id == "prompt-1#turn3"


def test_report_shows_the_history(file: Path, tmp_path: Path) -> None:
    rivers = ["Rhine", "Nile", "Amur", "Lena", "Tigris", "Mekong"]
    rows = []
    for name in rivers:
        turns = [(role, f"{name}: {content}") for role, content in TURNS]
        rows.append(json.dumps({"id": name, "messages": messages(*turns)}))
    file.write_text("\n".join(rows))
    with serving(echo) as server:
        options = [f"--endpoint=a={server.url}", f"--endpoint=b={server.url}"]
        out = str(tmp_path / "c.json")
        done = CliRunner().invoke(main, ["compare", str(file), *options, "--out", out])
    assert done.exit_code == 0, done.output
    from tuneproof.eval.cli import main as score

    done = CliRunner().invoke(score, ["report", out, "--out", str(tmp_path), "--resamples", "200"])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report.html").read_text()
    shown = ["System", "Nile: You are a river."], ["User", "Nile: Who are you?"]
    assert json.dumps(shown, separators=(",", ":"))[1:-1] in page.replace('", "', '","')
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["counts"]["groups"] == 6


@pytest.mark.slow
def test_model_is_asked_with_the_history_in_its_template(file: Path, tmp_path: Path) -> None:
    from tuneproof.inference.sources import lineup
    from tuneproof.inference.variants import load_variants

    config = CompareConfig(model=("tiny",), out=tmp_path / "c.json")
    found = lineup(config)
    [variants] = load_variants((), base=found.base, template=found.template)
    items = asked_turns(read_prompts(file), "all")
    encoded = variants.ask("base", items[1], 8)
    assert encoded is not None
    text = variants.tokenizer.decode(encoded.prompt_ids)
    assert "You are a river.\n\nWho are you?" in text
    assert "### Response:\nA river." in text
    assert text.endswith("### Instruction:\nWhat do you carry?\n\n### Response:\n")


def test_greeting_after_a_system_message_is_no_answer(tmp_path: Path) -> None:
    turns = [TURNS[0], ("assistant", "Hello!"), *TURNS[1:5]]
    path = tmp_path / "greeted.jsonl"
    path.write_text(json.dumps({"id": "c", "messages": messages(*turns)}) + "\n")
    asked = asked_turns(read_prompts(path), "all")
    assert [(one.instruction, one.output) for one in asked] == [
        ("Who are you?", "A river."),
        ("What do you carry?", "Mud."),
    ]
