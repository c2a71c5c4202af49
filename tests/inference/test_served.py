from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tuneproof.formats.example import Example, Message
from tuneproof.inference.endpoint import Endpoint
from tuneproof.inference.panel import Asked, Panel, Speed
from tuneproof.inference.served import note_server
from tuneproof.inference.sources import run_of
from tuneproof.inference.subject import Subject, from_model
from tuneproof.inference.variants import load_variants
from tuneproof.prompts import template as templates

QUESTIONS = {name: [Message(role="user", content=name)] for name in ("Mud?", "Ice?")}


def tokens(text: str) -> list[int]:
    return [1, *text.encode()]


@contextmanager
def serving(kind: str, begins: int = 1) -> Iterator[Endpoint]:
    """Serve the addresses by which vLLM or llama.cpp shows tokens; `begins` is the first one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, value = self._answer(body)
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _answer(self, body: dict[str, Any]) -> tuple[int, Any]:
            if kind == "vllm" and self.path == "/tokenize":
                assert body["add_generation_prompt"] is True
                return 200, {"tokens": [begins, *body["messages"][-1]["content"].encode()]}
            if kind == "llama.cpp" and self.path == "/apply-template":
                return 200, {"prompt": body["messages"][-1]["content"]}
            if kind == "llama.cpp" and self.path == "/tokenize":
                text = body.get("content", "")
                return 200, {"tokens": [begins, *text.encode()] if text else []}
            return 404, {"error": "not found"}

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield Endpoint("mine-server", f"http://127.0.0.1:{http.server_port}/v1", "mine")
    finally:
        http.shutdown()
        http.server_close()


def noted(endpoint: Endpoint, shortened: frozenset[str] = frozenset()) -> Any:
    ids = {name: {"mine": tokens(name)} for name in QUESTIONS}
    asked = Asked(ids=ids, shots={}, too_long={}, shortened=shortened)
    panel = Panel(variants=[{"name": "mine"}], answer=lambda *_: [], asked=asked, speed=Speed())
    described: dict[str, Any] = {"name": endpoint.name}
    note_server(endpoint, described, "mine", [panel], QUESTIONS)
    return described["serves"]


@pytest.mark.parametrize("kind", ["vllm", "llama.cpp"])
def test_tokens_of_a_server_are_compared_with_the_runs(kind: str) -> None:
    with serving(kind) as endpoint:
        assert noted(endpoint) == {"run": "mine", "prompts": 2, "same_prompts": 2}


@pytest.mark.parametrize("kind", ["vllm", "llama.cpp"])
def test_another_first_token_is_named_and_warned_of(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(kind, begins=2) as endpoint, caplog.at_level(logging.WARNING):
        row = noted(endpoint)
    assert (row["prompts"], row["same_prompts"]) == (2, 0)
    assert row["first_difference"].startswith("Mud?, from token 0: [2, 77")
    assert "mine-server is asked by other tokens than mine in 2 of 2 prompts" in caplog.text


def test_prompt_that_is_shortened_for_the_run_alone_is_called_so() -> None:
    with serving("llama.cpp", begins=2) as endpoint:
        row = noted(endpoint, shortened=frozenset(QUESTIONS))
    assert row["first_difference"].endswith(", shortened to the length of its training")


def test_server_that_shows_no_tokens_is_left_alone() -> None:
    with serving("other") as endpoint:
        assert noted(endpoint) == {"run": "mine"}


def test_served_model_is_asked_within_the_length_of_its_run(
    make_model: Callable[..., Path], tmp_path: Path
) -> None:
    base, tuned, file = (str(make_model(tmp_path / name)) for name in ("base", "tuned", "file"))
    asked_in = templates.load("instruct")
    run = Subject(name="mine", model=base, template=asked_in, max_length=60, whole=tuned)
    served = from_model("mine-q8", file, templates.load("brief"))
    deep = "It is wide and deep. " * 30
    long = Example(id="a", task="river", instruction="Mud?", input=deep, group="a")
    for names, is_as_long in (({"mine-q8": "mine"}, True), ({}, False)):
        _, ours, theirs = load_variants([run, served], served=names)
        asked = [one.ask(*one.names, long, 8) for one in (ours, theirs)]
        lengths = [len(one.prompt_ids) for one in asked if one is not None]
        assert (max(lengths) <= 60) == is_as_long
        assert theirs.forms["mine-q8"].template == served.template


def test_served_form_is_of_the_run_that_its_name_begins_with() -> None:
    assert run_of("mine-q8", ["mine", "mine-seed1"]) == "mine"
    assert run_of("mine-seed1-q8", ["mine", "mine-seed1"]) == "mine-seed1"
    assert run_of("mine.Q8_0", ["mine", "other"]) == "mine"
    assert run_of("mine2", ["mine", "other"]) is None
    assert run_of("model", ["mine"]) == "mine"
    assert run_of("model", ["mine"], is_sure=True) is None
    assert run_of("model", ["mine", "other"]) is None
