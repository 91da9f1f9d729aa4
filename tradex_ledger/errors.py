"""The error tree, grouped by what a handler would do.

Leaf classes live beside what raises them; their constructors take values and own the sentence.
Codes are kebab-case and only ever added. One boundary, in the command line, turns them into text and
an exit status.
"""

from __future__ import annotations

from collections.abc import Iterable


class TradexError(Exception):
    """Something a person can read, with the values, and what mends it."""

    code = "error"
    exit_status = 1

    def __init__(self, message: str, *, mend: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend
        if code:
            self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        """Leaf classes own their constructors, so the way back from a worker process goes past them."""
        return (_revive, (type(self), self.args, self.__dict__))


def meant(name: str, known: Iterable[str]) -> str:
    """What somebody who wrote a name may have meant, as a question and a space; nothing where nothing is like it."""
    from difflib import get_close_matches  # loads slowly, and only errors ask

    found = get_close_matches(name, list(known), n=2, cutoff=0.7)
    return f"did you mean {' or '.join(found)}? " if found else ""


def _revive(cls: type[TradexError], args: tuple[object, ...], facts: dict[str, object]) -> TradexError:
    error = cls.__new__(cls)
    Exception.__init__(error, *args)
    error.__dict__.update(facts)
    return error


class UsageError(TradexError):
    """The call itself is off: a day that is no day, a range that ends before it starts."""

    code = "usage"
    exit_status = 2


class RefusedError(TradexError):
    """The rules say no: wrong state, self-approval, logic changed without a version."""

    code = "refused"
    exit_status = 3


class NotFoundError(TradexError):
    """There is no such run, dataset or position."""

    code = "not-found"
    exit_status = 4


class ConflictError(TradexError):
    """Somebody else wrote first: read again, then retry."""

    code = "conflict"
    exit_status = 5


class EnvironmentFault(TradexError):
    """Disk, database, network or source: outside the rules; `transient` says a retry may help."""

    code = "environment"
    exit_status = 6

    def __init__(self, message: str, *, mend: str = "", code: str = "", transient: bool = False) -> None:
        super().__init__(message, mend=mend, code=code)
        self.transient = transient


class BrokenLedgerError(TradexError):
    """Verification failed: never retried, never caught."""

    code = "broken-ledger"
    exit_status = 7
