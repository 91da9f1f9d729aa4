"""What nobody foresaw: it is the program's fault, is said in a line, and its details are kept for who mends it."""

from __future__ import annotations

import errno
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tradex_ledger import __version__
from tradex_ledger.cli.escape import masked
from tradex_ledger.errors import EnvironmentFault, TradexError

_KEPT = 20
_CAUSES, _FRAMES, _LONGEST = 8, 60, 4000
_PREFIX = "fault-"
_LEAST_MB = 2_048
_NO_THREAD = ("can't start new thread", "Failed to launch worker thread")


_lacked: set[str] = set()


class ProgramFault(TradexError):
    """Something that the program did not foresee. Only the boundary of the command line makes one."""

    code = "fault"
    exit_status = 70


class Unforeseen:
    """Within it, whatever no other handler has words for becomes a `TradexError`.

    This is the one place that takes every exception; an interrupt and an exit are none, and what is `known` has its
    handler.
    """

    def __init__(self, arguments: list[str], known: tuple[type[Exception], ...]) -> None:
        self.arguments = arguments
        self.known = known

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception) or (isinstance(error, self.known) and not _is_memory(error)):
            return
        if _is_memory(error):
            _lacked.add("memory")
            mend = "ask for less at once, or give the process more memory"
            raise EnvironmentFault("there is not enough memory", mend=mend, code="memory") from None
        where = _kept(_details(error, self.arguments))
        details = f"the details are in {where}" if where else "there is no folder of your own to keep the details in"
        raise ProgramFault(
            f"this is a fault of the program ({type(error).__name__}); {details}",
            mend="what was done before is on record; report it" + (" with that file" if where else ""),
        ) from None


def keep_quiet() -> None:
    """What fails beside the call, in a thread or while things are taken down, is kept, and told in a line."""

    def beside(failed: threading.ExceptHookArgs | sys.UnraisableHookArgs) -> None:
        error = failed.exc_value
        if not isinstance(error, Exception) or _is_memory(error):
            return
        where = _kept(_details(error, sys.argv[1:]))
        with suppress(OSError, ValueError, AttributeError):  # the stream may be closed by now, or gone
            sys.stderr.write(f"warning: a fault of the program beside the call ({type(error).__name__}): {where}\n")

    threading.excepthook = beside
    sys.unraisablehook = beside


def check_memory() -> None:
    """Raise `EnvironmentFault` where `ulimit -v` leaves too little room: libraries would abort, and say nothing."""
    try:
        import resource
    except ImportError:  # there are no such limits
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _LEAST_MB << 20:
        raise EnvironmentFault(
            f"there is not enough memory: this process may address {limit >> 20} MiB, and needs {_LEAST_MB}",
            mend=f"raise the limit, or lift it: ulimit -v {_LEAST_MB << 10}",
            code="memory",
        )


def has_lacked_memory() -> bool:
    """Whether this process ran out of memory: what libraries do at its end may fail then, and say so on the screen."""
    return bool(_lacked)


def _is_memory(error: Exception) -> bool:
    """Whether the machine lacks memory: then there is none for details either."""
    duckdb = sys.modules.get("duckdb")
    if isinstance(error, MemoryError) or (duckdb is not None and isinstance(error, duckdb.OutOfMemoryException)):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, ImportError):  # of a library that has no room
        return any(said in str(error) for said in ("Cannot allocate memory", "cannot allocate memory", "failed to map"))
    return any(said in str(error) for said in _NO_THREAD)  # of Python, and of Arrow


def _details(error: BaseException | None, arguments: list[str]) -> str:
    """What happened where. The values that were given are left out of it: any of them may be a secret."""
    import platform
    import traceback

    options = " ".join(word.partition("=")[0] for word in arguments if word.startswith("-"))
    about = f"tradex {__version__}, Python {platform.python_version()}, {platform.system()}\noptions: {options}\n"
    values = {part for word in arguments for part in (word, word.partition("=")[2]) if len(part) >= 4}
    told: list[str] = []
    while error is not None and len(told) < _CAUSES:
        text = "".join(traceback.format_exception_only(error))[:_LONGEST]
        for value in sorted(values, key=len, reverse=True):
            text = text.replace(value, "***")
        told.append("".join(traceback.format_tb(error.__traceback__)[-_FRAMES:]) + masked(text))
        error = error.__cause__ or error.__context__
    return "\nwhich came of, or after:\n".join([about + told[0], *told[1:]])


def _kept(details: str) -> Path | None:
    """Where the details were put, for nobody else to read; the oldest go."""
    from tradex_ledger.clock import utc_now
    from tradex_ledger.keyed import cache_home

    home = cache_home()
    if home is None:
        return None
    with suppress(OSError):
        for old in sorted(home.glob(f"{_PREFIX}*"))[: -(_KEPT - 1)]:
            old.unlink(missing_ok=True)
        path = home / f"{_PREFIX}{utc_now():%Y%m%dT%H%M%S%f}-{os.getpid()}.txt"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(details)
        return path
    return None
