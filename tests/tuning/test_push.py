from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tuneproof.files import fingerprint
from tuneproof.formats.run import Run
from tuneproof.tuning.cli import main

SERVER = Path(__file__).with_name("hub_server.py")
TOKEN = "hf_test"
# huggingface_hub 2.4 hands a file to its client in a way that this calls old
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Hub on this machine, with a token for it in the environment."""
    import huggingface_hub

    spec = importlib.util.spec_from_file_location("hub_server", SERVER)
    assert spec is not None and spec.loader is not None
    server = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "hub_server", server)
    spec.loader.exec_module(server)
    with server.serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
        yield hub
        huggingface_hub.close_session()


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    """A finished run with an adapter of a few bytes, as PEFT leaves it."""
    import torch
    from safetensors.torch import save_file

    made = make_run("mine", config={
        "model": "tiny", "method": "lora", "objective": "generate", "max_length": 96,
    })  # fmt: skip
    counts = replace(made.data.train, trained_tokens=900)
    made = make_run(
        "mine", config=made.config, data=replace(made.data, train=counts, validation=counts)
    )
    made.adapter.mkdir()
    save_file({"a": torch.ones(3)}, made.adapter / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "base_model_name_or_path": str(made.folder / "base")}
    (made.adapter / "adapter_config.json").write_text(json.dumps(config))
    (made.adapter / "chat_template.jinja").write_text("{{ messages }}")
    return made


def push(run: Run, *arguments: str) -> Result:
    typed = ["push", run.name, "--runs", str(run.folder.parent), "--repo", "me/mine", *arguments]
    return CliRunner().invoke(main, typed)


NAMED = ("--base-model", "someone/small", "--license", "apache-2.0", "--language", "en")


def test_adapter_and_card_arrive_in_a_private_repository(hub: Any, run: Run) -> None:
    from huggingface_hub import ModelCard

    done = push(run, *NAMED)
    assert done.exit_code == 0, done.output
    assert sorted(hub.files) == [
        "README.md", "adapter_config.json", "adapter_model.safetensors", "chat_template.jinja",
    ]  # fmt: skip
    assert hub.is_private is True
    assert hub.commits == ["Upload mine"]
    weights = run.adapter / "adapter_model.safetensors"
    assert hub.files["adapter_model.safetensors"] == weights.read_bytes()
    config = json.loads(hub.files["adapter_config.json"])
    assert config["base_model_name_or_path"] == "someone/small"
    card = ModelCard(hub.files["README.md"].decode())
    assert card.data.base_model == "someone/small"
    assert (card.data.license, card.data.language) == ("apache-2.0", ["en"])
    assert card.data.library_name == "peft"
    assert 'from_pretrained(".")' in card.text
    assert "{{ instruction }}{{ input }}" in card.text
    assert done.stdout.endswith(f"pushed: {hub.url}/me/mine\n")


def test_no_path_of_this_machine_and_no_token_leave_it(hub: Any, run: Run) -> None:
    assert push(run, *NAMED).exit_code == 0
    everything = b"".join(hub.files.values())
    for secret in (TOKEN, str(run.folder), str(Path.home()) + "/"):
        assert secret.encode() not in everything
    (run.adapter / "notes.txt").write_text(json.dumps({"of": str(run.folder)}))
    done = push(run, *NAMED)
    assert done.exit_code == 2
    assert f"notes.txt names the path {run.folder}" in done.output
    assert hub.commits == ["Upload mine"]


def test_dry_run_lists_files_and_sizes_and_asks_no_server(hub: Any, run: Run) -> None:
    done = push(run, *NAMED, "--dry-run")
    assert done.exit_code == 0, done.output
    size = (run.adapter / "adapter_model.safetensors").stat().st_size
    rows = {line.split()[0]: line.split()[-1] for line in done.output.splitlines()}
    assert rows["adapter_model.safetensors"] == f"{size:,}"
    assert "README.md" in rows
    assert done.output.endswith("nothing was uploaded (--dry-run)\n")
    assert hub.calls == []


def test_public_repository_is_not_written_to_unasked(hub: Any, run: Run) -> None:
    hub.is_private = False
    done = push(run, *NAMED)
    assert done.exit_code == 2
    assert "me/mine exists and is public; give --public" in done.output
    assert hub.files == {}
    assert push(run, *NAMED, "--public").exit_code == 0
    assert "README.md" in hub.files


def test_what_cannot_be_pushed_is_one_line(
    hub: Any, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for arguments, message in (
        ((), "'tiny' is not on the Hub, and an adapter means nothing without it; name it with"),
        (("--base-model", "/home/me/base"), "base_model must be an id on the Hub, got"),
        (("--repo", "mine"), "repo must be OWNER/NAME, got 'mine'"),
        (("--include-report",), "include_report needs --report"),
    ):
        done = push(run, *arguments)
        assert (done.exit_code, done.output.count("\n")) == (2, 1), done.output
        assert message in done.output
    hub.token = "another"
    assert "the Hub refused me/mine: " in push(run, *NAMED).output
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    assert "no token of the Hub: set HF_TOKEN" in push(run, *NAMED).output
    assert hub.files == {}


def test_damaged_weights_are_not_pushed(hub: Any, run: Run) -> None:
    from tuneproof.formats.run import write_run

    write_run(replace(run, weights_sha256={"adapter_model.safetensors": "0" * 64}))
    assert fingerprint(run.adapter / "adapter_model.safetensors") != "0" * 64
    assert "is not the file that the training of 'mine' left" in push(run, *NAMED).output
    assert hub.calls == []
