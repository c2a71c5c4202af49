"""The prompt template: Jinja text that turns a question or a conversation into a prompt.

There are two forms. A *chat template* is what models bring along: it renders `messages`, a list of
role and content. A *form of two fields* renders `instruction` and `input` and ends where the answer
begins. A run records the text, so that inference asks exactly as training taught.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tuneproof.errors import InputError
from tuneproof.formats.example import digest

if TYPE_CHECKING:
    import jinja2


@dataclass(frozen=True, kw_only=True)
class Template:
    """A named prompt template."""

    name: str
    """The name it was asked for by: a file in `prompts/templates`, a path, or ``chat`` for the
    model's own."""
    text: str
    """The Jinja source; it uses `messages`, or `instruction` and `input`."""
    variables: Mapping[str, Any] = field(default_factory=dict, metadata={"omit": True})
    """What a chat template is given beside the messages, such as `enable_thinking`."""

    @property
    def is_chat(self) -> bool:
        """Whether it renders `messages`, as the templates of chat models do."""
        return re.search(r"\{[{%][^}]*\bmessages\b", self.text) is not None

    @property
    def hash(self) -> str:
        """SHA-256 of what decides how it renders."""
        listed = [json.dumps(dict(self.variables), sort_keys=True)] if self.variables else []
        return digest(self.text, *listed)

    def render(self, instruction: str, input: str = "") -> str:  # noqa: A002 - the record's name
        """Return the prompt of a form of two fields, ending where the completion begins."""
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
