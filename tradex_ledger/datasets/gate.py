"""What a definition may do: give the same rows for the same input, on any day, on any machine.

The gate reads the parsed form (`json_serialize_sql`) and asks no engine for anything else; what is safe stands in
`judged`. What no rule can see, ties in an order for example, is found when a window is built once more with its rows
in another order (driving/window.py).

Sums of doubles are allowed: a window runs on one thread over files in a fixed order, so that their last bits are the
same each time; between windows of other days, and in that second look, doubles count as equal to 1e-9.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from functools import cache

from tradex_ledger.datasets import canaries, judged, names
from tradex_ledger.datasets.definition import Definition, DefinitionError
from tradex_ledger.datasets.rules import problems, sorted_at_once
from tradex_ledger.datasets.scope import fold, free_tables, is_elsewhere
from tradex_ledger.datasets.statement import Node, inner, nodes

# Those that make rows of what they are given.
_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree"})
_BY_NAME = "read datasets by their names alone, and files as reference data beside the definition (references)"


class NotDeterministicError(DefinitionError):
    """A definition must give the same rows for the same input, on any day."""

    code = "not-deterministic"


def check_deterministic(name: str, tree: Node) -> None:
    """Raise `NotDeterministicError` when the parsed form may give other rows for the same input: it calls a clock, a
    die, the world outside or what nobody has judged, or takes rows in no order.

    Raises `EnvironmentFault` on an engine whose parsed form the gate does not understand.
    """
    check_engine()
    _check(name, tree)


def _check(name: str, tree: Node) -> None:
    for node in nodes(tree):
        if node.get("type") == "TABLE_FUNCTION":
            function = str(inner(node, "function").get("function_name")).lower()
            if function not in _TABLE_FUNCTIONS:
                raise DefinitionError(name, f"calls the table function {function}", _BY_NAME)
    sorted_lists = {id(inner) for node in nodes(tree) for inner in sorted_at_once(node)}
    for node in reversed(list(nodes(tree))):  # what is innermost is said first: an order by random() is about random()
        found = None if id(node) in sorted_lists else next(problems(node), None)
        if found is not None:
            raise NotDeterministicError(name, *found)


def check_reads(definition: Definition, tree: Node) -> None:
    """Raise `DefinitionError` when the statement names a table that the header does not declare."""
    declared = {read.dataset for read in definition.reads} | {table for table, _ in definition.references}
    _check_tables(definition.name, declared | {"partitions"}, tree)


def _check_tables(name: str, declared: Set[str], tree: Node) -> None:
    for node in free_tables(tree):
        table, elsewhere = fold(node.get("table_name")), is_elsewhere(node)
        if table not in declared or elsewhere:
            could_be = names.is_name(table) and not elsewhere
            raise DefinitionError(
                name,
                f"reads {node.get('table_name')}, which its header does not declare",
                f'declare it: reads = {{ {table} = "0d" }}' if could_be else _BY_NAME,
            )


def check_types(name: str, columns: Iterable[tuple[str, str]], *, read_from: str = "") -> None:
    """Raise `NotDeterministicError` when a described column (name, DuckDB type) holds a time with a zone."""
    for column, described in columns:
        if judged.holds_zone(described):
            verb = f"reads {column} of {read_from}" if read_from else f"gives its column {column}"
            raise NotDeterministicError(
                name,
                f"{verb} as {described}, {judged.ZONED}",
                judged.ZONE_MEND,
            )


def check_kept(name: str, columns: Iterable[tuple[str, str]]) -> None:
    """Raise `DefinitionError` when a described column (name, DuckDB type) is of a type that files of the lake lose."""
    for column, described in columns:
        found = judged.unkept(described)
        if found is not None:
            raise DefinitionError(
                name,
                f"gives its column {column} as {described}, and a file of the lake does not keep {found}",
                "cast it in the select: ::varchar, ::decimal(38,0) or ::bigint; of an interval take its parts, as in "
                "epoch(…)",
            )


@cache
def check_engine() -> None:
    """Raise `EnvironmentFault` when the engine at hand parses into a form in which the gate finds nothing."""
    canaries.check_engine(_check, lambda name, tree: _check_tables(name, set(), tree))
