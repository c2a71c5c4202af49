"""The model card of a run."""

from __future__ import annotations

from pathlib import Path

from tuneproof.files import write_text
from tuneproof.formats.run import Run


def write_card(run: Run) -> None:
    """Write the run's README.md from what run.json says."""
    import jinja2

    text = (Path(__file__).parent / "card.md.j2").read_text(encoding="utf-8")
    template = jinja2.Template(text, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    write_text(run.folder / "README.md", template.render(run=run))
