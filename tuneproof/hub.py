"""Use the Hub where it answers, the local caches where it does not, and report nothing to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

WAIT_S = 5.0
TELEMETRY = "HF_HUB_DISABLE_TELEMETRY"
"""The switch of huggingface_hub, which TRL, datasets and evaluate obey: 0 reports use again."""


def disable_telemetry() -> None:
    """Have no library report to the Hub that it is used, unless the switch is set.

    By themselves TRL reports every training, and huggingface_hub fetches a list of coding agents to
    name the one at work.
    """
    if TELEMETRY in os.environ:
        return
    os.environ[TELEMETRY] = "1"
    constants: Any = sys.modules.get("huggingface_hub.constants")
    if constants is not None:  # imported before, as in a notebook
        constants.HF_HUB_DISABLE_TELEMETRY = True


@contextmanager
def hub_or_cache() -> Iterator[bool]:
    """Yield whether the Hub answers; if not, its libraries are offline while the block runs.

    By themselves they try six times, with as many warnings, before they turn to what they have on
    disk: 23 seconds without a network, longer behind a firewall that answers nothing.
    """
    disable_telemetry()
    from datasets import config
    from huggingface_hub import constants

    earlier = constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE
    answers = not constants.HF_HUB_OFFLINE and _answers()
    if not answers:
        constants.HF_HUB_OFFLINE = config.HF_HUB_OFFLINE = True
    try:
        yield answers
    finally:
        constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE = earlier


def _answers() -> bool:
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=WAIT_S)
    except Exception:  # which kinds there are changes with the client; each means no answer
        return False
    return True
