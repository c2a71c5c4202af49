"""Only whoever has the token is answered, at this address, and no other site's page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.ui.conftest import HOME, TOKEN, Served

PATHS = ["/", "/ask", "/run/runs/rivers", "/report/reports/rivers", "/job/1/lines", "/nothing"]


@pytest.fixture(scope="module")
def server(serve: Callable[[Path], Served], report_folder: Path) -> Served:
    return serve(report_folder)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("cookie", [None, "", "wrong", "\u00e9"])
def test_without_the_token_everything_is_refused(
    server: Served, path: str, cookie: str | None
) -> None:
    named = None if cookie is None else f"tuneproof-{server.port}={cookie}"
    for method in ("GET", "HEAD", "POST"):
        origin = f"http://{server.host}" if method == "POST" else None
        reply = server.ask(method, path, cookie=named, origin=origin)
        assert reply.status == 403
        assert "tuneproof" in reply.text or method == "HEAD"


@pytest.mark.parametrize("token", ["wrong", "", TOKEN[:-1], TOKEN + "x", "%C3%A9"])
def test_wrong_token_in_the_address_is_refused(server: Served, token: str) -> None:
    reply = server.ask("GET", f"/?token={token}", cookie=None)
    assert reply.status == 403
    assert "set-cookie" not in reply.headers


def test_first_visit_leaves_the_token_in_a_cookie_and_out_of_the_address(server: Served) -> None:
    reply = server.ask("GET", f"/ask?run=runs/a%20b&token={TOKEN}", cookie=None)
    assert reply.status == 200
    assert reply.text.endswith(f'content="0; url={HOME}/ask?run=runs%2Fa+b">')
    cookie = reply.headers["set-cookie"]
    assert f"Path={HOME}/;" in cookie  # or other ports of this host would be sent it
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    again = server.ask("GET", "/", cookie=cookie.partition(";")[0])
    assert again.status == 200
    assert TOKEN not in again.text


@pytest.mark.parametrize("path", ["/", "/ask", "/run/runs/rivers", f"/?token={TOKEN}", "/x" + HOME])
def test_nothing_is_answered_at_another_path(server: Served, path: str) -> None:
    url = f"http://{server.host}{path}"
    request = Request(url, headers={"cookie": f"tuneproof-{server.port}={TOKEN}"})
    with pytest.raises(HTTPError) as refused:
        urlopen(request)
    refused.value.close()
    assert refused.value.code == 403
    assert "set-cookie" not in refused.value.headers


@pytest.mark.parametrize("path", ["//evil.example/", "/%22%3E%3Cscript%3E", "/?a=%22%3E%3Cb%3E&"])
def test_first_visit_leads_to_no_other_site(server: Served, path: str) -> None:
    sign = "" if "?" in path else "?"
    reply = server.ask("GET", f"{path}{sign}token={TOKEN}", cookie=None)
    assert reply.text.startswith(f'<meta http-equiv="refresh" content="0; url={HOME}/')
    assert reply.text.count("<") == 1


@pytest.mark.parametrize(
    "host",
    [
        lambda port: "evil.example",
        lambda port: f"evil.example:{port}",
        lambda port: "127.0.0.1",
        lambda port: f"127.0.0.1:{port + 1}",
        lambda port: f"127.0.0.1.evil.example:{port}",
        lambda port: f"127.0.0.1:{port}@evil.example",
        lambda port: f"[::1]:{port}",
    ],
)
@pytest.mark.parametrize("path", ["/", f"/?token={TOKEN}"])
def test_other_names_of_the_host_are_refused(
    server: Served, host: Callable[[int], str], path: str
) -> None:
    reply = server.ask("GET", path, host=host(server.port))
    assert reply.status == 403
    assert "set-cookie" not in reply.headers


def test_localhost_is_this_machine_too(server: Served) -> None:
    host = f"localhost:{server.port}"
    assert server.ask("GET", "/", host=host).status == 200
    assert server.ask("POST", "/reset", host=host, origin=f"http://{host}").status == 200


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://localhost:1", "https://127.0.0.1"]
)
@pytest.mark.parametrize("path", ["/reset", "/ask", "/start/recipe", "/votes/reports/rivers"])
def test_pages_of_others_may_send_nothing(server: Served, origin: str | None, path: str) -> None:
    reply = server.ask("POST", path, "{}", origin=origin)
    assert reply.status == 403
    assert server.ui.jobs.all == []


def test_too_much_is_refused(server: Served) -> None:
    for header, value in (("content-length", "20000000"), ("transfer-encoding", "chunked")):
        reply = server.ask("POST", "/votes/reports/rivers", "0\r\n\r\n", **{header: value})
        assert reply.status == 413


def test_every_answer_forbids_keeping_framing_and_guessing(server: Served) -> None:
    for reply in (server.get("/"), server.get("/nothing"), server.ask("GET", "/", cookie=None)):
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-frame-options"] == "DENY"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "server" not in reply.headers
