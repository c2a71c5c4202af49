from __future__ import annotations

import os

import pytest

from tuneproof.tuning.peak import CLEAR, forget_peaks, peak_bytes


@pytest.mark.skipif(not os.access(CLEAR, os.W_OK), reason="this system cannot forget a peak")
def test_peak_of_one_run_is_not_that_of_the_run_before() -> None:
    block = bytearray(os.urandom(1) * (400 * 2**20))
    before = peak_bytes()
    del block
    forget_peaks()
    assert peak_bytes() < before - 300 * 2**20
