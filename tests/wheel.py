"""Try an installed wheel, away from the checkout: `python -I tests/wheel.py [--without-torch]`.

Every command answers, its version is the package's, nothing comes from the checkout, data are built
from a CSV and a report is written; with torch, two steps are trained and the run is asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
from importlib import import_module, metadata
from pathlib import Path

COMMANDS = ("prepdata", "tune", "infer", "score", "recipe")
LIGHT = ("api", "eval.report.build", "formats.run", "options", "prepdata.build", "recipes.recipe")
QUESTIONS = [
    {"prompt": f"What does river {number} carry?", "reference": "Mud and stones.",
     "regular": "A river, a river.", "fine_tuned": "Mud and stones."}
    for number in range(12)
]  # fmt: skip


def run(folder: Path, *words: str) -> str:
    """Run an installed command in a folder; it must end well."""
    script = Path(sysconfig.get_path("scripts")) / words[0]
    done = subprocess.run(
        [str(script), *words[1:]], cwd=folder, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def main() -> None:
    """Try everything, and say what was done."""
    version = metadata.version("tuneproof")
    home = Path(import_module("tuneproof").__file__ or "").parent
    assert home.is_relative_to(Path(sysconfig.get_path("purelib"))), f"{home} is no installation"
    assert not [path for path in home.rglob("*") if path.is_symlink()]
    for name in LIGHT:
        import_module(f"tuneproof.{name}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for command in COMMANDS:
            assert run(folder, command, "--help").startswith("Usage: ")
            assert version in run(folder, command, "--version")
        (folder / "answers.json").write_text(json.dumps(QUESTIONS), encoding="utf-8")
        assert "better" in run(folder, "score", "report", "answers.json")
        assert (folder / "reports/answers/report.html").is_file()
        rows = "".join(f"What is {n} and {n}?,It is {2 * n}.\n" for n in range(40))
        (folder / "sums.csv").write_text(f"question,answer\n{rows}", encoding="utf-8")
        run(folder, "prepdata", "build", "--source", "csv=sums.csv")
        tried = "help, version, report, build"
        if "--without-torch" not in sys.argv:
            _train(folder)
            tried += ", training, comparison"
    print(f"tuneproof {version} on Python {sys.version.split()[0]}: {tried}")


def _train(folder: Path) -> None:
    small = ("--max-steps", "2", "--max-length", "64", "--sample-prompts", "0")
    run(folder, "tune", "run", "--model", "tiny", "--name", "sums", *small)
    run(folder, "infer", "compare", "data/test.jsonl", "--run", "sums", "--max-new-tokens", "4")
    assert (folder / "model_comparison.json").is_file()


if __name__ == "__main__":
    main()
