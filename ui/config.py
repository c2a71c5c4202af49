"""The settings of `tuneproof ui`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tuneproof.models.device import check_device
from tuneproof.options import check_least_one


@dataclass(frozen=True, kw_only=True)
class UiConfig:
    """What is shown, and where."""

    folder: Path = Path()
    """The folder whose runs, comparisons and reports are shown, and in which trainings start;
    nothing outside it is shown."""
    port: int = 8765
    """The port on 127.0.0.1; 0 takes any that is free."""
    browser: bool = False
    """Open the page in the browser."""
    device: str = "auto"
    """Where runs answer: auto, cpu, cuda, cuda:N or mps."""
    max_new_tokens: int = 200
    """Longest answer in tokens."""

    def __post_init__(self) -> None:
        """Reject what cannot be."""
        check_device(self.device)
        if not self.folder.is_dir():
            raise ValueError(f"no folder {self.folder}; give the one that holds runs/ and reports/")
        if not 0 <= self.port < 2**16:
            raise ValueError(f"port must be from 0 to 65535, got {self.port}")
        check_least_one(self, "max_new_tokens")
