"""Web pages of one file that load nothing and run only their own script.

Text on them comes from outside: data, and models. Jinja escapes what it writes, embedded JSON
cannot close its element, scripts build text nodes only, and the policy admits no other script.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def style() -> str:
    """Return the style sheet that all pages share: light and dark, narrow and wide, and paper."""
    return (FOLDER / "web_page.css.j2").read_text(encoding="utf-8")


def embeddable_json(value: Any) -> str:
    """Return JSON in ASCII that is safe inside a script element: no <, > or & at all."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def policy(style: str, script: str) -> str:
    """Return a content security policy that admits this style and this script and data images."""
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{hashes[0]}'; "
        f"script-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'"
    )


def render(
    template: Path,
    *,
    script: str = "",
    data: Any = None,
    filters: Mapping[str, Callable[..., str]] | None = None,
    **values: Any,
) -> str:
    """Return a page from a Jinja template that extends ``web_page.html.j2``.

    Args:
        template: The file.
        script: What the page runs.
        data: What the script reads, from the element ``data``.
        filters: Further Jinja filters, by name.
        values: What the template shows.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, FOLDER]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= filters or {}
    sheet = style()
    return environment.get_template(template.name).render(
        style=sheet,
        script=script,
        policy=policy(sheet, script),
        data=embeddable_json(data),
        **values,
    )
