"""What the database says when it cannot, translated once into what a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from eventsourcing.persistence import IntegrityError
from sqlalchemy import URL, Engine
from sqlalchemy import exc as sql

from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.ledger.looking import DRIVER_ERRORS

# Marks the engines that are for reading only.
READS = "tradex_reads"


class StoreFault(EnvironmentFault):
    """The database refused for a reason outside the rules."""

    code = "store"

    def __init__(self, database: str, reason: str, mend: str, *, code: str = "", transient: bool = False) -> None:
        super().__init__(f"the ledger {database} {reason}", mend=mend, code=code, transient=transient)


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Raises what SQLAlchemy raises as a conflict (`IntegrityError`) or as a `StoreFault`."""
    try:
        yield
    except sql.IntegrityError as error:
        raise IntegrityError(str(error.orig)) from error
    except (sql.SQLAlchemyError, *DRIVER_ERRORS) as error:  # the latter: of the driver's own cursor
        raise store_fault(engine, error) from error


def access_fault(url: URL, error: OSError, *, reading: bool) -> StoreFault:
    """The fault that the file system's refusal stands for."""
    database = url.render_as_string(hide_password=True)
    doing, right = ("read", "read access") if reading else ("written", "write access")
    return StoreFault(
        database,
        f"cannot be {doing}: {error.strerror or error}",
        f"ask its owner for {right} to the file and its folder",
        code="store-not-readable" if reading else "store-not-writable",
    )


def busy_fault(engine: Engine, reason: str) -> StoreFault:
    """The fault that others stand for who are at work all the time."""
    return StoreFault(
        engine.url.render_as_string(hide_password=True),
        f"is busy: another process has kept it locked ({reason})",
        "try again when the other process is done",
        code="store-busy",
        transient=True,
    )


def read_only_fault(engine: Engine) -> StoreFault:
    """What meets a command that writes though it said that it only reads."""
    return StoreFault(
        engine.url.render_as_string(hide_password=True),
        "was opened for reading only",
        "open the workspace without reading=True",
        code="store-not-writable",
    )


def store_fault(engine: Engine, error: Exception) -> StoreFault:
    """The fault that a database error stands for."""
    database = engine.url.render_as_string(hide_password=True)
    original = str(getattr(error, "orig", None) or error)
    said = original.lower()
    if "locked" in said or "busy" in said or isinstance(error, sql.TimeoutError):
        return busy_fault(engine, original)
    if "disk is full" in said or "disk i/o" in said:
        return StoreFault(
            database,
            f"could not be written ({original}); the save left nothing behind",
            "make room on the disk, check that it is sound, and try again",
            code="store-disk",
        )
    if engine.get_execution_options().get(READS, False) and ("unable to open" in said or "readonly" in said):
        return access_fault(engine.url, PermissionError(original), reading=True)
    if "readonly" in said or "read-only" in said or "unable to open" in said:
        return StoreFault(
            database,
            f"cannot be opened for writing ({original})",
            "check that the file and its folder exist and may be written by this user",
            code="store-not-writable",
        )
    if "not a database" in said or "malformed" in said or "decode" in said:
        return StoreFault(
            database,
            f"cannot be read as a database ({original})",
            "put back the last good copy of that file, and of the lake beside it",
            code="store-damaged",
        )
    return StoreFault(database, f"could not be used: {original}", "see what the database says and try again")
