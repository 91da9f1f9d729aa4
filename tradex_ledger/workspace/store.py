"""Commands on the database of the ledger: who may what in it, and the ledger as a whole: moved, backed up, put back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tradex_ledger.audit.documents.store import BackupDocument, GrantsDocument, MovedDocument, RestoredDocument
from tradex_ledger.clock import utc_now
from tradex_ledger.config import open_config
from tradex_ledger.config_places import SQLITE, ledger_url
from tradex_ledger.errors import NotFoundError, RefusedError
from tradex_ledger.keyed import caches_of
from tradex_ledger.lake import identity
from tradex_ledger.lake.identity_errors import NotLostError
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.application import Ledger, WriterConflictError, ledger_in
from tradex_ledger.ledger.ask import newest
from tradex_ledger.ledger.moved import settings_line
from tradex_ledger.ledger.select import POSTGRESQL, sqlite_path
from tradex_ledger.modes import OWNER_WRITES, make_file
from tradex_ledger.sealing.heads import lost_in
from tradex_ledger.trust import check_trusted
from tradex_ledger.workspace.core import Core
from tradex_ledger.workspace.datasets import Datasets
from tradex_ledger.workspace.lake import LakeRoom, with_kept

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tradex_ledger.domain.lake import LakeLog
    from tradex_ledger.domain.waiting import MovePlan
    from tradex_ledger.views import Asked


class LedgerInUseError(RefusedError):
    """A ledger whose runs are being driven is not moved away under them."""

    code = "ledger-in-use"

    def __init__(self, names: set[str]) -> None:
        super().__init__(
            f"somebody drives {', '.join(sorted(names))}: the ledger is not moved meanwhile",
            mend="wait until it has ended, or end its process; stop workers first",
        )


class StoreRoom:
    """Commands on the ledger as a whole."""

    def __init__(self, core: Core, lake: LakeRoom) -> None:
        self.core = core
        self._lake = lake

    def backup(self, file: Path) -> BackupDocument:
        """Write the whole ledger into a new file, while others write; what it is like, it says itself."""
        from tradex_ledger.ledger.backup import write

        if not file.parent.is_dir():
            raise NotFoundError(f"there is no folder {file.parent}", mend="make it, or name another place")
        try:
            made = write(self.core.ledger.store, file)
            size = file.stat().st_size
        except OSError as error:
            raise translate(error, f"writing the backup {file}") from error
        return BackupDocument(str(file), made.ledger, made.events, made.root, size)

    def waiting_move(self, as_of: Asked = None) -> MovePlan | None:
        """The move to another database that waits for its approval."""
        return self._lake.log(as_of).move_plan

    def plan_move(self, to: str, *, reason: str) -> MovePlan:
        """Ask that the ledger goes on in an empty database at a URL; somebody else approves."""
        from tradex_ledger.ledger.copying import check_target

        url = ledger_url(to, self.core.config.folder)
        if url.startswith(SQLITE):
            url = f"{SQLITE}{os.path.realpath(url.removeprefix(SQLITE))}"
        log = self._lake.log()
        plan = log.plan_move(url, reason=reason, by=self.core.actor, policy=self.core.policy)
        path = sqlite_path(url)
        if path is None or path.exists():
            with _target(url) as engine:
                check_target(engine)
        self.core.ledger.append(log)
        return plan

    def move(self, digest: str) -> MovedDocument:
        """Approve the move that was asked for, and do it: all of the ledger is there then, and ends here.

        It ends here in the moment before it is there, so two of them are never written to. Whoever dies in between,
        or gets no answer, runs it again: it goes on with the same database.
        """
        core, ledger = self.core, self.core.ledger
        log = self._lake.log()
        plan = log.move(digest, by=core.actor, policy=core.policy)
        if driven := ledger.driven():
            raise LedgerInUseError(driven)
        with _target(plan.to) as engine:
            found = None if log.pending_events else _arrived(engine, plan)
            size, root, saved = found or _carry(ledger, engine, log)
            identity.mark_saved(ledger_in(engine, core.clock, core.config.folder), core.lake, saved)
        return MovedDocument(ledger.id, plan.to, size, root.hex(), plan.epoch, settings_line(plan.to))


def grants(folder: str | Path, owner: str, writer: str, reader: str, *, say: bool) -> GrantsDocument:
    """What makes the roles of the ledger's database and gives each its rights; with `say`, it is done."""
    from tradex_ledger.ledger import grants as own
    from tradex_ledger.ledger.store import open_engine

    roles, config = own.Roles(owner, writer, reader), open_config(folder)
    check_trusted(config.folder, config.pipeline)
    if not config.ledger_url.startswith(POSTGRESQL):
        raise own.NoRolesError(config.ledger_url)
    engine = open_engine(config.ledger_url, reading=not say)
    try:
        schema = own.schema_of(engine)
        sql = own.statements(schema, roles)
        if say:
            own.grant(engine, sql)
    finally:
        engine.dispose()
    return GrantsDocument(schema, owner, writer, reader, sql, say)


def restore(
    folder: str | Path,
    file: Path,
    *,
    reason: str,
    lost_head: int | None = None,
    actor: str | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> RestoredDocument:
    """Put a ledger back from a backup into the empty database that the settings name: all of it, or nothing.

    Nobody knows what came after the backup, so it goes on in a new epoch, which is asked for in the same transaction;
    somebody else approves. `lost_head` is the last position that is known to be lost.
    """
    from tradex_ledger.ledger import backup, copying
    from tradex_ledger.ledger.store import Open, writing
    from tradex_ledger.ledger.store_errors import StoreInfo

    config = open_config(folder)
    check_trusted(config.folder, config.pipeline)
    if not file.is_file():
        raise NotFoundError(f"there is no file {file}", mend="name a backup: tradex ledger backup has written it")
    try:
        with _target(config.ledger_url) as engine:
            copying.check_target(engine)
            with backup.opened(file) as (header, pages), writing(engine) as connection:
                info = StoreInfo(header.ledger, header.format, header.created_at)
                copying.pour(connection, info, pages)
                copying.check_root(connection, info.id, header.events, bytes.fromhex(header.root))
                store = Open(info.id, caches_of(config.folder, info.id), connection)
                core = Core(config, actor=actor, clock=clock, ledger=Ledger(store, clock, lambda: engine))
                log = _asked_epoch(core, lost_head, reason)
                copying.save(connection, info.id, clock, log, arrives=True)
    except OSError as error:
        raise translate(error, f"reading the backup {file}, and what the lake knows") from error
    assert log.epoch_plan is not None  # just asked for
    return RestoredDocument(header.ledger, header.events, header.root, log.epoch_plan)


def _asked_epoch(core: Core, lost_head: int | None, reason: str) -> LakeLog:
    base, (epoch, position) = identity.plan_put_back(core.ledger.store, core.lake)
    if lost_head is not None and lost_head < position:
        raise NotLostError(f"the lost head is not {lost_head}: the ledger is known up to position {position}")
    kept = lost_in(core.ledger.store, core.places.all)
    base, lost = with_kept(base, max(lost_head or position, 1), kept)
    log = LakeRoom(core, Datasets(core)).log()
    log.plan_epoch((epoch, lost), base=base, reason=reason, by=core.actor, policy=core.policy_to_look)
    return log


@contextmanager
def _target(url: str) -> Iterator[Engine]:
    """The database that is to hold a ledger; of a file, made with the rights that a ledger has."""
    from tradex_ledger.ledger.store import open_engine

    if path := sqlite_path(url):
        with suppress(OSError):  # who opens it has the words for what is wrong
            make_file(path, OWNER_WRITES)
    engine = open_engine(url, create=True)
    try:
        yield engine
    finally:
        engine.dispose()


def _arrived(engine: Engine, plan: MovePlan) -> tuple[int, bytes, int] | None:
    """What an attempt that got no answer has done: the events that came along, their root, the last position there."""
    from tradex_ledger.ledger.store import database, has_ledger
    from tradex_ledger.ledger.tree import stored_tree

    if not has_ledger(engine):
        return None
    store = database(engine)
    begun = newest(store, ["lake.epoch_begun"])
    if begun is None or (begun.data.get("digest"), begun.data.get("epoch")) != (plan.digest, plan.epoch):
        return None  # then it is refused as one that is not empty
    size = int(begun.data.get("base", 0))
    return size, stored_tree(store, size).root(), store.position()


def _carry(ledger: Ledger, engine: Engine, log: LakeLog) -> tuple[int, bytes, int]:
    """The same, done. The transaction here ends first: the ledger is at an end before it can go on there."""
    from eventsourcing.persistence import IntegrityError

    from tradex_ledger.ledger.copying import check_target, pour_all, save
    from tradex_ledger.ledger.store import store_info, writing

    check_target(engine)
    info = store_info(ledger.engine)
    try:
        with writing(engine) as there, writing(ledger.engine) as here:
            save(here, info.id, ledger.clock, log)
            size, root = pour_all(here, there, info)
            log.arrive(size)
            saved = save(there, info.id, ledger.clock, log, arrives=True)
    except IntegrityError:
        raise WriterConflictError([log.id]) from None
    return size, root, saved
