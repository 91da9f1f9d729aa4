"""What watches the tests: see tests/kit/still.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.kit import still
from tests.kit.tree import ROOT

WATCHED = """
import time
from tests.kit.still import Watch
watch = Watch(40, 0.01)
print("begun", flush=True)
for number in range({tests}):
    watch.begin(f"test_{{number}}")
    time.sleep({seconds})
"""


def begun(tmp_path: Path, tests: int, seconds: float) -> subprocess.Popen[str]:
    code = WATCHED.format(tests=tests, seconds=seconds)
    environment = {**os.environ, still.FILE: str(tmp_path / "told"), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def test_a_test_that_stands_still_is_named_with_what_it_waits_for(tmp_path: Path):
    with begun(tmp_path, 1, 60) as process:
        assert process.wait(30) == still.EXIT
    told = (tmp_path / "told").read_text(encoding="utf-8")
    assert told.startswith("test_0 stood still for 40 seconds:\n")
    assert 'File "<string>", line 8 in <module>' in told


def test_many_tests_together_may_take_longer(tmp_path: Path):
    with begun(tmp_path, 30, 0.05) as process:
        assert process.wait(30) == 0
    assert not (tmp_path / "told").exists()


def test_a_machine_that_sleeps_has_no_test_that_stands_still(tmp_path: Path):
    with begun(tmp_path, 1, 0.2) as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        process.send_signal(signal.SIGCONT)
        assert process.wait(30) == 0
