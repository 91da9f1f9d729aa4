"""A signal's end, where taking the program down takes longer than the patience that it has."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.kit.tree import ROOT

SLOW_TO_GO = """
import atexit, sys, time
from tradex_ledger.cli import signals

def go():
    with open(sys.argv[1], "a") as file:
        file.write("once ")
    time.sleep(30)

atexit.register(go)
with signals.interruption:
    signals.interruption.listen()
    print("up", flush=True)
    time.sleep(60)
"""

DEAF_FOR_LONG = """
import atexit, sys, time
from tradex_ledger.cli import signals

def go():
    with open(sys.argv[1], "a") as file:
        file.write("begun ")
        file.flush()
        time.sleep(0.2)
        file.write("ended")

atexit.register(go)
with signals.interruption:
    signals.interruption.listen()
    print("up", flush=True)
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            try:
                while not open(sys.argv[1]).read():
                    time.sleep(0.01)
            except (KeyboardInterrupt, OSError):
                continue
            break
"""


def test_who_is_cut_off_waits_until_what_is_to_be_done_at_the_exit_is_done(tmp_path: Path):
    """It was gone before, in the middle of it, and with DuckDB under way it aborted."""
    (tmp_path / "said").touch()
    command = [sys.executable, "-c", DEAF_FOR_LONG, str(tmp_path / "said")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert said.count("interrupted (SIGTERM)") == 1
    assert (tmp_path / "said").read_text() == "begun ended"


def test_what_is_to_be_done_at_the_exit_is_done_by_one_thread(tmp_path: Path):
    """Twice at once it aborted: DuckDB was taken down while it was being taken down."""
    command = [sys.executable, "-c", SLOW_TO_GO, str(tmp_path / "said")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert said.count("interrupted (SIGTERM)") == 1
    assert (tmp_path / "said").read_text() == "once "
