from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.inference.conftest import CHATML
from tests.inference.test_endpoint import echo, serving
from tuneproof.formats.example import Message
from tuneproof.inference.chat import Loaded, Talk, talks_of
from tuneproof.inference.cli import main
from tuneproof.inference.config import Decoding, ModelsConfig


def said(role: Any, content: str) -> Message:
    return Message(role=role, content=content)


def test_server_is_told_the_history_until_it_is_reset() -> None:
    with serving(echo) as server:
        (talk,) = talks_of(ModelsConfig(endpoint=(f"s={server.url}",)))
        heard: list[str] = []
        for line in ("one", "two"):
            talk.ask(line, 1, heard.append)
        talk.reset()
        talk.ask("three", 1, heard.append)
    assert heard == ["  one!", "  two!", "  three!"]
    asked = [[m["content"] for m in body["messages"]] for body in server.asked]
    assert asked == [["one"], ["one", "  one!", "two"], ["three"]]


def test_command_talks_to_a_server() -> None:
    with serving(echo) as server:
        result = CliRunner().invoke(
            main, ["chat", "--endpoint", f"s={server.url}"], input="hi\n\n /reset\nyou\n"
        )
    assert result.exit_code == 0, result.output
    assert result.stdout == "s\n  hi!\n\ns\n  you!\n\n"
    assert result.stderr == "s shows an answer when it is whole\nbegun anew\n"
    assert len(server.asked[-1]["messages"]) == 1


def test_typed_bytes_that_are_no_text_are_asked_with_a_sign_in_their_place() -> None:
    with serving(echo) as server:
        command = [
            sys.executable,
            "-m",
            "tuneproof.inference",
            "chat",
            f"--endpoint=s={server.url}",
        ]
        done = subprocess.run(command, input=b"caf\xe9\n", capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert server.asked[-1]["messages"][0]["content"] == "caf\ufffd"


@pytest.mark.slow
def test_answers_come_token_by_token_and_are_those_of_the_comparison(
    variants: Any, kind: str
) -> None:
    from tuneproof.inference.generate import answer_batch

    decoding = Decoding(max_new_tokens=8)
    line = "What does river 3 carry?"
    for name in variants.names:
        pieces: list[str] = []
        talk = Talk(Loaded(name, variants, decoding))
        reply = talk.ask(line, 1, pieces.append)
        assert reply is not None
        assert "".join(pieces) == reply.text
        from tests.inference.conftest import prompts_of

        [batch] = answer_batch(variants, prompts_of(variants, [line], 8), decoding, 1)
        assert batch[name].text == reply.text
        assert len(list(filter(None, pieces))) > 1
        assert talk.history == [said("user", line), said("assistant", reply.text)]


@pytest.mark.slow
def test_too_long_a_line_counts_as_unsaid_and_old_turns_give_way(variants: Any, kind: str) -> None:
    talk = Talk(Loaded(f"{kind}-mud", variants, Decoding(max_new_tokens=8)))
    assert talk.ask("Ice? " * 200, 1, lambda piece: None) is None
    assert talk.history == []
    replies = [talk.ask("What does river 3 carry?", 1, lambda piece: None) for _ in range(6)]
    assert all(reply is not None for reply in replies)
    assert len(talk.history) == 12
    assert replies[0] is not None
    assert replies[0].text == "Mud."
    dropped = [reply.dropped_turns for reply in replies if reply is not None]
    assert dropped[0] == 0
    assert dropped[-1] > 0


@pytest.mark.slow
def test_each_is_asked_in_its_template_with_its_own_answers(
    make_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seed in (("one", 0), ("two", 1)):
        make_model(tmp_path / name, "llama", seed=seed)
    (tmp_path / "two" / "chat_template.jinja").write_text(CHATML)
    talks = talks_of(
        ModelsConfig(model=(str(tmp_path / "one"), str(tmp_path / "two")), max_new_tokens=4)
    )
    assert [talk.speaker.name for talk in talks] == ["base", "two"]
    asked: dict[str, list[str]] = {}
    from tuneproof.inference import chat

    real = chat.answer_one

    def spied(variants: Any, name: str, prompt: Any, *rest: Any) -> Any:
        asked.setdefault(name, []).append(variants.tokenizer.decode(prompt))
        return real(variants, name, prompt, *rest)

    monkeypatch.setattr(chat, "answer_one", spied)
    for line in ("Mud?", "Ice?"):
        for talk in talks:
            talk.ask(line, 1, lambda piece: None)
    first, second = (talk.history[1].content for talk in talks)
    assert "### Instruction:\nMud?" in asked["base"][1]
    assert f"### Response:\n{first}" in asked["base"][1]
    assert asked["two"][1] == (
        "<|im_start|>user\nMud?<|im_end|>\n<|im_start|>assistant\n"
        f"{second}<|im_end|>\n<|im_start|>user\nIce?<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.slow
def test_piped_lines_are_answered(runs: Path) -> None:
    arguments = ["chat", "--run", "gpt2-mud", "--runs", str(runs), "--max-new-tokens", "8"]
    typed = "What does river 3 carry?\n/reset\n  \n" + "Ice? " * 200 + "\nWhat does river 4 carry?"
    result = CliRunner().invoke(main, arguments, input=typed)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("gpt2-mud\nMud.\n") == 2
    assert result.stdout.count("base\n") == 3
    assert "> " not in result.stdout
    assert "gpt2-mud: that is longer than it can be asked\n" in result.stderr
    assert "begun anew" in result.stderr


def test_what_a_server_refuses_ends_no_conversation() -> None:
    def picky(body: dict[str, Any]) -> tuple[int, Any]:
        return echo(body) if len(body["messages"][-1]["content"]) < 9 else (400, {"error": "long"})

    with serving(picky) as server:
        result = CliRunner().invoke(
            main, ["chat", "--endpoint", f"s={server.url}"], input="something long\nhi\n"
        )
    assert result.exit_code == 0, result.output
    assert "s: no answer: " in result.stderr and "status 400" in result.stderr
    assert result.stdout == "s\ns\n  hi!\n\n"
