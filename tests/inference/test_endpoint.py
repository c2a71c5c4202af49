from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.example import Message
from tuneproof.inference import endpoint as endpoints
from tuneproof.inference.config import Decoding
from tuneproof.inference.endpoint import KEY, Endpoint

Answerer = Callable[[dict[str, Any]], tuple[int, Any]]


class Server:
    """A small server that speaks the chat API, and remembers what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.most_at_once = 0


@contextmanager
def serving(answer: Answerer, models: Sequence[str] = ("m",)) -> Iterator[Server]:
    lock, under_way = Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, {"data": [{"id": name} for name in models]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                under_way[0] += 1
                server.most_at_once = max(server.most_at_once, under_way[0])
                server.asked.append(body)
                server.keys.add(self.headers.get("Authorization"))
            status, value = answer(body)
            with lock:
                under_way[0] -= 1
            self._send(status, value)

        def _send(self, status: int, value: Any) -> None:
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{http.server_port}/v1")
    Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


def echo(body: dict[str, Any]) -> tuple[int, Any]:
    text = body["messages"][-1]["content"]
    return 200, {
        "choices": [{"message": {"content": f"  {text}!"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }


def question(text: str) -> list[Message]:
    return [Message(role="user", content=text)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "PAUSE_S", 0.001)
    monkeypatch.delenv(KEY, raising=False)


def test_questions_are_answered_in_order_several_at_once() -> None:
    with serving(echo) as server:
        asked = Endpoint("s", server.url, concurrency=3)
        replies = asked.answer([question(str(n)) for n in range(20)], Decoding(), seed=1)
    assert [reply.text for reply in replies] == [f"  {n}!" for n in range(20)]
    assert {(r.finish_reason, r.tokens, r.prompt_tokens) for r in replies} == {("eos", 2, 3)}
    assert server.most_at_once <= 3
    assert server.asked[0]["model"] == "m"
    assert (server.asked[0]["temperature"], server.asked[0]["max_tokens"]) == (0.0, 200)


def test_sampling_is_passed_on_with_its_seed() -> None:
    drawn = Decoding(do_sample=True, temperature=0.7, top_p=0.9)
    with serving(echo) as server:
        Endpoint("s", server.url, "other").answer([question("a")], drawn, seed=5)
    body = server.asked[0]
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.7, 0.9, 5)
    assert body["model"] == "other"


def test_key_is_sent_and_written_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "secret-1")
    with serving(echo) as server:
        asked = Endpoint("s", server.url)
        asked.answer([question("a")], Decoding(), seed=1)
        assert server.keys == {"Bearer secret-1"}
        assert "secret-1" not in json.dumps(asked.described()) + repr(asked)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_server_is_asked_again(status: int) -> None:
    failures = iter([status, status])

    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        failure = next(failures, None)
        return (failure, {"error": "busy"}) if failure else echo(body)

    with serving(answer) as server:
        (reply,) = Endpoint("s", server.url).answer([question("a")], Decoding(), seed=1)
    assert reply.text == "  a!"
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("status", "value", "fault"),
    [
        (401, {}, f"refuses the key; set {KEY}"),
        (400, {"error": "no such model"}, "status 400: .*no such model"),
        (500, {"error": "broken"}, "status 500"),
        (200, b"<html>", "status 200: <html>"),
        (200, {"choices": []}, "otherwise than OpenAI's chat API"),
        (200, {"choices": [{"text": "x"}]}, "otherwise than OpenAI's chat API"),
    ],
)
def test_what_a_server_refuses_is_one_clear_error(status: int, value: Any, fault: str) -> None:
    with serving(lambda body: (status, value)) as server, pytest.raises(InputError, match=fault):
        Endpoint("s", server.url).answer([question("a")], Decoding(), seed=1)


def test_silent_server_is_one_clear_error() -> None:
    with pytest.raises(InputError, match=r"does not answer .*is the server running"):
        Endpoint("s", "http://127.0.0.1:9/v1", "m").answer([question("a")], Decoding(), seed=1)


def test_one_of_several_models_must_be_named() -> None:
    with serving(echo, ("a", "b")) as server, pytest.raises(InputError, match="has 2 models"):
        _ = Endpoint("s", server.url).model


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"finish_reason": "error", "error": {"code": 502}}, "gives no answer: {'code': 502}"),
        ({"finish_reason": "content_filter"}, "gives no answer: content_filter"),
        ({"finish_reason": "stop", "message": {"content": {"a": 1}}}, "answers otherwise than"),
    ],
)
def test_a_failure_within_an_answer_is_no_answer(choice: dict[str, Any], message: str) -> None:
    choice = {"message": {"content": ""}, **choice}
    with serving(lambda body: (200, {"choices": [choice]})) as server:
        (reply,) = Endpoint("s", server.url).attempts([question("a")], Decoding(), seed=1)
    assert reply.error is not None and message in reply.error


def test_text_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "Pa"}, {"type": "image"}, {"type": "text", "text": "ris"}]
    choice = {"message": {"content": parts}, "finish_reason": "stop"}
    with serving(lambda body: (200, {"choices": [choice]})) as server:
        (reply,) = Endpoint("s", server.url).answer([question("a")], Decoding(), seed=1)
    assert (reply.text, reply.finish_reason) == ("Paris", "eos")


def test_stop_reason_that_nobody_knows_is_not_recorded() -> None:
    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        return 200, {"choices": [{"message": {"content": None}, "finish_reason": "tool_calls"}]}

    with serving(answer) as server:
        (reply,) = Endpoint("s", server.url).answer([question("a")], Decoding(), seed=1)
    assert (reply.text, reply.finish_reason, reply.tokens) == ("", None, None)


@pytest.mark.parametrize(
    ("text", "name", "model", "url"),
    [
        ("s=http://h:1/v1/", "s", None, "http://h:1/v1"),
        ("s=org/m@https://h/v1", "s", "org/m", "https://h/v1"),
    ],
)
def test_endpoint_is_read_from_the_option(
    text: str, name: str, model: str | None, url: str
) -> None:
    read = Endpoint.parsed(text)
    assert (read.name, read.asked_model, read.url) == (name, model, url)


@pytest.mark.parametrize("text", ["http://h/v1", "s=h:8000", "s=http://me:pw@h/v1", "=http://h"])
def test_option_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--endpoint"):
        Endpoint.parsed(text)


def test_half_of_a_character_is_replaced() -> None:
    def half(_: dict[str, Any]) -> tuple[int, Any]:
        return 200, {"choices": [{"message": {"content": "a\ud83d"}, "finish_reason": "stop"}]}

    with serving(half) as server:
        (reply,) = Endpoint("s", server.url).answer([question("?")], Decoding(), seed=1)
    assert reply.text == "a\N{REPLACEMENT CHARACTER}"
