from __future__ import annotations

import logging

import click
import pytest
from click.testing import CliRunner

from tuneproof.errors import Group
from tuneproof.log import NOTICE, lines_to, notices_only

LOG = logging.getLogger("tuneproof.anything")


def test_command_shows_log_lines_on_stderr_and_results_on_stdout() -> None:
    @click.group(cls=Group)
    def main() -> None:
        pass

    @main.command()
    def work() -> None:
        LOG.info("half done, 50% left")
        LOG.warning("little is left")
        LOG.debug("never shown")
        click.echo("result")

    for _ in range(2):
        result = CliRunner().invoke(main, ["work"])
        assert result.stdout == "result\n"
        assert result.stderr == "half done, 50% left\nWARNING: little is left\n"


def test_caller_sees_nothing_unless_logging_is_set_up(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    LOG.info("unseen")
    assert capfd.readouterr() == ("", "")
    with caplog.at_level(logging.INFO, logger="tuneproof"):
        LOG.info("seen")
    assert caplog.messages == ["seen"]


def test_notices_are_kept_of_a_training_among_many() -> None:
    lines: list[str] = []
    with lines_to(lines.append):
        with notices_only():
            LOG.info("step 1")
            LOG.log(NOTICE, "going on")
            LOG.warning("nan")
        LOG.info("trial 2")
    LOG.warning("after the block")
    assert lines == ["going on", "WARNING: nan", "trial 2"]
