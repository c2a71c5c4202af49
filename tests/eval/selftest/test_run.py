from __future__ import annotations

import pytest
from click.testing import CliRunner

from tuneproof.eval.cli import main
from tuneproof.eval.selftest.line import Line, line_table, overview
from tuneproof.eval.selftest.run import selftest


def line(found: float, **other: object) -> Line:
    settings = {"promise": "coverage", "case": "x", "n": 32}
    return Line(**{**settings, "simulations": 1000, "found": found, **other})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (line(0.95), "ok"),
        (line(0.92), "near"),  # within three standard errors
        (line(0.92, warned=0.8), "warned"),
        (line(0.90), "FAILED"),
        (line(0.90, warned=0.8), "warned"),
        (line(0.999), "wide"),
        (line(0.049, promise="false verdict"), "ok"),
        (line(0.09, promise="false verdict", warned=1.0), "FAILED"),
        (line(0.5, promise="power"), "FAILED"),
    ],
)
def test_verdict_of_a_line(made: Line, expected: str) -> None:
    assert made.verdict == expected


@pytest.mark.slow
def test_promises_are_kept_on_a_small_scale() -> None:
    lines = list(selftest(60, seed=1, sizes=(32,)))
    failed = [each for each in lines if each.verdict == "FAILED"]
    assert not failed, line_table(failed)
    promises = {"false verdict", "coverage", "power", "primary first", "win rate"}
    assert {each.promise for each in lines} == promises
    cases = " ".join(each.case for each in lines)
    for kind in ("unequal groups", "the same question four times", "a label of 2 %", "loop",
                 "the same within", "3 variants", "unlike shapes", "calibration",
                 "judge right"):  # fmt: skip
        assert kind in cases


def test_corrected_win_rates_hold_the_truth_and_uncorrected_ones_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tuneproof.eval.judging.win_rate import plain
    from tuneproof.eval.selftest import judged

    monkeypatch.setattr(judged, "VOTES", (60, 60))  # the second has the units
    kept = list(judged.lines(40, 3))
    assert [one.case for one in kept if one.verdict == "FAILED"] == []
    monkeypatch.setattr(judged, "corrected", lambda votes, said, units, c: plain(said, units, c))
    raw = {one.case: one.verdict for one in judged.lines(40, 3)}
    assert raw["votes alone"] != "FAILED"
    assert {raw[f"judge right in {share} %"] for share in (60, 70, 80)} == {"FAILED"}


def test_samples_are_the_same_for_a_seed() -> None:
    from tuneproof.eval.selftest.run import _rare_loops

    assert _rare_loops(12, 10, 1) == _rare_loops(12, 10, 1)


def test_command_exits_1_when_a_line_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    for found, code in ((0.95, 0), (0.5, 1)):
        monkeypatch.setattr(
            "tuneproof.eval.selftest.run.selftest", lambda *_, found=found: [line(found)]
        )
        result = CliRunner().invoke(main, ["selftest", "--simulations", "10"])
        assert result.exit_code == code
        assert ("FAILED" in result.output) == bool(code)


def test_full_takes_all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        "tuneproof.eval.selftest.run.selftest", lambda *given: asked.append(given) or [line(0.95)]
    )
    for options in ([], ["--full"]):
        assert CliRunner().invoke(main, ["selftest", *options]).exit_code == 0
    assert asked == [(100, 0, (32, 100)), (200, 0, (8, 20, 32, 63, 100, 300))]


def test_overview_has_the_extremes_of_every_promise_and_size() -> None:
    lines = [line(0.94), line(0.999), line(0.95, n=100)]
    head, first, second = overview(lines).splitlines()
    assert head.split() == ["promise", "n", "lines", "lowest", "highest", "promised", "verdicts"]
    assert first.split()[:8] == ["coverage", "32", "2", "94.0", "%", "99.9", "%", "93-97"]
    assert first.endswith("1 ok, 1 wide")
    assert second.endswith("1 ok")
