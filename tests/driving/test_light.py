"""What a drive that computes nothing does not load, and what it leaves as it was."""

from __future__ import annotations

import gc
import subprocess
import sys
from contextlib import suppress

import pytest

from tradex_ledger.garbage import all_stays

_LOADED = """
import sys
import tradex_ledger.workspace.runs, tradex_ledger.driving.drive, tradex_ledger.driving.build
print(*sorted({"pyarrow", "numpy"} & sys.modules.keys()))
"""


def test_who_drives_loads_no_arrow_until_something_is_computed() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("was_on", [True, False])
def test_garbage_is_looked_for_again_afterwards_if_it_was_before(was_on: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        with suppress(ValueError), all_stays():
            assert not gc.isenabled()
            with all_stays():
                pass
            assert not gc.isenabled()
            raise ValueError
        assert gc.isenabled() is was_on
    finally:
        (gc.enable if before else gc.disable)()
