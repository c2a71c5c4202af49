"""The page in a real browser: a run is asked beside its base, a training is started and watched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser import Browser, needs_browser
from tests.ui.conftest import HOME, TOKEN, Served

pytestmark = [pytest.mark.slow, needs_browser, pytest.mark.usefixtures("code_path")]
SETTINGS = {
    "max_length": 96, "max_steps": 1, "lora_r": 2, "per_device_train_batch_size": 4,
    "learning_rate": 1e-2,
}  # fmt: skip


@pytest.fixture(scope="module")
def tuned(
    base_models: dict[str, Path],
    write_data: Callable[..., Path],
    report_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder with a model, data, a run of one step, and a report."""
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    folder = tmp_path_factory.mktemp("tuned") / "rivers"
    shutil.copytree(report_folder, folder)
    shutil.copytree(base_models["llama"], folder / "model")
    data = write_data(folder / "data")
    config = TuneConfig(
        data=data, model=str(folder / "model"), runs=folder / "runs", name="mud", **SETTINGS
    )
    finetune(config)
    return folder


@pytest.fixture
def server(serve: Callable[[Path], Served], tuned: Path) -> Served:
    return serve(tuned)


@pytest.fixture
def page(browser: Browser, server: Served) -> str:
    """The address of the page, which the browser has visited with the token."""
    address = f"http://{server.host}{HOME}/"
    browser.open(f"{address}?token={TOKEN}", "document.querySelector('#runs')")
    assert browser.script("location.search") == ""
    return address


def texts(browser: Browser, selector: str) -> list[str]:
    found = f"[...document.querySelectorAll({json.dumps(selector)})]"
    return list(browser.script(f"{found}.map((one) => one.textContent)"))


def test_run_is_picked_and_answers_beside_its_base(browser: Browser, page: str) -> None:
    assert texts(browser, "#runs tbody th") == ["runs/mud"]
    browser.script("document.querySelector('#runs a[href*=\"/ask\"]').click()")
    browser.wait("document.querySelector('#question textarea')")
    for number, line in enumerate(("What does river 3 carry?", "And <b>river</b> 4?"), 1):
        browser.script(f"document.querySelector('textarea').value = {json.dumps(line)}")
        browser.script("document.querySelector('textarea').focus()")
        browser.press("Enter")
        browser.wait(
            f"document.querySelectorAll('#turns .item').length === {number}"
            " && !document.querySelector('#question button').disabled"
        )
        assert texts(browser, "#status") == [""]
    assert texts(browser, "#turns h4") == ["base", "mud"] * 2
    answers = texts(browser, "#turns .answer")
    assert all(len(text) > len("mud did not stop") for text in answers)
    browser.open(page + "ask", "document.querySelector('#turns')")  # the history is kept
    assert texts(browser, "#turns .answer") == answers
    assert texts(browser, "#turns .prompt") == ["What does river 3 carry?", "And <b>river</b> 4?"]
    browser.script("document.getElementById('reset').click()")
    browser.wait("document.querySelectorAll('#turns .item').length === 0")


def test_training_is_started_watched_and_listed(
    browser: Browser, page: str, server: Served, tuned: Path
) -> None:
    fields = {"model": "model", "name": "next", "max_steps": "2", "max_length": "96"}
    for name, value in fields.items():
        field = f"document.querySelector('form[data-start=tune] [name={name}]')"
        browser.script(f"{field}.value = {json.dumps(value)}")
    submit = "document.querySelector('form[data-start=tune]').requestSubmit()"
    browser.script(submit)
    browser.wait("document.getElementById('job')")
    browser.open(page, "document.querySelector('#jobs')")
    browser.script(submit)  # a second one, while the first runs
    browser.wait("document.querySelector('form[data-start=tune] [role=status]').textContent")
    assert "is running; wait for it" in texts(browser, "form[data-start=tune] [role=status]")[0]
    browser.open(page + "job/1", "document.getElementById('job')")
    browser.wait("document.getElementById('state').textContent !== 'running'")
    said = texts(browser, "#lines")[0]
    assert texts(browser, "#state") == ["done"], said
    assert "adapter: runs/next/adapter" in said
    assert browser.script("document.getElementById('stop').hidden")
    browser.open(page, "document.querySelector('#runs')")
    assert texts(browser, "#runs tbody th")[0] == "runs/next"
    shutil.rmtree(tuned / "runs/next")


def test_votes_are_kept_in_a_report_page_and_other_pages_are_shut_off(
    browser: Browser, page: str, server: Served, tuned: Path
) -> None:
    browser.open(page + "report/reports/rivers#vote", "document.getElementById('ballot')")
    assert browser.script("self.origin") == f"http://{server.host}"
    assert browser.script("localStorage.length >= 0 && !document.getElementById('ballot').hidden")
    foreign = "<title>still</title><script>document.title = self.origin</script>"
    (tuned / "runs/mud/index.html").write_text(foreign)
    browser.open(page + "run/runs/mud")
    browser.wait("document.title === 'still'")


@pytest.mark.parametrize("path", ["", "ask", "comparison/reports/rivers/test_comparison.json"])
def test_pages_fit_screens_and_colours(browser: Browser, page: str, path: str) -> None:
    backgrounds = set()
    for width in (1400, 900, 400):
        for scheme in ("light", "dark"):
            browser.look(width=width, scheme=scheme)
            browser.open(page + path)
            assert browser.script("document.documentElement.scrollWidth <= window.innerWidth")
            backgrounds.add(browser.script("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2
