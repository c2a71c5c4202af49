"""The commands of docs/scale.md, as the parsers of those who read them see them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "scale.md").read_text(encoding="utf-8")
PREFIX = re.compile(
    r"^(?:srun )?((?:torchrun|accelerate launch|tune|infer) [^`\n]*)$", re.MULTILINE
)
LINES = PREFIX.findall(PAGE)
CONFIGS = sorted((DOCS / "accelerate").glob("*.yaml"))


def module_and_options(line: str) -> tuple[str, list[str]]:
    """Return the module that a launcher would run, and its arguments."""
    words = shlex.split(line)
    if words[0] == "torchrun":
        from torch.distributed.run import parse_args

        parsed: Any = parse_args(words[1:])
        assert parsed.module
        return str(parsed.training_script), list(parsed.training_script_args)
    if words[0] == "accelerate":
        from accelerate.commands.launch import launch_command_parser

        parsed = launch_command_parser().parse_args(words[2:])
        assert parsed.module
        assert (DOCS.parent / parsed.config_file).is_file()
        return str(parsed.training_script), list(parsed.training_script_args)
    return {"tune": "tuneproof.tuning", "infer": "tuneproof.inference"}[words[0]], words[1:]


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES)
def test_line_means_what_it_says(line: str) -> None:
    from tuneproof.inference.cli import main as infer
    from tuneproof.tuning.cli import main as tune

    module, (name, *options) = module_and_options(line)
    group = {"tuneproof.tuning": tune, "tuneproof.inference": infer}[module]
    group.commands[name].make_context(
        name, options, token_normalize_func=lambda word: word.replace("_", "-")
    )


def test_page_has_lines_of_every_launcher() -> None:
    for start in ("torchrun ", "accelerate launch ", "tune run ", "tune plan", "infer compare "):
        assert any(line.startswith(start) for line in LINES) or f"$ {start}" in PAGE, start


@pytest.mark.slow
def test_torchrun_takes_a_bare_run_for_its_own() -> None:
    from torch.distributed.run import parse_args

    with pytest.raises(SystemExit):
        parse_args(["-m", "tuneproof.inference", "compare", "p.json", "--run", "mine"])


@pytest.mark.slow
@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_accelerate_reads_its_configs(file: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    assert load_config_from_file(str(file)).num_processes == 8
    assert f"docs/accelerate/{file.name}" in PAGE
