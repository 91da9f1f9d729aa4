"""What comes from outside: the time, ids, who is here and on what machine. Nothing deeper reads it for itself."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tradex_ledger import __version__

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def utc_now() -> datetime:
    """The clock of the outside world; everything inside is given a clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Seat:
    """Which process this is: its host, its machine (as long as that runs), its number there, and the machine's count of
    seconds since it was started. That count follows no clock that people set.
    """

    host: str
    machine: str
    pid: int
    uptime: Callable[[], float]


def seat() -> Seat:
    """The seat of this process. Containers of a machine that number their processes anew are machines of their own."""
    host = socket.gethostname()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        processes = Path("/proc/self/ns/pid").readlink()
        return Seat(host, f"{host} {boot} {processes}", os.getpid(), _uptime())
    except OSError:  # no Linux: what is monotonic counts from the start of the machine, too
        return Seat(host, host, os.getpid(), time.monotonic)


def _uptime() -> Callable[[], float]:
    """Seconds since the machine was started, as the system says, and nothing that is put before it."""
    file = Path("/proc/uptime")
    float(file.read_text().split()[0])
    return lambda: float(file.read_text().split()[0])


def new_id(prefix: str, now: datetime) -> str:
    """A short id that sorts by time: milliseconds in nine characters of base 32, then four of randomness."""
    import secrets

    number = (int(now.timestamp() * 1000) << 20) | secrets.randbits(20)
    characters = [_ALPHABET[(number >> shift) & 31] for shift in range(60, -1, -5)]
    return f"{prefix}-{''.join(characters)}"


def process_name() -> str:
    """This process as others may call it: its number at its host."""
    return f"{os.getpid()}@{socket.gethostname()}"


def login_name() -> str:
    """Who is logged in here; `--as` and TRADEX_ACTOR name somebody else."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def new_token() -> str:
    """Sixteen characters that nobody else has."""
    import secrets

    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Executor:
    """Who executes: host, process, and the versions that bytes may depend on."""

    host: str
    pid: int
    version: str
    duckdb: str
    pyarrow: str

    @property
    def engine(self) -> str:
        """What computes here, as events name it."""
        return engine_name(self.duckdb)


def this_executor() -> Executor:
    """The process that asks."""
    import importlib.metadata

    duckdb, pyarrow = importlib.metadata.version("duckdb"), importlib.metadata.version("pyarrow")
    return Executor(socket.gethostname(), os.getpid(), __version__, duckdb, pyarrow)


def engine_name(duckdb: str) -> str:
    """How events name the engine of a version of DuckDB."""
    return f"duckdb {duckdb}"
