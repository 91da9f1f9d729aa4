"""What a person is told when the database cannot; which it is, its dialect knows by the words that it says."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import URL

from tradex_ledger.errors import EnvironmentFault


@dataclass(frozen=True, slots=True)
class Fault:
    """What a person is told: the reason goes on after the ledger's name, with {said} for what the database says."""

    code: str
    reason: str
    mend: str
    transient: bool = False


BUSY = Fault(
    "store-busy",
    "is busy: another process has kept it locked ({said})",
    "try again when the other process is done",
    transient=True,
)
LOST = Fault(
    "store-lost",
    "does not answer ({said})",
    "see that its server runs and can be reached, then try again: a save is stored whole or not at all",
    transient=True,
)
NOT_READABLE = Fault(
    "store-not-readable", "cannot be read: {said}", "ask its owner for read access to the file and its folder"
)
NOT_WRITABLE = Fault(
    "store-not-writable", "cannot be written: {said}", "ask its owner for write access to the file and its folder"
)
ONLY_READ = Fault("store-not-writable", "was opened for reading only", "open the workspace without reading=True")
UNKNOWN = Fault("store", "could not be used: {said}", "see what the database says and try again")


def shown(url: URL) -> str:
    """A database's URL as a person wrote it, without a password and without the name of a driver."""
    kept = {name: value for name, value in url.query.items() if "password" not in name}
    bare = url.set(drivername=url.get_backend_name(), password=None, query=kept)
    return bare.render_as_string(hide_password=False)


class StoreFault(EnvironmentFault):
    """The database refused for a reason outside the rules."""

    code = "store"

    def __init__(self, url: URL, fault: Fault, said: object = "") -> None:
        super().__init__(
            f"the ledger {shown(url)} {fault.reason.format(said=said)}",
            mend=fault.mend,
            code=fault.code,
            transient=fault.transient,
        )
