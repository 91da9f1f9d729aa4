"""Who may do what with a ledger in PostgreSQL: `schema/ledger/postgresql_grants.sql`, with the names of roles in it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from sqlalchemy import Engine

from tradex_ledger import resources
from tradex_ledger.errors import UsageError
from tradex_ledger.ledger.store import read, store_info, writing

MOST_BYTES = 63
"""Of a role's name: PostgreSQL cuts what is longer."""
_NAME = re.compile(r":('?)(owner|writer|reader|schema)\b\1")


class NoRolesError(UsageError):
    """A database that knows no roles: who may do what is said by the rights of its file."""

    code = "no-roles"

    def __init__(self, shown: str) -> None:
        super().__init__(
            f"{shown} is a file: it knows no roles",
            mend="give rights to the file and its folder (chmod), or move the ledger: tradex ledger copy postgresql://…",
        )


class RoleNameError(UsageError):
    """A name that no role of a ledger can have."""

    code = "role-name"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name!r} is no name for a role of the ledger: {reason}", mend="name another one")


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the three roles: who has the tables, who appends to them, who reads. Raises `RoleNameError`."""

    owner: str
    writer: str
    reader: str

    def __post_init__(self) -> None:
        names = (self.owner, self.writer, self.reader)
        for name in names:
            if not name.isprintable() or not name or "$" in name:
                raise RoleNameError(name, "it is empty, or has a character that is not printed, or a $")
            if len(name.encode()) > MOST_BYTES:
                raise RoleNameError(name, f"it has {len(name.encode())} bytes, and {MOST_BYTES} at most are kept")
            if name in ("public", "none") or name.startswith("pg_"):
                raise RoleNameError(name, "PostgreSQL keeps it for itself")
            if names.count(name) > 1:
                raise RoleNameError(name, "each of owner, writer and reader is a role of its own")


def statements(schema: str, roles: Roles) -> str:
    """What makes the roles and gives each its rights, as SQL with quoted names; said twice, it does no harm."""
    names = {**asdict(roles), "schema": schema}

    def quoted(found: re.Match[str]) -> str:
        quote, name = found[1] or '"', names[found[2]]
        return f"{quote}{name.replace(quote, 2 * quote)}{quote}"

    return _NAME.sub(quoted, resources.read_text("schema", "ledger", "postgresql_grants.sql"))


def schema_of(engine: Engine) -> str:
    """The schema that holds the ledger. Raises: `NoLedgerError`, `FormatTooNewError`, `StoreFault`."""
    store_info(engine)
    return str(read(engine, lambda connection: connection.exec_driver_sql("select current_schema()").scalar_one()))


def grant(engine: Engine, said: str) -> None:
    """Say that to the database: all of it or nothing. Raises `StoreFault`, also where a role would have more rights."""
    with writing(engine) as connection:
        connection.execution_options(no_parameters=True).exec_driver_sql(said)
