"""The inputs of a window in other orders, so that what hangs on the order of rows comes out otherwise.

No single order turns every tie round. The opposite one swaps any two rows; what stands first both from the left and
from the right (of groups, or the middle one of three) does not stand first from the inside out. Engines also order
groups of small numbers by the numbers, whatever order rows come in: without statistics they do not, and then the order
that the rows have anyway is another one, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import duckdb

_ORDERS = {
    "opposite": "__place desc",
    "inside-out": "abs(2 * __place - __rows - 1), __place",
    "as-they-are": "__place",
}
SETTINGS = ("disabled_optimizers",)
"""What `orders` changes of a connection."""
# Beyond it a day has so many ties that two orders find one of them.
FEW_BYTES = 4_000_000


def orders(connection: duckdb.DuckDBPyConnection, inputs: Iterable[tuple[str, str]], size: int) -> Iterator[str]:
    """Put the inputs (kind, name) of a connection, `size` bytes of them, into one order after the other."""
    # What an engine does not know cannot be switched off.
    if connection.execute("select 1 from duckdb_optimizers() where name = 'statistics_propagation'").fetchall():
        connection.execute("set disabled_optimizers = 'statistics_propagation'")
    names = []
    for kind, name in inputs:
        connection.execute(f'alter {kind} "{name}" rename to "__{name}"')
        names.append(name)
    for order, by in list(_ORDERS.items())[: len(_ORDERS) if size < FEW_BYTES else 2]:
        for name in names:
            count = ", count(*) over () as __rows" if "__rows" in by else ", 0 as __rows"
            placed = f'select *, row_number() over () as __place{count} from "__{name}"'
            connection.execute(
                f'create or replace view "{name}" as select * exclude (__place, __rows) from ({placed}) order by {by}'
            )
        yield order
