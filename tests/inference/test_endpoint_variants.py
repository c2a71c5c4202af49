"""Servers as variants of a comparison."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.inference.test_endpoint import question, serving
from tuneproof.errors import InputError
from tuneproof.eval.checks.comparison import check_comparison
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import report
from tuneproof.formats.comparison import read_comparison
from tuneproof.inference import endpoint as endpoints
from tuneproof.inference.cli import main
from tuneproof.inference.compare import compare, is_up_to_date
from tuneproof.inference.config import CompareConfig, Decoding
from tuneproof.inference.endpoint import KEY
from tuneproof.inference.generate import cleaned
from tuneproof.inference.remote import messages_for

WORDS = {"What is ice?": "  \n  Frozen\n  water. ", "What is mud?": "<think>Hm.</think>\nWet soil."}

RIGHT = ["Frozen water.", "Soil."]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "PAUSE_S", 0.001)
    monkeypatch.setenv(KEY, "secret-7")


def said(text: str, finish: str = "stop") -> tuple[int, Any]:
    return 200, {
        "choices": [{"message": {"content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 4},
    }


def prompts(folder: Path, count: int = 2) -> Path:
    rows = [
        {"id": f"p{n}", "prompt": list(WORDS)[n % 2], "reference": RIGHT[n % 2]}
        for n in range(count)
    ]  # fmt: skip
    (folder / "p.json").write_text(json.dumps(rows))
    return folder / "p.json"


def test_two_servers_are_compared_and_reported(tmp_path: Path) -> None:
    def good(body: dict[str, Any]) -> tuple[int, Any]:
        return said(WORDS[body["messages"][-1]["content"]])

    with serving(good) as one, serving(lambda body: said("No.", "length"), ("a", "b")) as other:
        urls = [f"--endpoint=good={one.url}", f"--endpoint=bad=b@{other.url}"]
        out = tmp_path / "c.json"
        done = CliRunner().invoke(
            main, ["compare", str(prompts(tmp_path, 12)), *urls, "--out", str(out)]
        )
        assert done.exit_code == 0, done.output
        assert one.keys == {"Bearer secret-7"}
        assert {body["model"] for body in other.asked} == {"b"}
    text = out.read_text()
    assert "secret-7" not in text
    found = json.loads(text)
    rows = {row["name"]: row for row in found["variants"]}
    assert list(rows) == ["good", "bad"]
    assert rows["good"]["kind"] == "endpoint"
    assert rows["good"]["url"] == one.url
    assert (rows["good"]["prompt_tokens"], rows["good"]["answer_tokens"]) == (7, 4)
    assert rows["good"]["seconds_per_answer"] > 0
    assert found["template"] is None
    assert found["decoding"] == {"do_sample": False, "max_new_tokens": 200}
    answer = found["items"][0]["answers"]["good"]
    assert answer == {"text": "  Frozen\n  water.", "tokens": 4, "finish_reason": "eos"}
    assert found["items"][1]["answers"]["good"]["text"] == "Wet soil."
    assert found["items"][0]["answers"]["bad"]["finish_reason"] == "length"
    from tuneproof.eval.cli import main as score

    options = ["--out", str(tmp_path / "report"), "--resamples", "200"]
    done = CliRunner().invoke(score, ["report", str(out), *options])
    assert done.exit_code == 0, done.output
    assert re.search(r"^bad +0\.000", done.output, re.M)


def interrupted(file: Path, url: str) -> CompareConfig:
    """Ask three prompts at a time of a server that breaks down; return what was to be compared."""
    config = CompareConfig(
        endpoint=(f"s={url}",), endpoint_concurrency=1, batch_size=3, out=file.parent / "c.json"
    )
    with pytest.raises(InputError, match="status 500"):
        compare(file, config)
    return config


def test_interrupted_comparison_goes_on_where_it_stopped(tmp_path: Path) -> None:
    file = prompts(tmp_path, 9)
    broken, asked = [True], []

    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        asked.append(body)
        return (500, {}) if broken[0] and len(asked) > 4 else said("Ice.")

    with serving(answer) as server:
        config = interrupted(file, server.url)
        assert not config.out.exists()
        first = tmp_path / ".c.json.partial.jsonl"
        assert "secret-7" not in first.read_text()
        assert len(first.read_text().splitlines()) == 1 + 6
        broken[0] = False
        asked.clear()
        found = compare(file, config)
    assert len(asked) == 6  # a batch with failed answers is asked again
    assert len(found.items) == 9
    assert found.variants[0].details["answer_tokens"] == 4
    assert not first.exists()


def test_comparison_begins_anew_where_the_server_has_another_model(tmp_path: Path) -> None:
    file, models, asked = prompts(tmp_path, 9), ["one"], []

    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        asked.append(body["model"])
        return (500, {}) if models == ["one"] and len(asked) > 4 else said("Ice.")

    with serving(answer, models) as server:
        config = interrupted(file, server.url)
        models[:] = ["two"]
        asked.clear()
        assert compare(file, config).variants[0].details["model"] == "two"
        assert asked == ["two"] * 9
        assert is_up_to_date(file, config)
        models[:] = ["one"]
        assert is_up_to_date(file, config)  # nobody is asked for that


def test_labels_are_named_and_a_text_that_is_none_is_wrong(tmp_path: Path) -> None:
    right = ["mud", "ice"]
    rows = [
        {"id": f"r{n}", "task": "river", "instruction": "What is in it?",
         "input": f"{n} {right[n % 2]}", "output": right[n % 2]} for n in range(24)
    ]  # fmt: skip
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    train = [row | {"id": f"t{row['id']}"} for row in rows]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in train))
    manifest = {"schema": "tuneproof/data@1", "labels": {"river": right}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        text = body["messages"][-1]["content"]
        assert "Answer with one of these labels: mud; ice" in text
        return said("I see mud in it." if "mud" in text.split("\n\n")[-1] else " Ice ")

    with serving(answer) as server:
        config = CompareConfig(endpoint=(f"s={server.url}",), out=tmp_path / "c.json")
        compare(tmp_path / "test.jsonl", config)
    found = read_comparison(config.out)
    given = [item.answers["s"].label for item in found.items]
    assert given == ["", "ice"] * 12
    assert found.items[0].answers["s"].label_probabilities is None
    from tuneproof.eval.config import ReportConfig
    from tuneproof.eval.report.build import build
    from tuneproof.eval.score import score as scores

    report = build(found, scores(found), ReportConfig(resamples=200))
    assert report.metrics["s"]["accuracy"].value == 0.5
    assert report.metrics["s"]["accuracy"].n == 24
    assert report.metrics["s"]["macro_f1"].value == 0.5
    assert report.metrics["s"]["matthews"].value == pytest.approx(0.5)  # "none" is one label more
    assert report.metrics["s"]["invalid_rate"].value == 0.5
    assert "brier" not in report.metrics["s"]
    assert report.confusion["s"] == ((0, 0), (0, 12))


@pytest.mark.slow
def test_server_stands_beside_a_model(tmp_path: Path) -> None:
    with serving(lambda body: said("Ice.")) as server:
        config = CompareConfig(
            model=("tiny",), endpoint=(f"s={server.url}",), out=tmp_path / "c.json",
            max_new_tokens=4, no_baselines=True,
        )  # fmt: skip
        found = compare(prompts(tmp_path), config)
    assert [variant.name for variant in found.variants] == ["base", "s"]
    assert found.base == "base"
    assert found.template is None
    assert "### Instruction:" in str(found.by_name["base"].template)


def test_names_of_servers_are_unique(tmp_path: Path) -> None:
    with serving(lambda body: said("Ice."), ("m",)) as server:
        config = CompareConfig(endpoint=(f"s={server.url}",) * 2, out=tmp_path / "c.json")
        with pytest.raises(InputError, match=r"'s' is the name of two variants"):
            compare(prompts(tmp_path), config)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("\n\n  code\n", "  code"),
        ("<think>a</think>\n\nYes.", "Yes."),
        ("a thought\n</think>\nYes.", "Yes."),
        ("<think>never ends", ""),
        ("No thought.", "No thought."),
    ],
)
def test_answers_are_cleaned_like_those_of_models(text: str, kept: str) -> None:
    assert cleaned(text) == kept


def test_question_that_names_the_labels_is_left_as_it_is() -> None:
    from tests.inference.conftest import question as asked

    assert messages_for(asked("mud or ice?"), ("mud", "ice")) == question("mud or ice?")


def refusing(too_long: str, status: int = 400) -> Any:
    """Answer all questions but one, which is too long for the server."""

    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        text = body["messages"][-1]["content"]
        return (status, {"error": "too many tokens"}) if too_long in text else said("No.")

    return answer


@pytest.mark.parametrize("status", [400, 500])
def test_refused_prompt_costs_itself_and_is_said_everywhere(tmp_path: Path, status: int) -> None:
    out = tmp_path / "c.json"
    with (
        serving(lambda body: said(WORDS[body["messages"][-1]["content"]])) as good,
        serving(refusing("mud", status)) as short,
    ):
        servers = (f"good={good.url}", f"short={short.url}")
        config = CompareConfig(endpoint=servers, out=out, batch_size=2)
        comparison = compare(prompts(tmp_path, 4), config)
    assert [item.id for item in comparison.items] == ["p0", "p2"]
    assert [item.id for item in comparison.failed] == ["p1", "p3"]
    assert comparison.failed[0].answers["good"].text == "Wet soil."
    reason = comparison.failed[0].answers["short"].error
    assert reason is not None
    assert f"status {status}" in reason
    assert read_comparison(out) == dataclasses.replace(comparison, sources=(out,))
    (finding,) = (one for one in check_comparison(comparison) if one.code == "answers-failed")
    assert "short: 2 of 4 (50 %) prompts have no answer" in finding.evidence
    written = report([out], tmp_path / "report", ReportConfig(resamples=100))
    assert (written.counts.items, written.counts.failed) == (2, 2)
    for page in ("report.md", "report.html"):
        text = (tmp_path / "report" / page).read_text()
        assert "2 prompts without an answer, which are not scored" in text


def test_server_that_answers_nothing_is_an_error(tmp_path: Path) -> None:
    with serving(lambda body: (404, {"error": "no such model"})) as server:
        config = CompareConfig(endpoint=(f"s={server.url}",), out=tmp_path / "c.json")
        with pytest.raises(InputError, match=r"s answered none of the 2 prompts: .*status 404"):
            compare(prompts(tmp_path), config)
    assert not config.out.exists()


def test_failed_prompt_is_asked_again_where_a_comparison_goes_on(tmp_path: Path) -> None:
    answers = iter([(400, {"error": "busy"})] * 2)

    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        return next(answers, said("Yes."))

    path = prompts(tmp_path)
    with serving(answer) as server:
        config = CompareConfig(endpoint=(f"s={server.url}",), out=tmp_path / "c.json")
        with pytest.raises(InputError, match="answered none"):
            compare(path, config)
        assert not compare(path, config).failed
        assert len(server.asked) == 4


def test_silent_answer_of_a_server_that_is_there_is_a_failed_one() -> None:
    def slow(body: dict[str, Any]) -> tuple[int, Any]:
        if body["messages"][-1]["content"] == "slow":
            time.sleep(0.3)
        return said("Yes.")

    with serving(slow) as server:
        asked = endpoints.Endpoint("s", server.url, "m", timeout=0.1)
        quick, late = asked.attempts([question("a"), question("slow")], Decoding(), seed=1)
    assert (quick.text, quick.error) == ("Yes.", None)
    assert late.error is not None
    assert "no answer after 5 tries" in late.error
