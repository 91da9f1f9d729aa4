"""Files that no event names: what crashes leave behind. Listed always, removed only on request (N4)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.run import ENDED
from tradex_ledger.executors.fence import load_run
from tradex_ledger.lake.storage import LocalLake
from tradex_ledger.ledger.application import Ledger, NoSuchStreamError
from tradex_ledger.ledger.leases import Leases
from tradex_ledger.views import open_views, resolve

RESUMABLE = "resumable"


@dataclass(frozen=True, slots=True)
class Unreferenced:
    """A file or staging folder that no event names, and the run that wrote it."""

    path: str
    bytes: int
    run_id: str
    run_status: str


def find_unreferenced(ledger: Ledger, lake: LocalLake) -> list[Unreferenced]:
    """What is in the lake though no event names it, apart from runs that a driver has in its hands now.

    The files are listed before the events are read: a file that appears in between is not judged.
    """
    files = list(lake.files())
    staged = [(path, sum(f.stat().st_size for f in path.rglob("*") if f.is_file())) for path in lake.staged()]
    driven = _leased(ledger)
    named = _named_files(ledger)
    found = []
    for path, size in files:
        run_id = Path(path).name.rpartition("-")[0]
        if path not in named and run_id not in driven:
            found.append(Unreferenced(path, size, run_id, _status(ledger, run_id)))
    for folder, size in staged:
        run_id = folder.name.rpartition(".")[0]
        if run_id not in driven:
            found.append(Unreferenced(str(folder.relative_to(lake.root)), size, run_id, _status(ledger, run_id)))
    return found


def removable(found: list[Unreferenced]) -> list[Unreferenced]:
    """What nobody can come back to: a run that may be driven again may be in the hands of a driver that only sleeps."""
    return [item for item in found if not item.run_status.endswith(RESUMABLE)]


def remove(lake: LocalLake, found: list[Unreferenced], *, by: str, policy: Policy) -> int:
    """Remove what is `removable`; returns the bytes. Raises `NotAllowedError`."""
    policy.check_may("gc", by)
    for item in found:
        path = lake.absolute(item.path)
        if path.is_dir():
            lake.drop_staging(path)
        else:
            path.unlink(missing_ok=True)
    return sum(item.bytes for item in found)


def _named_files(ledger: Ledger) -> set[str]:
    with open_views(
        ledger.engine,
        resolve(ledger.engine, None),
        topics=("run.partition_rebuilt", "run.batch_appended", "dataset.files_pruned"),
    ) as connection:
        named = connection.execute(
            "select unnest(files).path from events where topic <> 'dataset.files_pruned' "
            "except select unnest(files).path from events where topic = 'dataset.files_pruned'"
        ).fetchall()
    return {row[0] for row in named}


def _leased(ledger: Ledger) -> set[str]:
    """The runs that a living driver has in its hands, as far as this machine can tell."""
    return Leases(ledger.engine).living()


def _status(ledger: Ledger, run_id: str) -> str:
    try:
        status = load_run(ledger, run_id).status
    except NoSuchStreamError:
        return "unknown"
    return status if status in ENDED else f"{status}, {RESUMABLE}"
