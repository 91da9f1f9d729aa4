"""What is kept of a projection with what came since: rows of later events, rows of the runs that have some, and sums.

Of rows that are kept nothing is read here: who asks reads the columns and the rows that they ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradex_ledger.ledger.columnar import WITH_DATA
from tradex_ledger.views import projected
from tradex_ledger.views.parts import OF_TOUCHED, TOUCHED
from tradex_ledger.views.projected import How

if TYPE_CHECKING:
    from tradex_ledger.views.view import View

_NEW = "new"


def add_of_events(view: View, name: str, how: How, old: str) -> None:
    """A view of what is kept of a projection, and of the rows of later events: they come behind it."""
    _prepare(view)
    view.begin_others(name)
    view.parts.add(name)
    view.leave(
        name, _NEW,
        f'create table {_NEW}."{name}" as select * from ({projected.sql(name)}) order by {how.order}',
        f'create view main."{name}" as from {old} union all by name from {_NEW}."{name}"',
    )  # fmt: skip


def add_sums(view: View, name: str, how: How, old: str) -> None:
    """The sums that are kept with those of later events, added."""
    _prepare(view)
    view.begin_others(name)
    both = f"from {old} union all by name select * from ({projected.sql(name)})"
    sums = f"select * exclude ({how.of}), sum({how.of})::bigint as {how.of} from ({both}) group by all"
    rows = f"select {projected.column_names(name)} from ({sums}) order by {how.order}"
    view.leave(name, _NEW, f'create table main."{name}" as {rows}')


def add_of_runs(view: View, name: str, how: How, old: str) -> None:
    """A view of what is kept of a projection but of touched runs, and of the rows of these."""
    view.begin_others(name)
    view.prepare_touched(how.wide)
    view.parts.add(name)
    rows = f'from {old} where not {OF_TOUCHED} union all by name from {TOUCHED}."{name}"'
    # Within that schema, what a projection is written over is what that says of touched runs: there are no others here.
    view.leave(
        name, TOUCHED,
        f'create table {TOUCHED}."{name}" as {projected.sql(name)}',
        f'create view main."{name}" as select * from ({rows}) order by {how.order}',
    )  # fmt: skip


def _prepare(view: View) -> None:
    """The events above the generation."""
    if _NEW not in view.prepared:
        view.prepared.add(_NEW)
        view.connection.execute(f"create schema {_NEW}")
        view.connection.execute(f"create view {_NEW}.events as select {WITH_DATA} from ({view.events.newer})")
