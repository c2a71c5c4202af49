"""The quick look at the data before each training."""

from __future__ import annotations

from pathlib import Path

from tuneproof.finding import told
from tuneproof.formats.example import FILES, read_examples
from tuneproof.tuning.data import Data
from tuneproof.tuning.doctor.data import check_data
from tuneproof.tuning.doctor.folder import Folder


def lines_before(path: Path, data: Data) -> list[str]:
    """Return the warnings and errors over the data of a training, as lines for a terminal.

    Args:
        path: The data folder; its test file is read.
        data: What will be trained on.

    Raises:
        InputError: A line of the test file is no record.
    """
    test = path / FILES["test"]
    folder = Folder(
        path=path,
        train=data.train,
        validation=data.validation,
        test=list(read_examples(test)) if test.is_file() else (),
        labels=data.labels,
    )
    return told(check_data(folder), notes=False)
