"""The prompt template: Jinja text that turns a question or a conversation into a prompt.

There are two forms. A *chat template* is what models bring along: it renders `messages`, a list of
role and content. A *form of two fields* renders `instruction` and `input` and ends where the answer
begins. A run records the text, so that inference asks exactly as training taught.
"""

from __future__ import annotations

import ctypes
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tuneproof.errors import InputError
from tuneproof.formats.example import digest

if TYPE_CHECKING:
    import jinja2

SECONDS = 10.0
"""What a template may take to render a question, before it is said to be endless."""


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
        with template_faults(self.name):
            return _compiled(self.text, self.name).render(instruction=instruction, input=input)


class EndlessTemplate(InputError):
    """A template that does not come to an end."""


@contextmanager
def template_faults(name: str, *, seconds: float | None = None) -> Iterator[None]:
    """Turn whatever a template raises while it renders into an InputError.

    Args:
        name: The template.
        seconds: What it may take; None where it has shown before that it comes to an end.

    Raises:
        EndlessTemplate: It took longer.
        InputError: It cannot be rendered.
    """
    try:
        with _time_limit(seconds) if seconds else nullcontext():
            yield
    except InputError:
        raise
    except TimeoutError as error:
        raise EndlessTemplate(
            f"template {name!r} does not come to an end within {seconds:g} seconds"
        ) from error
    except Exception as error:  # a template is a program, and can raise anything
        fault = str(error) or type(error).__name__
        raise InputError(f"template {name!r}: {fault}") from error


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in a block of pure Python that takes longer, in any thread."""
    thread, lock, state = threading.get_ident(), threading.Lock(), {"is_over": False}
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc

    def stop() -> None:
        with lock:
            if not state["is_over"]:
                raise_in(ctypes.c_ulong(thread), ctypes.py_object(TimeoutError))

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            state["is_over"] = True
        timer.cancel()


@lru_cache(maxsize=16)
def _compiled(text: str, name: str) -> jinja2.Template:
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
        template = environment.from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise InputError(f"template line {error.lineno}: {error.message}") from error
    with template_faults(name, seconds=SECONDS):
        template.render(instruction="What?", input="This.")
    return template
