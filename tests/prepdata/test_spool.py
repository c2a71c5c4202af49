from __future__ import annotations

import json
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.formats.example import Example
from tuneproof.prepdata.spool import Spool


@given(st.lists(st.text(), min_size=1), st.booleans())
def test_records_are_read_back_by_offset_between_writes(texts: list[str], has_pread: bool) -> None:
    with pytest.MonkeyPatch.context() as patched, tempfile.TemporaryFile() as handle:
        if not has_pread:  # as on Windows
            patched.delattr("os.pread")
        spool = Spool(handle)
        found: dict[int, str] = {}
        for number, text in enumerate(texts):
            record = Example(
                id=str(number), task="t", instruction=text, input="i", output="o", group="g"
            )
            found[spool.add(record)] = json.dumps(record.as_row(), ensure_ascii=False)
            assert spool.texts(next(iter(found))) == (texts[0], "i", "o")
        assert {offset: spool.line(offset).decode() for offset in found} == {
            offset: f"{line}\n" for offset, line in found.items()
        }
