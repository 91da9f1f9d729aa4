"""What comes from outside: the time, ids, who is here and on what machine. Nothing deeper reads it for itself."""

from __future__ import annotations

import getpass
import importlib.metadata
import os
import secrets
import socket
from datetime import UTC, datetime
from typing import Any

from tradex_ledger import __version__

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def utc_now() -> datetime:
    """The clock of the outside world; everything inside is given a clock."""
    return datetime.now(UTC)


def new_id(prefix: str, now: datetime) -> str:
    """A short id that sorts by time: milliseconds in nine characters of base 32, then four of randomness."""
    number = (int(now.timestamp() * 1000) << 20) | secrets.randbits(20)
    characters = [_ALPHABET[(number >> shift) & 31] for shift in range(60, -1, -5)]
    return f"{prefix}-{''.join(characters)}"


def login_name() -> str:
    """Who is logged in here; `--as` and TRADEX_ACTOR name somebody else."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def new_token() -> str:
    """Sixteen characters that nobody else has."""
    return secrets.token_hex(8)


def executor_facts() -> dict[str, Any]:
    """What LayerStarted says of who executes it: host, process, and the versions that bytes may depend on."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "version": __version__,
        "duckdb": importlib.metadata.version("duckdb"),
        "pyarrow": importlib.metadata.version("pyarrow"),
    }
