"""Silencing what the libraries say that no user can act on; each line with its reason."""

from __future__ import annotations

import logging
import warnings


def quiet_libraries() -> None:
    """Silence known noise of transformers, PEFT and bitsandbytes."""
    from transformers.utils import logging as transformers_logging

    # bars for weights that load in a second, between this project's own lines
    transformers_logging.disable_progress_bar()
    # an optional kernel that only 4-bit models on a CPU would use
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    # PEFT 0.21 asks transformers 5 by an old name
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
    # how checkpoints are sorted where all were written within a second
    logging.getLogger("transformers.trainer_utils").setLevel(logging.ERROR)
    # the first plot of a new machine
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
