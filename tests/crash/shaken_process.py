"""One call of `tradex` on a machine that is not well: `python -m tests.crash.shaken_process ARGUMENT…`.

TRADEX_TEST_SHIFT is how many seconds its clock is off; TRADEX_TEST_ROOM how many bytes a file may grow to, past which
a write fails as on a full disk.
"""

from __future__ import annotations

import os
import resource
from datetime import UTC, datetime, timedelta

from tradex_ledger.cli.signals import interruption

SHIFT = timedelta(seconds=float(os.environ.get("TRADEX_TEST_SHIFT", "0")))


def shifted() -> datetime:
    """The clock of such a machine."""
    return datetime.now(UTC) + SHIFT


def main() -> None:
    """As the command `tradex` begins; whoever asks for the clock after that gets this one."""
    with interruption:
        interruption.listen()
        from tradex_ledger import clock

        clock.utc_now = shifted
        if room := int(os.environ.get("TRADEX_TEST_ROOM", "0")):
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        from tradex_ledger.cli.main import main as tradex

        tradex()


if __name__ == "__main__":
    main()
