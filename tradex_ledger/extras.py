"""What is installed only where it is asked for (`pip install 'tradex-ledger[NAME]'`)."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from tradex_ledger.errors import UsageError

NEEDED = {
    "dagster": ("dagster",),
    "dask": ("distributed",),
    "postgres": ("psycopg",),
    "s3": ("obstore",),
    "x": ("httpx2",),
}
"""The packages that each extra brings, by its name."""


class MissingExtraError(UsageError):
    """Something is asked for that needs packages which are not installed."""

    code = "missing-extra"

    def __init__(self, what: str, extra: str, lacking: str) -> None:
        super().__init__(
            f"{what} needs {lacking}, which is not installed", mend=f"pip install 'tradex-ledger[{extra}]'"
        )


def load(module: str, what: str, extra: str) -> ModuleType:
    """A module of ours that needs an extra. Raises `MissingExtraError`."""
    check(what, extra)
    return import_module(module)


def check(what: str, extra: str) -> None:
    """Raise `MissingExtraError` unless the packages of an extra are installed."""
    for package in NEEDED[extra]:
        if find_spec(package) is None:
            raise MissingExtraError(what, extra, package)
