"""The database of a DuckLake catalog: a SQLite file, or one schema of a PostgreSQL database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson

from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.extras import check
from tradex_ledger.mirrors.port import Held, StrangeMirrorError, held_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_SECONDS = 30
_FACTS = "select key, value from ducklake_metadata"
_OURS = ("tradex_ledger", "tradex_position", "tradex_root")
_TORN = ("malformed", "file is not a database")
"""Words of SQLite."""
_POSTGRESQL = "postgresql://"


class CatalogFault(EnvironmentFault):
    """The database of a mirror's catalog cannot be used."""

    code = "mirror-database"

    def __init__(self, name: str, said: object) -> None:
        text = str(said).splitlines()[0] if str(said) else repr(said)
        mend = f"see that its database can be reached and written by this user, then: tradex mirror sync {name}"
        if any(sign in text for sign in _TORN):
            mend = f"it is no database any more: move its file away; then: tradex mirror rebuild {name}"
        super().__init__(f"the catalog of the mirror {name} cannot be used: {text}", mend=mend)


@dataclass(frozen=True, slots=True)
class CatalogPlace:
    """A database by its URL (`postgresql://…`), or a file of this machine by its path."""

    place: str

    @property
    def file(self) -> Path | None:
        """The file; None of another database."""
        return None if self.place.startswith(_POSTGRESQL) else Path(self.place)

    def is_ledger(self) -> bool:
        """Whether a ledger lives in that file, where nothing else may be written."""
        if self.file is None or not self.file.is_file():
            return False
        try:
            with closing(sqlite3.connect(f"file:{quote(str(self.file))}?mode=ro", uri=True)) as opened:
                found = opened.execute("select name from sqlite_master where type = 'table'").fetchall()
        except sqlite3.Error:
            return False
        return {("ledger",), ("events",), ("tiles",)} <= set(found)

    def facts(self, name: str) -> dict[str, str]:
        """What the catalog says of itself, without what writes it; nothing where there is none."""
        return _facts_of_file(name, self.file) if self.file is not None else _facts_of_server(name, self.place)

    def held(self, name: str) -> Held | None:
        """How far the catalog has come; None where there is none."""
        said = self.facts(name)
        if not said:
            return None
        if not (said.keys() >= {*_OURS}):
            raise StrangeMirrorError(name, "is a catalog that somebody else made")
        return held_of(name, *(said[one] for one in _OURS))

    def left_out(self, name: str) -> dict[str, str]:
        """The datasets that have no table in it, and why."""
        text = self.facts(name).get("tradex_left_out", "{}")
        try:
            found: object = orjson.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict) or not all(isinstance(why, str) for why in found.values()):
            raise StrangeMirrorError(name, f"names the datasets that it leaves out in no words, {str(text)[:80]!r}")
        return found

    @contextmanager
    def writing(self, name: str) -> Iterator[Connection]:
        """One transaction, alone: whoever else would write waits."""
        from sqlalchemy import exc

        try:
            engine = self._engine()
            try:
                with engine.begin() as connection:
                    if self.file is None:
                        connection.exec_driver_sql(
                            "select pg_advisory_xact_lock(hashtextextended('tradex-mirror ' || current_schema(), 0))"
                        )
                    yield connection
            finally:
                engine.dispose()
        except (exc.SQLAlchemyError, OSError) as error:
            raise CatalogFault(name, getattr(error, "orig", error)) from error

    def _engine(self) -> Engine:
        from sqlalchemy import URL, create_engine, event
        from sqlalchemy.pool import NullPool

        if self.file is None:
            check("a DuckLake catalog in PostgreSQL", "postgres")
            return create_engine(f"postgresql+psycopg://{self.place.removeprefix(_POSTGRESQL)}", poolclass=NullPool)
        from tradex_ledger.modes import OWNER_WRITES, make_file

        self.file.parent.mkdir(parents=True, exist_ok=True)
        make_file(self.file, OWNER_WRITES)  # others read it, and nobody else writes
        engine = create_engine(
            URL.create("sqlite", database=str(self.file)), poolclass=NullPool, connect_args={"timeout": _SECONDS}
        )

        @event.listens_for(engine, "connect")
        def begin_ourselves(driver: sqlite3.Connection, _: object) -> None:
            driver.isolation_level = None

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("begin immediate")

        return engine


def _facts_of_file(name: str, file: Path) -> dict[str, str]:
    try:
        if not file.stat().st_size:
            return {}
        # Not for reading alone: who died while he wrote has left a journal, which has to be played back.
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, timeout=_SECONDS)) as connection:
            return dict(connection.execute(_FACTS).fetchall())
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return {}
        raise CatalogFault(name, error) from None
    except FileNotFoundError:
        return {}
    except (sqlite3.DatabaseError, OSError) as error:
        raise CatalogFault(name, error) from None


def _facts_of_server(name: str, url: str) -> dict[str, str]:
    check("a DuckLake catalog in PostgreSQL", "postgres")
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=_SECONDS, autocommit=True) as connection:
            return dict(connection.execute(_FACTS).fetchall())
    except psycopg.errors.UndefinedTable:
        return {}
    except psycopg.Error as error:
        raise CatalogFault(name, error) from None
