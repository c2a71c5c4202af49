"""The prompt templates that come with the package, and those of a user, by name."""

from __future__ import annotations

from pathlib import Path

from tuneproof.errors import InputError, unknown
from tuneproof.files import existing_file
from tuneproof.formats.template import Template

FOLDER = Path(__file__).parent / "templates"
DEFAULT = "instruct"


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
