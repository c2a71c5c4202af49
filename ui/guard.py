"""Who is answered: whoever has the token, at this address, and no other site's page."""

from __future__ import annotations

import hashlib
from html import escape
from secrets import compare_digest

from starlette.datastructures import URL, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "token"
"""The parameter of the address that holds the token."""
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every response: it is kept nowhere, and shows in no page of another site."""
MOST_BYTES = 20_000_000
"""Of what is sent to the server."""
UNKNOWN = "open the address that `tuneproof ui` printed, with its token"


def home_of(token: str) -> str:
    """Return the path of the first page, which does not give the token away."""
    return f"/{hashlib.sha256(token.encode()).hexdigest()[:32]}"


class Guard:
    """Answers 403 to every request that is not the user's own.

    The token is in the address that is opened first, and in a cookie from then on. A browser sends
    cookies to every port of a host, and so to servers of other users: this one is for a path that
    only the token's holder knows, below which all pages are. What the page of
    another site has the browser send here is known by ``Host``, where its name is made to point at
    127.0.0.1 (DNS rebinding), by ``Origin``, and by the missing cookie (SameSite).
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int) -> None:
        """Stand before an application that is served on a port."""
        self._app = app
        self._token = token
        self._home = home_of(token)
        self._cookie = f"tuneproof-{port}"
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self._answer(Request(scope)) or self._app
        await answer({**scope, "root_path": self._home}, receive, send_guarded)

    def _answer(self, request: Request) -> Response | None:
        """Return a refusal, or where a first visit goes on; None where the request may pass."""
        host, is_read = request.headers.get("host", ""), request.method in ("GET", "HEAD")
        if host not in self._hosts:
            return _refused("this address is not served here")
        if not is_read and request.headers.get("origin") != f"http://{host}":
            return _refused("only a page of this server may send this")
        if not request.scope["path"].startswith(f"{self._home}/"):
            return _refused(UNKNOWN)
        if is_read and self._is_token(request.query_params.get(TOKEN, "")):
            return self._first_visit(request.url)
        if not self._is_token(request.cookies.get(self._cookie, "")):
            return _refused(UNKNOWN)
        is_endless = "transfer-encoding" in request.headers
        if is_endless or int(request.headers.get("content-length", 0)) >= MOST_BYTES:
            return PlainTextResponse("that is too much\n", 413)
        return None

    def _first_visit(self, url: URL) -> Response:
        """Return a page that goes on without the token, which a cookie holds from now on.

        It is no redirection: that of a link in another page or a file would be without the cookie.
        """
        rest = url.remove_query_params(TOKEN)
        there = escape(f"{rest.path}?{rest.query}" if rest.query else rest.path)
        response = HTMLResponse(f'<meta http-equiv="refresh" content="0; url={there}">')
        response.set_cookie(
            self._cookie, self._token, path=f"{self._home}/", httponly=True, samesite="strict"
        )
        return response

    def _is_token(self, given: str) -> bool:
        return compare_digest(given.encode(), self._token.encode())


def _refused(why: str) -> Response:
    return PlainTextResponse(f"refused: {why}\n", 403)
