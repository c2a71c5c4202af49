"""The layout of the package: what may import what."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def modules() -> dict[str, Path]:
    """Every module of the package by its name; the stages are links in its folder."""
    package = ROOT / "tuneproof"
    folders = [package, *(path for path in package.iterdir() if path.is_symlink())]
    paths = {path for folder in folders for path in folder.rglob("*.py")}
    found = {}
    for path in paths:
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of the package that a file imports, wherever in it, but for its annotations."""
    tree = ast.parse(path.read_text())
    annotations = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if node in annotations:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name for name in inner if name in known}
            if not inner <= known.keys():
                names.add(node.module)
    return names & known.keys()


def circles(graph: dict[str, set[str]]) -> list[frozenset[str]]:
    """The sets of modules that reach each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[frozenset[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            start = stack.index(name)
            component = frozenset(stack[start:])
            del stack[start:]
            if len(component) > 1 or name in graph[name]:
                found.append(component)

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"e"}}
    assert set(circles(graph)) == {frozenset("bc"), frozenset("e")}


def test_no_import_circles() -> None:
    known = modules()
    assert {"tuneproof.errors", "tuneproof.tuning.config", "tuneproof.eval.stats"} <= known.keys()
    graph = {name: imported(path, known) for name, path in known.items()}
    assert graph["tuneproof.tuning.run"] >= {
        "tuneproof.tuning.classify",
        "tuneproof.tuning.generate",
    }
    assert circles(graph) == []
