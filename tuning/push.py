"""Push a run to the Hub: its adapter or merged model with a card, and nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError, first_line
from tuneproof.files import write_json
from tuneproof.formats.run import Run
from tuneproof.models.adapters import CONFIG
from tuneproof.models.weights import check_saved
from tuneproof.text import table
from tuneproof.tuning.card import hub_id, write_card
from tuneproof.tuning.push_config import CardFacts, PushConfig

TEXTS = (".json", ".jinja", ".md", ".txt", ".sh")
"""Files that are searched for paths of this machine."""
PAGE = "report.html"


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """What was uploaded, or would be."""

    files: dict[str, int]
    """Bytes of each file, by name."""
    url: str | None
    """Where it is; None where nothing was uploaded."""
    remarks: tuple[str, ...] = ()
    """What is missing."""

    def lines(self) -> list[str]:
        """Return it in words."""
        rows = [[name, f"{size:,}"] for name, size in self.files.items()]
        rows.append(["in all", f"{sum(self.files.values()):,}"])
        done = f"pushed: {self.url}" if self.url else "nothing was uploaded (--dry-run)"
        return [table([["file", "bytes"], *rows], left=(0,)), *self.remarks, done]


def push(run: Run, config: PushConfig) -> Pushed:
    """Upload a run's adapter or merged model with its card.

    The token is HF_TOKEN or that of `hf auth login`; the server is HF_ENDPOINT where it is set.

    Raises:
        InputError: The run is not finished, its base has no id on the Hub, a file names a path of
            this machine, there is no token, or the Hub refuses.
    """
    run.check_finished()
    check_saved(run)
    with _staged(run, config) as folder:
        files = {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        remarks = tuple(_missing(folder))
        url = None if config.dry_run else _upload(run, folder, config)
    return Pushed(files=files, url=url, remarks=remarks)


@contextmanager
def _staged(run: Run, config: PushConfig) -> Iterator[Path]:
    """Yield a temporary folder with exactly what is uploaded."""
    base = config.base_model or hub_id(run.base.model)
    is_adapter = not (config.merged or run.is_whole)
    if is_adapter and base is None:
        raise InputError(
            f"the base {run.base.model!r} is not on the Hub, and an adapter means nothing without "
            "it; name it with --base-model OWNER/NAME, or give --merged"
        )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "staged"
        if is_adapter or run.is_whole:
            shutil.copytree(run.saved, folder)
        else:
            from tuneproof.tuning.merge import merge_run

            merge_run(run, folder)
        _name_base(folder, base)
        facts: CardFacts = config
        if config.include_report:
            facts = _with_page(config, folder)
        write_card(run, folder, form="adapter" if is_adapter else "model", facts=facts)
        _check_paths(folder, run)
        yield folder


def _with_page(config: PushConfig, folder: Path) -> CardFacts:
    """Copy the report's page, and return the facts with a link to it."""
    assert config.report is not None
    page = (config.report if config.report.is_dir() else config.report.parent) / PAGE
    if not page.is_file():
        raise InputError(f"{page} is not there; `score report` writes it")
    shutil.copy(page, folder / PAGE)
    return CardFacts(
        base_model=config.base_model,
        license=config.license,
        language=config.language,
        report=config.report,
        report_link=PAGE,
    )


def _name_base(folder: Path, base: str | None) -> None:
    """Have the files name the base by its id on the Hub, and by no path."""
    for name, key in ((CONFIG, "base_model_name_or_path"), ("config.json", "_name_or_path")):
        file = folder / name
        if not file.is_file():
            continue
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if key in values:
            write_json(file, {**values, key: base or ""})


def _check_paths(folder: Path, run: Run) -> None:
    """Raise InputError where a text file that would be uploaded names a folder of this machine."""
    private = {str(run.folder.resolve()): r"(?![\w.-])", str(Path.home()): "/"}
    if Path(run.base.model).is_absolute():
        private[run.base.model] = r"(?![\w.-])"
    for file in sorted(folder.rglob("*")):
        if file.suffix not in TEXTS:
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        for path, end in private.items():
            if len(path) > 1 and re.search(re.escape(path) + end, text):
                raise InputError(f"{file.name} names the path {path}; nothing was uploaded")


def _missing(folder: Path) -> Iterator[str]:
    """Yield what a reader of the card would look for."""
    from huggingface_hub import metadata_load

    stated = metadata_load(folder / "README.md") or {}
    if "license" not in stated:
        yield "the card states no licence; give --license, such as apache-2.0"
    if "model-index" not in stated:
        yield "the card has no figures; give --report, the folder of `score report`"


def _upload(run: Run, folder: Path, config: PushConfig) -> str:
    """Upload a folder in one commit; return the repository's address."""
    from huggingface_hub import HfApi, get_token

    token = get_token()
    if token is None:
        raise InputError("no token of the Hub: set HF_TOKEN, or run `hf auth login`")
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token)
    try:
        api.create_repo(config.repo, private=not config.public, exist_ok=True)
        is_private = bool(api.model_info(config.repo).private)
        if not (config.public or is_private):
            raise InputError(
                f"{config.repo} exists and is public; give --public, or another --repo. Nothing "
                "was uploaded"
            )
        api.upload_folder(
            repo_id=config.repo, folder_path=folder, commit_message=f"Upload {run.name}"
        )
    except InputError:
        raise
    except Exception as error:  # which kinds there are changes with the client
        reason = first_line(error)
        raise InputError(f"the Hub refused {config.repo}: {reason}") from error
    return f"{api.endpoint}/{config.repo}"
