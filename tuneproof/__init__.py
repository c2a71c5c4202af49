"""Fine-tune a small language model, and prove whether it helped.

Six functions do what the commands do, and return typed values: `build`, `finetune`, `compare`,
`regressions`, `report` and `doctor`. They are loaded when they are asked for, so that
``import tuneproof`` is light. See docs/python-api.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuneproof.api import build, compare, doctor, finetune, regressions, report

    __version__: str

if not (Path(__file__).parent / "tuning").is_dir():
    raise ImportError(
        "the stages of tuneproof are links, and this checkout came without them: "
        "`git clone -c core.symlinks=true`, or install a wheel that was built elsewhere"
    )

__all__ = ["__version__", "build", "compare", "doctor", "finetune", "regressions", "report"]


def __getattr__(name: str) -> Any:
    """Load what is public when it is first asked for."""
    if name == "__version__":
        from importlib import metadata

        return metadata.version("tuneproof")
    if name in __all__:
        from tuneproof import api

        return getattr(api, name)
    raise AttributeError(f"module 'tuneproof' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List what is public."""
    return sorted(__all__)
