"""Use the Hub where it answers, and the local caches of its libraries where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

WAIT_S = 5.0


@contextmanager
def hub_or_cache() -> Iterator[bool]:
    """Yield whether the Hub answers; if not, its libraries are offline while the block runs.

    By themselves they try six times, with as many warnings, before they turn to what they have on
    disk: 23 seconds without a network, longer behind a firewall that answers nothing.
    """
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
