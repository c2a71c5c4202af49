"""Every page shows what is there, as text, and votes are saved beside their report."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.ui.conftest import HOME, Served
from tuneproof.eval.report.page import page_script
from tuneproof.formats.votes import votes_from
from tuneproof.web_page import hash_source


def test_index_lists_runs_reports_comparisons_and_what_can_be_started(served: Served) -> None:
    page = served.get("/")
    assert page.status == 200
    for link in (
        "/run/runs/rivers",
        "/ask?run=runs/rivers",
        "/report/reports/rivers#vote",
        "/comparison/reports/rivers/test_comparison.json",
    ):
        assert f'href="{HOME}{link}"' in page.text
    assert "tuned, this checkpoint" in page.text
    assert "<option selected>demo</option>" in page.text
    assert "<option>data</option>" in page.text


def test_page_of_a_run_is_its_file_until_it_is_trained_again(
    served: Served, folder: Path, make_run: Any
) -> None:
    assert "the run's page" in served.get("/run/runs/rivers").text
    make_run("folder/runs/rivers", state="running", result=None)
    assert "Under way when this page was written" in served.get("/run/runs/rivers").text


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/run/runs/rivers", "runs/rivers/index.html"),
        ("/report/reports/rivers", "reports/rivers/report.html"),
        ("/comparison/reports/rivers/test_comparison.json", "reports/rivers/test_comparison.json"),
    ],
)
def test_large_files_are_not_read(served: Served, folder: Path, path: str, file: str) -> None:
    os.truncate(folder / file, 50_000_001)
    reply = served.get(path)
    assert (reply.status, "too large" in reply.text) == (400, True)


@pytest.mark.parametrize(("first", "second"), [("1e308", "-1e308"), ("0", "5e-324")])
def test_losses_that_no_chart_holds_are_named(
    served: Served, folder: Path, make_run: Any, first: str, second: str
) -> None:
    make_run("folder/runs/rivers", state="running", result=None)
    lines = [f'{{"step": 1, "loss": {first}}}', f'{{"step": 2, "loss": {second}}}']
    (folder / "runs/rivers/metrics.jsonl").write_text("\n".join([*lines, ""]))
    reply = served.get("/run/runs/rivers")
    assert (reply.status, "no chart holds its numbers" in reply.text) == (400, True)


def test_comparison_is_shown_as_text(served: Served) -> None:
    first = served.get("/comparison/reports/rivers/test_comparison.json")
    assert "&lt;i&gt;ice&lt;/i&gt; 0" in first.text
    assert "1 to 20 of 30" in first.text
    second = served.get("/comparison/reports/rivers/test_comparison.json?first=20")
    assert "21 to 30 of 30" in second.text
    for begin in ("x", "9" * 5000):
        path = f"/comparison/reports/rivers/test_comparison.json?first={begin}"
        assert served.get(path).status == 200


def test_report_runs_its_own_script_and_no_other(served: Served, folder: Path) -> None:
    policy = served.get("/report/reports/rivers").headers["content-security-policy"]
    assert f"script-src {hash_source(page_script())};" in policy
    assert "sandbox" not in policy
    file = folder / "reports/rivers/report.html"
    file.write_text(file.read_text().replace("const make", "const  make"))
    policy = served.get("/report/reports/rivers").headers["content-security-policy"]
    assert "sandbox; script-src 'none'" in policy
    assert "connect-src" not in policy and "default-src 'none'" in policy


OUTSIDE = ["..", "../outside", "%2e%2e/outside", "runs/..%2f..%2foutside", "runs/%2e%2e/%2e%2e/x"]


@pytest.mark.parametrize("kind", ["run", "report", "comparison", "votes"])
@pytest.mark.parametrize("name", [*OUTSIDE, "/etc/passwd", "%2fetc%2fpasswd", "a%00b", "missing"])
def test_no_address_leads_out(served: Served, folder: Path, kind: str, name: str) -> None:
    shutil.copytree(folder, folder.parent / "outside")
    method = "POST" if kind == "votes" else "GET"
    reply = served.ask(method, f"/{kind}/{name}", "{}" if kind == "votes" else None)
    assert reply.status == 404
    absolute = quote(str(folder.parent / "outside/runs/rivers"), safe="")
    assert served.get(f"/run/{absolute}").status == 404


def test_what_is_not_there_is_said(served: Served) -> None:
    assert served.get("/job/7").status == 404
    assert served.get("/job/7/lines").json == {"error": "there is no job 7 in this folder"}
    assert served.get(f"/job/{'9' * 5000}").status == 404
    assert served.get("/nothing").status == 404
    assert served.post("/start/anything", {}).status == 404


def votes(**changes: Any) -> dict[str, Any]:
    vote = {"id": "q1", "left": "base", "right": "tuned", "choice": "left"}
    return {"schema": "tuneproof/votes@1", "voter": "Zo\u00eb /../x", "votes": [vote], **changes}


def test_votes_are_saved_beside_their_report(served: Served, folder: Path) -> None:
    reply = served.post("/votes/reports/rivers", json.dumps(votes()))
    assert reply.json == {"saved": "reports/rivers/votes-Zo\u00eb-x.json", "votes": 1}
    assert json.loads((folder / reply.json["saved"]).read_text()) == votes()
    more = votes(votes=[*votes()["votes"], {**votes()["votes"][0], "id": "q2"}])
    assert served.post("/votes/reports/rivers", more).json["votes"] == 2
    other = served.post("/votes/reports/rivers", votes(voter="Zo\u00eb x"))
    assert (other.status, other.json["error"]) == (
        400, "votes-Zo\u00eb-x.json is there, and no file of 'Zo\u00eb x'",
    )  # fmt: skip


@pytest.mark.parametrize(
    "sent", ["", "{", "[]", '{"schema": "other"}', json.dumps(votes(voter=" ")), '{"a":1,"a":2}']
)
def test_what_is_no_votes_is_not_saved(served: Served, folder: Path, sent: str) -> None:
    reply = served.post("/votes/reports/rivers", sent)
    assert reply.status == 400
    assert reply.json["error"]
    assert list((folder / "reports/rivers").glob("votes*")) == []


def test_votes_are_checked_beside_the_loop(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuneproof.ui import app

    loops: list[Any] = []

    def check(document: Any, where: str) -> Any:
        loops.append(asyncio._get_running_loop())  # None in a thread that has none
        return votes_from(document, where)

    monkeypatch.setattr(app, "votes_from", check)
    assert served.post("/votes/reports/rivers", votes()).status == 200
    assert loops == [None]


def test_votes_replace_no_link(served: Served, folder: Path) -> None:
    target = folder.parent / "target.json"
    (folder / "reports/rivers/votes-ann.json").symlink_to(target)
    assert served.post("/votes/reports/rivers", votes(voter="ann")).status == 400
    assert not target.exists()


@pytest.mark.parametrize("sent", ["", "{", "[]", '{"run": 1}', '"x"'])
@pytest.mark.parametrize("path", ["/ask", "/start/recipe", "/start/tune"])
def test_what_is_no_form_is_refused(served: Served, path: str, sent: str) -> None:
    reply = served.post(path, sent)
    assert reply.status == 400
    assert "needed" in reply.json["error"]


@pytest.mark.parametrize("run", ["", "..", "runs/none", "/etc"])
def test_run_that_is_not_there_answers_nothing(served: Served, run: str) -> None:
    lines = served.post("/ask", {"run": run, "line": "Mud?"}).text.splitlines()
    assert "error" in json.loads(lines[-1])


def test_empty_folder_says_what_to_do(serve: Callable[[Path], Served], tmp_path: Path) -> None:
    served = serve(tmp_path)
    page = served.get("/").text
    assert all(f"No {what} yet" in page for what in ("run", "report", "comparison", "data"))
    assert "No finished run that answers prompts yet" in served.get("/ask").text
