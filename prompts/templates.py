"""The prompt template: one function renders the prompt for training and for asking.

A template is a Jinja text that ends where the answer begins. A run records the template's text, so
that inference asks exactly as training taught; no flag of `infer` can disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError, unknown

if TYPE_CHECKING:
    import jinja2

FOLDER = Path(__file__).parent / "templates"
DEFAULT = "instruct"


@dataclass(frozen=True, kw_only=True)
class Template:
    """A named prompt template."""

    name: str
    """The name it was asked for by: a file in `prompts/templates`, or a path."""
    text: str
    """The Jinja source; it may use `instruction` and `input`, nothing else."""

    def render(self, instruction: str, input: str = "") -> str:  # noqa: A002 - the record's name
        """Return the prompt, ending where the completion begins."""
        return _compiled(self.text).render(instruction=instruction, input=input)


def load(name: str = DEFAULT) -> Template:
    """Load a template by name, or from a path that ends in ``.j2``.

    Raises:
        InputError: There is no such template, or it does not use `instruction`.
    """
    path = Path(name) if name.endswith(".j2") else FOLDER / f"{name}.j2"
    if not path.is_file():
        raise unknown("template", name, names())
    template = Template(name=name, text=path.read_text(encoding="utf-8"))
    probe = "\N{REPLACEMENT CHARACTER}probe"
    if probe not in template.render(probe):
        raise InputError(f"{path}: the template does not use {{{{ instruction }}}}")
    return template


def names() -> list[str]:
    """Return the names of the templates that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.j2"))


@lru_cache(maxsize=16)
def _compiled(text: str) -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        autoescape=False,  # the result is read by a model, not a browser
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    try:
        return environment.from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise InputError(f"template line {error.lineno}: {error.message}") from error
