"""A DuckLake catalog of the whole lake in SQLite or PostgreSQL: each step of the ledger is a snapshot of it.

    snapshot_id = the position · author = who asked · commit_message = the reason · commit_extra_info = the run

The data files are those of the lake. A file has the position from which on readers have it, and the one from which on
they have it no more. A file of which rows were erased gives way, in each snapshot, to what stands in its place: so
`tradex query --as-of` has it, too, and what law wanted gone is gone from here.

All that a call takes in is one transaction, under a lock: whoever dies in it leaves nothing of it, and of two at once
the second sees what the first did, and takes in the rest. The position stands in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.mirrors.files import Point, nowhere
from tradex_ledger.mirrors.port import Held, NotOursError, StrangeMirrorError
from tradex_ledger.mirrors.step import Step

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tradex_ledger.mirrors.ducklake_place import CatalogPlace
    from tradex_ledger.mirrors.ducklake_writer import Writer

KIND = "ducklake"
Erased = dict[str, LakeFile | None]
"""What stands in the place of each file of which rows were erased; None: nothing."""


@dataclass(frozen=True, slots=True)
class DuckLakeMirror:
    """The catalog of a ledger in a database; `data_path` is where the lake's files lie, as readers name it."""

    name: str
    place: CatalogPlace
    data_path: str
    ledger: str
    root_of: Callable[[int], str]
    erased_at: Callable[[int], Erased]
    point: Point = nowhere

    def held(self) -> Held | None:
        """As the port has it."""
        return self.place.held(self.name)

    def fits(self) -> bool:
        """As the port has it."""
        said = self.place.facts(self.name)
        return not said or said.get("data_path") == self.data_path

    def left_out(self) -> dict[str, str]:
        """The datasets that have no table here, and why."""
        return self.place.left_out(self.name)

    def take(self, steps: Sequence[Step], before: Held | None, upto: Held) -> int:
        """As the port has it."""
        from tradex_ledger.mirrors.ducklake_facts import facts_of, is_begun, set_facts
        from tradex_ledger.mirrors.ducklake_writer import Writer

        with self.writing() as connection:
            held = facts_of(connection)
            if held is None:
                if before is not None:
                    raise StrangeMirrorError(self.name, "was taken away meanwhile")
                if is_begun(connection):
                    raise StrangeMirrorError(self.name, "has lost the word of how far it has come")
                writer = Writer.begin(connection, self.ledger)
            else:
                self._check(held, before)
                writer = self._go_on(connection)
                writer.check(self.name, held.position)
            since = held.position if held else 0
            new = [step for step in steps if step.position > since]
            try:
                writer.replace(self.erased_at(since), self.erased_at(max(upto.position, since)))
                for step in new:
                    writer.step(step)
                writer.sum_up()
            except LookupError as error:  # a row that the steps before have laid is not there
                raise StrangeMirrorError(self.name, "is not as it was made") from error
            if held is None or held.position <= upto.position:
                set_facts(connection, upto, self.data_path, writer.left_out)
            self.point("before the catalog is there")
        self.point("after the catalog is there")
        return len(new)

    def _go_on(self, connection: Connection) -> Writer:
        from tradex_ledger.mirrors.ducklake_writer import Writer

        try:
            return Writer.go_on(connection, self.ledger)
        except LookupError as error:
            raise StrangeMirrorError(self.name, "is not as it was made") from error

    def _check(self, held: Held, before: Held | None) -> None:
        """Raise `StrangeMirrorError` unless the steps go on from what is there, and that is of this record."""
        since = before.position if before else 0
        if held.ledger != self.ledger or held.position < since:
            raise StrangeMirrorError(self.name, f"is as of position {held.position} of the ledger {held.ledger}")
        if held.root != self.root_of(held.position):
            raise StrangeMirrorError(self.name, f"is as of position {held.position} of another record")

    def writing(self) -> AbstractContextManager[Connection]:
        """The transaction of whoever writes, alone."""
        return self.place.writing(self.name)

    def clear(self) -> None:
        """As the port has it: the tables of a catalog, all or none of them."""
        from tradex_ledger.mirrors.ducklake_facts import drop, facts_of

        with self.writing() as connection:
            held = facts_of(connection)
            if held is not None and not held.ledger:
                raise NotOursError(self.name, "is where somebody else has a catalog")
            drop(connection)
            self.point("while cleared")
