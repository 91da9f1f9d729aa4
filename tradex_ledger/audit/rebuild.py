"""The read side as one DuckDB file, for an investigation: all events and projections as of a position, the lake beside.

It is made under another name, and is there whole or not at all. Who opens it needs no program of ours; what the columns
mean is said in it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from tradex_ledger import __version__
from tradex_ledger.audit.documents.projection import RebuiltDocument, RebuiltTable
from tradex_ledger.audit.lake_views import add_lake_views
from tradex_ledger.datasets.sandbox import close, in_time
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import sync_folders
from tradex_ledger.ledger.backup import FileThereError
from tradex_ledger.ledger.select import Store
from tradex_ledger.ledger.tree import stored_tree
from tradex_ledger.paths import gone_afterwards, sql_text, sync
from tradex_ledger.views import AsOf, open_whole, projected
from tradex_ledger.views.whole import EVENTS, as_events, write_whole

MEMORY_MB = 2048
"""What DuckDB may hold while it is made; the rest is spilled beside the file."""
STORAGE = "v1.2.0"
"""The DuckDB that can read it, and any later one: the first that packs texts well."""
MINUTES = 24 * 60
_TO = "written"


@dataclass(frozen=True, slots=True)
class About:
    """What a file says of itself, in its table `about`; `root` (hex) is over all its events, `lake` where its views
    look."""

    ledger: str
    position: int
    at: str | None
    root: str
    made_at: datetime
    made_by: str
    lake: str | None


def rebuild(
    store: Store,
    lake: Lake,
    target: Path,
    *,
    as_of: AsOf,
    made_at: datetime,
    copy: Path | None = None,
    progress: Callable[[int, int], None],
) -> RebuiltDocument:
    """Make a file. `copy` is a folder that has the files of the lake, for who looks there instead.

    Raises: `FileThereError`, `OSError`, `duckdb.Error`; what there is of it then is gone.
    """
    if os.path.lexists(target):
        raise FileThereError(target)
    folder = copy if copy is not None else lake.at_hand()
    about = About(
        store.ledger,
        as_of.position,
        as_of.at,
        stored_tree(store, as_of.position).root().hex(),
        made_at,
        f"tradex {__version__}, duckdb {duckdb.__version__}",
        str(folder) if folder is not None else None,
    )
    with _half_made(target) as room:
        made = room / "made"
        _write(store, as_of, made, room / "spill", progress)
        with closing(duckdb.connect(str(made))) as connection:
            warnings = _complete(connection, about, folder)
            tables = [RebuiltTable(*row) for row in connection.execute(_TABLES).fetchall()]
        sync(made)
        try:
            os.link(made, target)
        except FileExistsError:
            raise FileThereError(target) from None
        sync_folders([target.parent])
    return RebuiltDocument(
        str(target), target.stat().st_size, about.ledger, about.root, about.lake, tables, warnings, as_of
    )


_TABLES = """
    select table_name, false, estimated_size from duckdb_tables() where not internal
    union all
    select view_name, true, null from duckdb_views() where not internal
    order by 1
"""


@contextmanager
def _half_made(target: Path) -> Iterator[Path]:
    """A folder beside a file that is to be made; gone afterwards. A crash of a process of that number left another."""
    room = target.with_name(f".{target.name}.{os.getpid()}.new")
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir(mode=0o700)
    with gone_afterwards(room):
        yield room


def _write(store: Store, as_of: AsOf, made: Path, spill: Path, progress: Callable[[int, int], None]) -> None:
    view = open_whole(store, as_of)
    connection = view.connection
    try:
        connection.execute(f"set memory_limit = '{MEMORY_MB}MB'")
        connection.execute("set temp_directory = $1", [str(spill)])
        connection.execute(f"attach {sql_text(str(made))} as {_TO} (storage_version '{STORAGE}')")
        # A thread of its own: the main one hears of Ctrl-C, whatever the engine is at.
        in_time(connection, "the read side", MINUTES, "write it as of before", lambda: write_whole(view, _TO, progress))
        connection.execute(f"detach {_TO}")  # which writes all that is not there yet
    finally:
        close(connection)


def _complete(connection: duckdb.DuckDBPyConnection, about: About, folder: Path | None) -> list[str]:
    """Add what is no copy of the read side; returns what there is to know."""
    connection.execute(f"create view events as {as_events(EVENTS)}")
    values = [getattr(about, name) for name in About.__slots__]
    connection.execute(
        'create table about (ledger varchar, position bigint, "at" varchar, root varchar, made_at timestamp, '
        f"made_by varchar, lake varchar); insert into about values ({', '.join('?' for _ in values)})",
        values,
    )
    for name in projected.names():
        contract = projected.contract(name)
        connection.execute(f'comment on table "{name}" is {sql_text(contract.row)}')
        for column in contract.columns:
            connection.execute(f'comment on column "{name}"."{column.name}" is {sql_text(column.meaning)}')
    if folder is None:
        return ["the lake is no folder: datasets have no views here; copy its files, and name the folder: --lake DIR"]
    return add_lake_views(connection, folder)
