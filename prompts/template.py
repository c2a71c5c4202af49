"""The prompt template: one function renders the prompt for training and for asking.

A template is a Jinja text that ends where the answer begins. A run records the template's text, so
that inference asks exactly as training taught; no flag of `infer` can disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tuneproof.errors import InputError, unknown
from tuneproof.files import existing_file

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
        import jinja2

        try:
            return _compiled(self.text).render(instruction=instruction, input=input)
        except jinja2.TemplateError as error:
            raise InputError(f"template {self.name}: {error.message}") from error


def load(name: str = DEFAULT) -> Template:
    """Load a template by name, or from a path that ends in ``.j2``.

    Raises:
        InputError: There is no such template, or it leaves out `instruction` or `input`.
    """
    if name.endswith(".j2"):
        path = existing_file(Path(name))
    elif name in names():
        path = FOLDER / f"{name}.j2"
    else:
        raise unknown("template", name, names())
    template = Template(name=name, text=path.read_text(encoding="utf-8"))
    probes = {"instruction": "\N{REPLACEMENT CHARACTER}ask", "input": "\N{REPLACEMENT CHARACTER}on"}
    rendered = template.render(**probes)
    for field, probe in probes.items():
        if probe not in rendered:
            raise InputError(f"{path}: the template does not use {{{{ {field} }}}}")
    if probes["instruction"] not in template.render(probes["instruction"]):
        raise InputError(f"{path}: without an input the template leaves the instruction out")
    return template


def names() -> list[str]:
    """Return the names of the templates that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.j2"))


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
