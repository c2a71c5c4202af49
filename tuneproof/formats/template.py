"""The prompt template: one function renders the prompt for training and for asking.

A template is a Jinja text that ends where the answer begins. A run records the template's text, so
that inference asks exactly as training taught; no flag of `infer` can disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tuneproof.errors import InputError

if TYPE_CHECKING:
    import jinja2


@dataclass(frozen=True, kw_only=True)
class Template:
    """A named prompt template."""

    name: str
    """The name it was asked for by: a file in `prompts/templates`, or a path."""
    text: str
    """The Jinja source; it may use `instruction` and `input`, nothing else."""

    def render(self, instruction: str, input: str = "") -> str:  # noqa: A002 - the record's name
        """Return the prompt, ending where the completion begins."""
        import jinja2

        try:
            return _compiled(self.text).render(instruction=instruction, input=input)
        except jinja2.TemplateError as error:
            raise InputError(f"template {self.name}: {error.message}") from error


@lru_cache(maxsize=16)
def _compiled(text: str) -> jinja2.Template:
    import jinja2
    import jinja2.sandbox

    # in a sandbox, since the template comes with the run, and a run may be a stranger's
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
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
