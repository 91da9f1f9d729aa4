"""Worker processes: what they load, and what they do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os
from tradex_ledger.pool.processes import ProcessPool

print("begun")
pool = ProcessPool(2)
names = ["ARROW_DEFAULT_MEMORY_POOL"] * 3
print({found for _, found in pool.run(os.getenv, names)})
pool.close(wait=True)
"""


def test_a_program_is_not_run_again_by_its_workers(tmp_path: Path):
    """It has no guarded main part: imported once more in each worker, it would start workers from workers."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("begun\n{'system'}\n", "")
