from __future__ import annotations

import os

import pytest
from datasets import config
from huggingface_hub import constants

from tuneproof import hub


def test_libraries_are_offline_only_while_the_block_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_answers", lambda: False)
    before = constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE
    with pytest.raises(RuntimeError), hub.hub_or_cache() as answers:
        assert not answers
        assert constants.HF_HUB_OFFLINE
        assert config.HF_HUB_OFFLINE
        raise RuntimeError
    assert before == (constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE)


def test_libraries_are_left_alone_where_the_hub_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_answers", lambda: True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with hub.hub_or_cache() as answers:
        assert answers
        assert not constants.HF_HUB_OFFLINE


def test_nothing_is_asked_where_the_user_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "_answers", lambda: pytest.fail("the Hub was asked"))
    with hub.hub_or_cache() as answers:
        assert not answers


@pytest.mark.parametrize(("switch", "is_off"), [(None, True), ("1", False), ("0", False)])
def test_telemetry_is_off_unless_its_switch_is_set(
    monkeypatch: pytest.MonkeyPatch, switch: str | None, is_off: bool
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.delenv(hub.TELEMETRY, raising=False)
    if switch is not None:
        monkeypatch.setenv(hub.TELEMETRY, switch)
    hub.disable_telemetry()
    assert constants.HF_HUB_DISABLE_TELEMETRY is is_off
    assert os.environ[hub.TELEMETRY] == (switch or "1")
