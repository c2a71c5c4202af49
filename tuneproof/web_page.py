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


def hash_source(text: str) -> str:
    """Return a style sheet or script as a content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def policy(style: str, script: str, *, asks_server: bool = False) -> str:
    """Return a content security policy that admits this style and this script and data images.

    Args:
        style: The page's style sheet.
        script: What the page runs.
        asks_server: Whether that may ask the server which the page comes from.
    """
    return (
        f"default-src 'none'; img-src data:; style-src {hash_source(style)}; "
        f"script-src {hash_source(script)}; base-uri 'none'; form-action 'none'"
        + ("; connect-src 'self'" if asks_server else "")
    )


def render(
    template: Path,
    *,
    rules: str = "",
    script: str = "",
    asks_server: bool = False,
    data: Any = None,
    filters: Mapping[str, Callable[..., str]] | None = None,
    **values: Any,
) -> str:
    """Return a page from a Jinja template that extends ``web_page.html.j2``.

    Args:
        template: The file.
        rules: What comes after the style sheet that all pages share.
        script: What the page runs.
        asks_server: Whether that may ask the server which the page comes from.
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
    sheet = style() + rules
    return environment.get_template(template.name).render(
        style=sheet,
        script=script,
        policy=policy(sheet, script, asks_server=asks_server),
        data=embeddable_json(data),
        **values,
    )
