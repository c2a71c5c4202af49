"""What mkdocs.yml cannot say: pages from outside docs/, and anchors as GitHub has them."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
OUTSIDE = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "tiny.md": "tiny/README.md",
    "measured.md": "benchmarks/kept/benchmarks.md",
}
"""Pages of the site, and the files of the repository that they are."""
COMMENT = re.compile(r"^<!-- .* -->\n", re.MULTILINE)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_config(config: Any) -> Any:
    """Have headings of the site the anchors that they have on GitHub."""
    from pymdownx.slugs import slugify

    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside docs/."""
    from mkdocs.structure.files import File

    for name, source in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead the links of a page to pages of the site."""
    name = page.file.src_uri
    markdown = COMMENT.sub("\n", markdown)  # a table begins after an empty line
    return relinked(markdown, OUTSIDE.get(name, f"docs/{name}"))


def relinked(markdown: str, source: str) -> str:
    """Return a page with its relative links as the site needs them.

    A link to a file that the site does not have becomes its text.

    Args:
        markdown: The page.
        source: Its file in the repository.
    """
    names = {file: name for name, file in OUTSIDE.items()}

    def relink(link: re.Match[str]) -> str:
        image, text, target = link.groups()
        file, mark, anchor = target.partition("#")
        if "://" in target or not file:
            return link[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), file))
        in_docs = path.removeprefix("docs/")
        shown = names.get(path) or (in_docs if in_docs != path and _is_shown(path) else None)
        return f"{image}[{text}]({shown}{mark}{anchor})" if shown else text

    return LINK.sub(relink, markdown)


def _is_shown(path: str) -> bool:
    return (ROOT / path).is_file() and not path.endswith((".py", ".yaml"))
