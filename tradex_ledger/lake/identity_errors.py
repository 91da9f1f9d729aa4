"""Why a ledger may not touch a lake."""

from __future__ import annotations

from tradex_ledger.errors import RefusedError
from tradex_ledger.lake.markers import MARKS

_OWN = 'give each ledger a folder of its own, none inside another: lake = "…/NAME" under [workspace] in tradex.toml'


class LakeIdentityError(RefusedError):
    """Ledger and lake do not belong together: nothing is written, and nothing removed."""

    code = "lake-identity"


class LostHeadError(LakeIdentityError):
    """The ledger lacks events that the lake knows of. It may be a copy: a new epoch is the way out."""


class BehindError(LostHeadError):
    """The lake knows of events that the ledger does not have."""

    code = "ledger-behind"

    def __init__(self, lake: str, head: int, epoch: int, position: int, marked_epoch: int) -> None:
        of = (
            f" of epoch {marked_epoch}, which this ledger is not in (it is in {epoch})" if marked_epoch != epoch else ""
        )
        super().__init__(
            f"this ledger ends at position {head}, and its lake {lake} knows it up to position {position}{of}: "
            "it is an older copy",
            mend=_lost_mend(position),
        )


class ForkedError(LostHeadError):
    """The ledger has another event at a position that the lake knows."""

    code = "ledger-forked"

    def __init__(self, lake: str, position: int, epoch: int) -> None:
        super().__init__(
            f"this ledger has another event at position {position} than the one that its lake {lake} knows "
            f"(epoch {epoch}): two copies of one ledger have gone on",
            mend=_lost_mend(position),
        )


class StrangersError(LostHeadError):
    """A lake without a marker holds files of runs that the ledger does not know."""

    code = "ledger-behind"

    def __init__(self, lake: str, path: str, run_id: str) -> None:
        super().__init__(
            f"the lake {lake} has no marker and holds {path}, and this ledger knows no run {run_id}: "
            "it is an older copy, or another ledger writes there",
            mend="put back the newest copy of the ledger; if it is lost, and no other ledger writes there: "
            "tradex ledger epoch --lost-head POSITION --reason …",
        )


class EpochWaitsError(LostHeadError):
    """A new epoch was asked for, and has not begun: until then nobody knows that this is the ledger that goes on."""

    code = "epoch-waits"

    def __init__(self, ledger: str) -> None:
        super().__init__(
            f"the ledger {ledger} was put back from a copy, and its new epoch has not begun",
            mend="somebody else than who asked looks and approves: tradex ledger epoch",
        )


class OtherLedgerError(LakeIdentityError):
    """The lake is another ledger's."""

    code = "lake-of-another"

    def __init__(self, lake: str, other: str | None, own: str | None, path: str = "") -> None:
        whose = f"the ledger {other}" if other else f"another ledger, whose runs left {path} there"
        this = f"this is {own}" if own else "a new ledger cannot have it"
        super().__init__(f"the lake {lake} belongs to {whose}; {this}", mend=_OWN)


class UnmarkedLakeError(LakeIdentityError):
    """The lake has neither a marker nor a file that the ledger names."""

    code = "lake-unmarked"

    def __init__(self, lake: str, named: int) -> None:
        files = "the one file" if named == 1 else f"any of the {named} files"
        super().__init__(
            f"{lake} is not the lake of this ledger: it has no marker in {MARKS}, and not {files} "
            "that the ledger names",
            mend="mount its disk, or correct lake under [workspace] in tradex.toml; if the lake is lost, put it back "
            "from a backup",
        )


class NestedLakeError(LakeIdentityError):
    """One lake lies inside another."""

    code = "lake-nested"

    def __init__(self, lake: str, other: str) -> None:
        super().__init__(f"the lake {lake} and the lake at {other} lie one inside the other", mend=_OWN)


class NotLostError(LakeIdentityError):
    """No head was lost that a new epoch would have to name."""

    code = "not-lost"

    def __init__(self, message: str) -> None:
        super().__init__(message, mend="see what the lake knows: tradex ledger show")


def _lost_mend(position: int) -> str:
    return (
        "put back the newest copy of the ledger; if it is lost, two people let this one go on without it: "
        f"tradex ledger epoch --lost-head {position} --reason …"
    )
