"""A test that stands still is told by its stacks, and ends its process, so that the others go on.

Only seconds count in which the machine was awake: one that was put to sleep for an hour, with all that ran on it, has
no test that stands still. What holds Python's lock for ever is seen by `faulthandler_timeout` (Makefile) alone.
"""

from __future__ import annotations

import faulthandler
import os
import threading
import time
from pathlib import Path

SECONDS = 600
FILE = "TRADEX_TEST_STOOD_STILL"
"""The file that tells of it, in the environment: for all processes of a session."""
EXIT = 70


class Watch:
    """How long the test at hand has been at work: `begin` says that another one is."""

    def __init__(self, seconds: int = SECONDS, second: float = 1.0) -> None:
        self._most, self._second = seconds, second
        self._test, self._awake = "", 0
        threading.Thread(target=self._watch, name="still", daemon=True).start()

    def begin(self, test: str) -> None:
        """A test begins."""
        self._test, self._awake = test, 0

    def _watch(self) -> None:
        while self._awake < self._most:
            time.sleep(self._second)
            self._awake += 1
        with Path(os.environ[FILE]).open("a", encoding="utf-8") as file:
            print(f"{self._test} stood still for {self._most} seconds:", file=file, flush=True)
            faulthandler.dump_traceback(file)
        os._exit(EXIT)
