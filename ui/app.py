"""The pages of `tuneproof ui`, and what their script asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from tuneproof import web_page
from tuneproof.errors import InputError
from tuneproof.eval.report.page import page_script
from tuneproof.files import parse_json, write_text
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.run import read_run
from tuneproof.formats.samples import FILE as SAMPLES
from tuneproof.formats.samples import read_samples
from tuneproof.formats.training_log import read_metrics
from tuneproof.formats.votes import read_votes, votes_from
from tuneproof.tuning import page as run_page
from tuneproof.tuning.methods import METHODS
from tuneproof.ui.config import UiConfig
from tuneproof.ui.conversation import Conversation
from tuneproof.ui.guard import Guard
from tuneproof.ui.jobs import Job, Jobs
from tuneproof.ui.orders import MODELS, recipe_arguments, recipe_names, tune_arguments
from tuneproof.ui.shelf import comparison_inside, readable, report_inside, run_inside, shelf_of

FOLDER = Path(__file__).parent
SHOWN_ITEMS = 20
"""Items of a comparison on one page."""
ORDERS: dict[str, Callable[[Path, dict[str, str]], list[str]]] = {
    "recipe": recipe_arguments,
    "tune": tune_arguments,
}
"""What can be started, and what makes a form its command."""


class Ui:
    """What the pages show, and the state that they change."""

    def __init__(self, root: Path, config: UiConfig) -> None:
        """Show a folder."""
        self.root = root
        self.jobs = Jobs(root)
        self.conversation = Conversation(root, config)

    @property
    def routes(self) -> list[Route]:
        """Which function answers what."""
        return [
            Route("/", self.index),
            Route("/ask", self.ask_page),
            Route("/run/{name:path}", self.run),
            Route("/report/{name:path}", self.report),
            Route("/comparison/{name:path}", self.comparison),
            Route("/job/{number}", self.job),
            Route("/job/{number}/lines", self.job_lines),
            Route("/job/{number}/stop", self.stop, methods=["POST"]),
            Route("/ask", self.ask, methods=["POST"]),
            Route("/reset", self.reset, methods=["POST"]),
            Route("/votes/{name:path}", self.save_votes, methods=["POST"]),
            Route("/start/{kind}", self.start, methods=["POST"]),
        ]

    def index(self, request: Request) -> Response:
        """Return the list of all that there is."""
        return page(
            request,
            "index",
            root=self.root,
            shelf=shelf_of(self.root),
            jobs=self.jobs.all[::-1],
            recipes=recipe_names(self.root),
            models=MODELS,
            methods=list(METHODS),
        )

    def run(self, request: Request) -> Response:
        """Return a run's page: its file, or while it is trained, what that would say now."""
        folder = run_inside(self.root, request.path_params["name"])
        run, file = read_run(folder), folder / run_page.FILE
        if run.state != "running" and file.is_file():
            return made_page(readable(file).read_text(encoding="utf-8"))
        for log in (run.metrics, folder / SAMPLES):
            if log.is_file():
                readable(log)
        samples = read_samples(folder / SAMPLES)
        try:
            return made_page(run_page.render(run, read_metrics(run.metrics), samples))
        except InputError:
            raise
        except (ArithmeticError, ValueError) as error:
            raise InputError(f"{run.metrics}: no chart holds its numbers: {error}") from error

    def report(self, request: Request) -> Response:
        """Return a report's page."""
        file = report_inside(self.root, request.path_params["name"])
        return made_page(readable(file).read_text(encoding="utf-8"))

    def comparison(self, request: Request) -> Response:
        """Return some answers of a comparison."""
        name, first = request.path_params["name"], request.query_params.get("first", "0")
        comparison = read_comparison(readable(comparison_inside(self.root, name)))
        begin = int(first) if first.isdecimal() and len(first) < 10 else 0
        return page(
            request,
            "comparison",
            name=name,
            comparison=comparison,
            items=comparison.items[begin : begin + SHOWN_ITEMS],
            begin=begin,
            shown=SHOWN_ITEMS,
        )

    def ask_page(self, request: Request) -> Response:
        """Return the page on which a run is asked."""
        runs = [entry for entry in shelf_of(self.root).runs if can_be_asked(entry.run)]
        name = request.query_params.get("run") or self.conversation.run
        listed = [entry.name for entry in runs]
        chosen = name if name in listed else next(iter(listed), None)
        is_loaded = chosen is not None and chosen == self.conversation.run
        turns = self.conversation.turns if is_loaded else []
        return page(request, "ask", runs=listed, chosen=chosen, turns=turns)

    async def ask(self, request: Request) -> Response:
        """Return what the run and its base answer, event by event, a line each."""
        sent = await sent_texts(request)
        events = self.conversation.ask(sent.get("run", ""), sent.get("line", "").strip())

        def lines() -> Iterator[str]:
            for event in events:
                yield json.dumps(event) + "\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    def reset(self, request: Request) -> Response:
        """Forget what was said."""
        self.conversation.reset()
        return JSONResponse({})

    def job(self, request: Request) -> Response:
        """Return the page of a job."""
        return page(request, "job", job=self.jobs.get(request.path_params["number"]))

    def job_lines(self, request: Request) -> Response:
        """Return how a job stands, and its lines."""
        job = self.jobs.get(request.path_params["number"])
        return JSONResponse(
            {
                "state": job.state,
                "isRunning": job.is_running,
                "progress": job.progress,
                "lines": list(job.lines),
            }
        )

    def stop(self, request: Request) -> Response:
        """Stop a job."""
        job: Job = self.jobs.get(request.path_params["number"])
        job.stop()
        return JSONResponse({"state": job.state})

    async def start(self, request: Request) -> Response:
        """Start a recipe or a training, and return its number."""
        make = ORDERS.get(request.path_params["kind"])
        if make is None:
            raise FileNotFoundError(request.path_params["kind"])
        arguments = await run_in_threadpool(make, self.root, await sent_texts(request))
        return JSONResponse({"job": self.jobs.start(arguments).number})

    async def save_votes(self, request: Request) -> Response:
        """Write an exported file of votes beside its report."""
        name, text = request.path_params["name"], (await request.body()).decode("utf-8", "replace")
        return JSONResponse(await run_in_threadpool(self._save_votes, name, text))

    def _save_votes(self, name: str, text: str) -> dict[str, Any]:
        folder = report_inside(self.root, name).parent
        try:
            votes = votes_from(parse_json(text), "that file")
        except json.JSONDecodeError as error:
            raise InputError("that file is no JSON, and so no votes") from error
        voter = re.sub(r"[^\w-]+", "-", votes.voter)[:60]
        file = folder / f"votes-{voter}.json"
        if file.is_symlink() or (file.exists() and read_votes(readable(file)).voter != votes.voter):
            raise InputError(f"{file.name} is there, and no file of {votes.voter!r}")
        write_text(file, text)
        return {"saved": file.relative_to(self.root).as_posix(), "votes": len(votes.votes)}


def application(ui: Ui, *, token: str, port: int) -> ASGIApp:
    """Return what answers the requests to a port: the pages, behind their guard."""
    handlers: Any = {404: _nowhere, FileNotFoundError: _missing, InputError: _wrong}
    app = Starlette(routes=ui.routes, exception_handlers=handlers)
    return Guard(app, token=token, port=port)


def can_be_asked(run: Any) -> bool:
    """Return whether a run answers prompts."""
    return run.state == "finished" and not run.is_classifier


def page(request: Request, template: str, status_code: int = 200, **values: Any) -> Response:
    """Return a page of ours."""
    rules, script = (
        (FOLDER / f"ui.{kind}.j2").read_text(encoding="utf-8") for kind in ("css", "js")
    )
    file = FOLDER / f"{template}.html.j2"
    values["home"] = request.scope["root_path"]
    text = web_page.render(file, rules=rules, script=script, asks_server=True, **values)
    return HTMLResponse(text, status_code)


def made_page(text: str) -> Response:
    """Return a page that `tune run` or `score report` made, or somebody in their name.

    Only the script of a report of this version may run. Another one could send elsewhere what it
    reads on its page, and the address, which is secret.
    """
    script = page_script()
    if f"<script>{script}</script>" in text:
        rules = f"script-src {web_page.hash_source(script)}"
    else:
        rules = "sandbox; script-src 'none'"
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; {rules}; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})


async def sent_texts(request: Request) -> dict[str, str]:
    """Return the JSON object of texts that the page sent."""
    try:
        value = parse_json(await request.body())
    except ValueError as error:
        raise InputError(f"JSON is needed: {error}") from error
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise InputError("an object of texts is needed")
    return value


def _nowhere(request: Request, error: Exception) -> Response:
    return _message(request, "there is no such page", 404)


def _missing(request: Request, error: Exception) -> Response:
    return _message(request, f"there is no {error} in this folder", 404)


def _wrong(request: Request, error: Exception) -> Response:
    return _message(request, str(error), 400)


def _message(request: Request, text: str, status_code: int) -> Response:
    if request.method == "POST" or request.url.path.endswith("/lines"):
        return JSONResponse({"error": text}, status_code)
    return page(request, "message", status_code, text=text)
