"""Files that no event names: what crashes leave behind. Listed always, removed only on request (N4), and on record.

Only what a run of this ledger wrote is garbage: it lies where runs put their files, under the id of a run that the
ledger knows, no event of any position names it, nobody can come back to it, and it has been lying there for longer than
a lease lasts. Everything else is *foreign*: it is listed, and never touched. Links are foreign, and are not followed.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from tradex_ledger import slow
from tradex_ledger.domain.lake import STREAM, Garbage, LakeLog
from tradex_ledger.domain.life import ENDED
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.unnamed import FOREIGN, Unnamed
from tradex_ledger.driving.fence import load_run
from tradex_ledger.driving.lease import TTL_SECONDS
from tradex_ledger.lake.identity import RUN_FILE, mark_saved, settle
from tradex_ledger.lake.known import ERASED, NAMED, files_in, put_in_place
from tradex_ledger.lake.port import Entry, Lake
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.ledger.ask import events_of
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.ledger.named import NoSuchStreamError
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.views import add_projections, resolve, shared_views

RESUMABLE = "resumable"
_LAST_SECOND = datetime(9999, 12, 31, tzinfo=UTC).timestamp()  # a file system may know later ones
_STAGED = re.compile(r"((?:bf|run)-[0-9a-z]{13}|(?:engine|propose)-[0-9a-f]{16})\.\w+")


class Unreferenced(NamedTuple):
    """What no event names, and the version of it that was judged: another one in its place is not removed."""

    what: Unnamed
    version: str


def find_unreferenced(ledger: Ledger, lake: Lake) -> list[Unreferenced]:
    """What is in the lake though no event names it, apart from runs that a driver has in its hands now.

    The files are listed before the events are read: a file that appears in between is not judged. Raises
    `EnvironmentFault` where the lake cannot be looked into.
    """
    slow.doing("list the files of the lake")
    try:
        files, staged = list(lake.files()), list(lake.staged())
    except OSError as error:
        raise translate(error, f"listing the lake {lake.name}") from error
    driven = ledger.driven()
    slow.doing(f"{len(files):,} files of the lake are there: look for events that name them")
    named, runs = _named_files(ledger), _Runs(ledger)
    found = []
    for entry in files:
        run_id = _run_of(RUN_FILE, entry.path, entry.kind == "file")
        if entry.path not in named and run_id not in driven:
            found.append(_judged(ledger, entry, runs, run_id))
    for entry in staged:
        run_id = _run_of(_STAGED, entry.path.rpartition("/")[2], entry.kind == "folder")
        if run_id not in driven:
            found.append(_judged(ledger, entry, runs, run_id))
    return found


def _run_of(pattern: re.Pattern[str], name: str, is_of_a_run: bool) -> str | None:
    match = pattern.fullmatch(name) if is_of_a_run else None
    return match[1] if match else None


def removable(found: list[Unreferenced]) -> list[Unreferenced]:
    """What nobody can come back to: a run that may be driven again may be in the hands of a driver that only sleeps."""
    return [item for item in found if item.what.kept is None]


def collect(
    ledger: Ledger, lake: Lake, found: list[Unreferenced], *, reason: str, by: str, policy: Policy
) -> list[Unreferenced]:
    """Remove what is `removable`, with an event that says so; returns it.

    The event comes first: a crash after it leaves files that the next call finds again. Raises: `NotAllowedError`,
    `PlaceholderReasonError`, `LakeIdentityError`, `EnvironmentFault`.
    """
    policy.check_may("gc", by)
    text = check_reason(reason)
    settle(ledger.store, lake)
    gone = _still_unnamed(ledger, removable(found))
    if not gone:
        return []
    log = lake_log(ledger, by=by)
    log.collect([_garbage(item.what) for item in gone], reason=text, by=by, policy=policy)
    mark_saved(ledger, lake, ledger.append(log))
    for item in gone:
        _remove(lake, item)
    return gone


def lake_log(ledger: Ledger, *, by: str, upto: int | None = None) -> LakeLog:
    """What is told of the lake as a whole, as of a position if one is given; begun, if nothing was so far."""
    with suppress(NoSuchStreamError):
        return ledger.get(LakeLog, STREAM, "lake", upto=upto)
    return LakeLog.open(ledger.position() if upto is None else upto, by=by)


class _Runs:
    """What became of runs, each asked once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, str | None] = {}

    def status(self, run_id: str) -> str | None:
        """Its status; None when this ledger knows no such run."""
        if run_id not in self._known:
            self._known[run_id] = self._ask(run_id)
        return self._known[run_id]

    def _ask(self, run_id: str) -> str | None:
        try:
            status = load_run(self._ledger, run_id).status
        except NoSuchStreamError:
            return None
        return status if status in ENDED else f"{status}, {RESUMABLE}"


def _judged(ledger: Ledger, entry: Entry, runs: _Runs, run_id: str | None) -> Unreferenced:
    is_look = run_id is not None and not run_id.startswith(("bf-", "run-"))
    status = "a look that was broken off" if is_look else runs.status(run_id) if run_id else None
    kept: str | None = None
    if status is None:
        run_id, status, kept = None, FOREIGN, _why_foreign(entry, run_id)
    elif status.endswith(RESUMABLE):
        kept = "its run may go on"
    else:
        kept = _too_young(ledger.clock().timestamp() - entry.modified)
    modified = datetime.fromtimestamp(min(max(entry.modified, 0), _LAST_SECOND), UTC)
    return Unreferenced(Unnamed(entry.path, entry.bytes, run_id, status, modified, kept), entry.version)


def _why_foreign(entry: Entry, run_id: str | None) -> str:
    if entry.kind == "link":
        return "a link, which is not followed"
    if run_id is not None:
        return f"this ledger knows no run {run_id}"
    return "no run puts its files there"


def _too_young(seconds: float) -> str | None:
    if seconds < 0:
        return "its time lies in the future: a clock is wrong"
    return "it has not been there for longer than a lease lasts" if seconds <= TTL_SECONDS else None


def _garbage(item: Unnamed) -> Garbage:
    is_run = item.run_id is not None and item.run_id.startswith(("bf-", "run-"))
    run_id = item.run_id if is_run else None
    return Garbage(item.path, item.bytes, run_id, format_time(item.modified_at), item.run_status)


def _remove(lake: Lake, item: Unreferenced) -> None:
    """Remove what was judged, and not what somebody put in its place meanwhile."""
    try:
        lake.remove(item.what.path, item.version)
    except OSError as error:  # what is left is found again
        raise translate(error, f"removing {item.what.path}") from error


def _still_unnamed(ledger: Ledger, found: list[Unreferenced]) -> list[Unreferenced]:
    """Those that no event names: asked of the ledger itself, event by event, since what goes does not come back."""
    wanted = {item.what.path for item in found}
    named: set[str] = set()
    given_up: set[str] = set()
    for topic in (*NAMED, "dataset.files_pruned", ERASED) if wanted else ():
        for row in events_of(ledger.store, [topic]):
            facts = entry_of(ledger.id, row).data
            paths = {file.path for file in files_in(facts)}
            (named if topic in NAMED else given_up).update(paths & wanted)
            if topic == ERASED:
                named.update(wanted.intersection(put_in_place(facts)))
    return [item for item in found if item.what.path not in named - given_up]


def _named_files(ledger: Ledger) -> set[str]:
    with shared_views(ledger.store, resolve(ledger.store, None), "lake_files") as connection:
        add_projections(connection, ["lake_files"])
        named = connection.execute("select path from lake_files where pruned_position is null").fetchall()
    return {path for (path,) in named}
