from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tuneproof.inference.chat import replies
from tuneproof.inference.cli import main
from tuneproof.inference.config import Decoding

pytestmark = pytest.mark.slow


def test_every_line_is_answered_by_all(variants: Any, kind: str) -> None:
    lines = ["What does river 3 carry?", "Ice? " * 200, "What does river 4 carry?"]
    first, too_long, last = replies([variants], lines, Decoding(max_new_tokens=8))
    assert too_long is None
    assert first is not None
    assert last is not None
    assert list(first) == variants.names
    assert first[f"{kind}-mud"].text == last[f"{kind}-mud"].text == "Mud."


def test_answer_that_does_not_fit_beside_the_question_shortens_nothing_else(variants: Any) -> None:
    [reply] = replies([variants], ["Ice?"], Decoding(max_new_tokens=100))
    assert reply is not None
    assert all(answer.tokens <= 100 for answer in reply.values())
    [too_long] = replies([variants], ["Ice? " * 15], Decoding(max_new_tokens=100))
    assert too_long is None


def test_piped_lines_are_answered(runs: Path) -> None:
    arguments = ["chat", "--run", "gpt2-mud", "--runs", str(runs), "--max-new-tokens", "8"]
    typed = "What does river 3 carry?\n\n  \n" + "Ice? " * 200 + "\nWhat does river 4 carry?"
    result = CliRunner().invoke(main, arguments, input=typed)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("gpt2-mud\nMud.\n") == 2
    assert result.stdout.count("base") == 2
    assert "> " not in result.stdout
    assert result.stderr == "that is longer than anything the run was trained on\n"
