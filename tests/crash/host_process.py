"""A worker on a host of its own: `python -m tests.crash.host_process HOST FOLDER`. It works until it is ended.

A host is known by its name (and its processes): under another name it is another one, whose leases nobody here can
look into.
"""

from __future__ import annotations

import socket
import sys

from tradex_ledger.cli.main import run

if __name__ == "__main__":
    host, folder = sys.argv[1:]
    socket.gethostname = lambda: host
    sys.exit(run(["-C", folder, "--as", host, "worker", "--poll-seconds", "0.5"]))
