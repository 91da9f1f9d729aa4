"""One worker: `python -m tests.upkeep.worker_process FOLDER NAME`. It follows the ledger until it is ended."""

from __future__ import annotations

import sys

from tradex_ledger.cli.main import run

if __name__ == "__main__":
    sys.exit(run(["-C", sys.argv[1], "--as", sys.argv[2], "worker", "--poll-seconds", "0.3"]))
