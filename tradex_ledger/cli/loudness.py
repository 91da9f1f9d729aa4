"""How much is said beside the result: as `-q` and `-v` have it, for the whole call."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Loudness:
    """`is_quiet`: results and errors only; `is_verbose`: what is done and why, too. `began` is a reading of a clock."""

    is_quiet: bool = False
    is_verbose: bool = False
    pages: bool = True
    began: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """A call begins."""
        self.is_quiet, self.is_verbose, self.pages, self.began = False, False, True, time.monotonic()

    def take(self, *, quiet: bool = False, verbose: bool = False, no_pager: bool = False) -> None:
        """What was said before or after the command's name."""
        self.is_quiet, self.is_verbose = self.is_quiet or quiet, self.is_verbose or verbose
        self.pages = self.pages and not no_pager

    def elapsed_s(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self.began


LOUDNESS = Loudness()
"""That of the call: there is one at a time."""
