"""Serving the pages on 127.0.0.1."""

from __future__ import annotations

import errno
import secrets
import signal
import socket
import tempfile
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from tuneproof.errors import InputError, Terminated
from tuneproof.ui.app import Ui, application
from tuneproof.ui.config import UiConfig
from tuneproof.ui.guard import home_of

HOST = "127.0.0.1"
GRACE_S = 2
"""How long answers under way may take when the server ends."""


def serve(config: UiConfig, say: Callable[[str], object]) -> None:
    """Serve the pages until Ctrl-C; what was started on them ends as well.

    Args:
        config: The settings.
        say: Is told the address.

    Raises:
        InputError: The port is taken.
    """
    ui = Ui(config.folder.resolve(), config)
    listening = listen(config.port)
    port, token = listening.getsockname()[1], secrets.token_urlsafe(32)
    address = f"http://{HOST}:{port}{home_of(token)}/?token={token}"
    say(address)
    with ExitStack() as stack:
        stack.callback(ui.jobs.stop_all)
        if config.browser:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tuneproof-")))
            webbrowser.open(door(address, folder).as_uri())
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            # uvicorn finishes what is under way for SIGTERM alone
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
        try:
            server(application(ui, token=token, port=port)).run(sockets=[listening])
        except Terminated:
            raise
        except KeyboardInterrupt:
            pass  # how it is meant to end


def door(address: str, folder: Path) -> Path:
    """Write the page that leads to an address whose token shall be in no list of processes.

    Args:
        address: Where it leads.
        folder: One that nobody else can read.
    """
    file = folder / "tuneproof.html"
    file.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">')
    return file


def server(app: ASGIApp) -> uvicorn.Server:
    """Return what serves an application."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        access_log=False,  # the token would stand there
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)


def listen(port: int) -> socket.socket:
    """Return a socket on 127.0.0.1.

    Raises:
        InputError: The port is taken, or not ours to take.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise InputError(f"port {port} cannot be had; give another --port, or 0 for any") from error
