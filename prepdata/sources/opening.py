"""Opening a source: the files that a path stands for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tuneproof.errors import InputError
from tuneproof.files import existing_file, fingerprint, read_json
from tuneproof.formats.codec import member
from tuneproof.formats.data_folder import Split
from tuneproof.formats.example import digest
from tuneproof.prepdata.sources.data_file import DataFile, suffix_of
from tuneproof.prepdata.sources.files import SUFFIXES, read_file
from tuneproof.prepdata.sources.rows import EVALUATION, ReadLog, Row, split_of, words_of

COMPANIONS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
"""Files about the data, which `datasets` and the Hub put beside it."""
NO_DATA = ("readme", "license", "licence")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files that a path stands for."""

    files: tuple[DataFile, ...]
    """Those to be read, in order of name."""
    unread: tuple[str, ...] = ()
    """What else lies there, each with why it is not read."""


def local_files(path: Path) -> Listing:
    """Return the data files that a path stands for.

    A folder may be one of `datasets.save_to_disk`, or a clone from the Hub. Of its files, and those
    below ``data`` or a folder called after a split, those are read whose names speak of a split;
    all, where none does.

    Raises:
        InputError: There is no such path, or nothing readable in it.
    """
    if path.is_file():
        if suffix_of(path) not in SUFFIXES:
            listed = ", ".join(SUFFIXES)
            raise InputError(f"{path}: cannot read {path.suffix!r}; readable: {listed}")
        return Listing(files=(DataFile(path=path, name=path.name, split=split_of(path.stem)),))
    if not path.is_dir():
        raise InputError(f"no such file or folder: {path}")
    if (path / "dataset_dict.json").is_file():
        index = path / "dataset_dict.json"
        splits = member(read_json(index), "splits", list, str(index))
        files = [file for name in splits for file in _saved(path / name, path, split_of(name))]
        return Listing(files=tuple(files))
    if (path / "state.json").is_file() and (path / "dataset_info.json").is_file():
        split = read_json(path / "state.json").get("_split") or ""
        return Listing(files=tuple(_saved(path, path, split_of(split))))
    return _folder(path)


def fingerprints(path: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that a path stands for, by name, and of a card's labels."""
    files = local_files(path).files
    names = {file.name: file.class_names for file in files if file.class_names}
    labels = {"labels of README.md": digest(json.dumps(names, sort_keys=True))} if names else {}
    return {file.name: fingerprint(file.path) for file in files} | labels


def read_local(path: Path, log: ReadLog) -> Iterator[Row]:
    """Yield the rows of a local file or folder."""
    listing = local_files(path)
    for text in listing.unread:
        log.remark(f"not read: {text}")
    for file in listing.files:
        yield from read_file(file, log)


def _saved(folder: Path, root: Path, split: Split | None) -> list[DataFile]:
    """Return the Arrow files of a folder that `datasets.save_to_disk` wrote."""
    state = folder / "state.json"
    parts = member(read_json(state), "_data_files", list, str(state))
    names = [member(part, "filename", str, str(state)) for part in parts]
    for name in names:
        existing_file(folder / name)
    return [
        DataFile(path=folder / name, name=_below(folder / name, root), split=split)
        for name in names
    ]


def _folder(path: Path) -> Listing:
    files, others = _below_folder(path, path, None)
    if not files:
        inner = [folder for folder in others if folder.is_dir()]
        if len(inner) == 1:
            return _relative(local_files(inner[0]), inner[0].name)
        listed = ", ".join(folder.name for folder in inner)
        if inner:
            raise InputError(f"{path} holds no data file, but several folders: {listed}; name one")
        raise InputError(f"{path} holds no {', '.join(SUFFIXES)} file")
    unread = [f"{_below(other, path)} ({_reason(other)})" for other in others]
    if any(file.split for file in files):
        nameless = [file.name for file in files if file.split is None]
        unread += [f"{name} (its name speaks of no split, as others do)" for name in nameless]
        files = [file for file in files if file.split]
    names = _card_class_names(path)
    files = [replace(file, class_names=names) for file in _with_evaluation(files)]
    return Listing(files=tuple(sorted(files, key=lambda file: file.name)), unread=tuple(unread))


def _relative(listing: Listing, folder: str) -> Listing:
    """Return a listing of a folder as one of the folder that it is in."""
    files = (replace(file, name=f"{folder}/{file.name}") for file in listing.files)
    return Listing(files=tuple(files), unread=tuple(f"{folder}/{text}" for text in listing.unread))


def _below_folder(
    folder: Path, root: Path, split: Split | None
) -> tuple[list[DataFile], list[Path]]:
    """Return the data files of a folder and its folders of data, and what else is there."""
    files, others = [], []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in COMPANIONS:
            continue
        if path.is_dir():
            if path.name == "data" or split_of(path.name):
                inner = _below_folder(path, root, split_of(path.name) or split)
                files += inner[0]
                others += inner[1]
            elif any(suffix_of(file) in SUFFIXES[:-1] for file in path.rglob("*")):
                others.append(path)
        elif not path.is_file():
            others.append(path)  # such as a pipe, which may hold up whoever reads it
        elif suffix_of(path) in SUFFIXES[:-1]:
            name = _below(path, root)
            files.append(DataFile(path=path, name=name, split=split_of(path.stem) or split))
        elif path.stem.lower() not in NO_DATA:
            others.append(path)
    return files, others


def _with_evaluation(files: Sequence[DataFile]) -> list[DataFile]:
    """Return the files, with one called ``eval`` as validation where another is called ``test``."""
    is_evaluation = [bool(words_of(file.path.stem) & EVALUATION) for file in files]
    pairs = list(zip(files, is_evaluation, strict=True))
    if not any(file.split == "test" and not other for file, other in pairs):
        return list(files)
    return [replace(file, split="validation") if other else file for file, other in pairs]


def _reason(path: Path) -> str:
    if path.is_dir():
        return "a folder of its own"
    return "no data file by its name" if path.is_file() else "no file that can be read twice"


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _card_class_names(folder: Path) -> dict[str, list[str]]:
    """Return the class names that a dataset card (the head of README.md) states, by column."""
    card = folder / "README.md"
    if not card.is_file() or not card.read_bytes().startswith(b"---"):
        return {}
    import yaml

    head = card.read_text(encoding="utf-8", errors="replace").split("\n---", 1)[0]
    try:
        stated = yaml.safe_load(head.removeprefix("---"))
    except yaml.YAMLError:
        return {}
    infos = stated.get("dataset_info") if isinstance(stated, dict) else None
    names: dict[str, list[str]] = {}
    for info in infos if isinstance(infos, list) else [infos]:
        for feature in info.get("features", ()) if isinstance(info, dict) else ():
            kind = feature.get("dtype") if isinstance(feature, dict) else None
            listed = kind.get("class_label", {}).get("names") if isinstance(kind, dict) else None
            if isinstance(listed, dict):  # {"0": "negative", "1": "positive"}
                names[str(feature["name"])] = [str(listed[key]) for key in listed]
            elif isinstance(listed, list):
                names[str(feature["name"])] = [str(name) for name in listed]
    return names
