"""Which tables a parsed statement names, by the scopes of SQL: a name is a CTE only where that CTE can be seen.

A CTE is seen by the CTEs after it and by the rest of its own query, subqueries included; not by those before it, not
by itself unless it is recursive (and then in its second half only), not beside its query. Everywhere else the same
name is a table, and a table that is not there may be a file.
"""

from __future__ import annotations

import string
from collections.abc import Iterator

from tradex_ledger.datasets.statement import Node, below, inner
from tradex_ledger.outside import Json

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def fold(name: object) -> str:
    """A name as the engine compares it: A-Z are a-z, and no other letter is like another."""
    return str(name).translate(_LOWER)


def free_tables(tree: Json) -> Iterator[Node]:
    """The nodes that name a table which no CTE in sight answers to; however deep a tree is, nothing calls itself."""
    waiting: list[tuple[Json, frozenset[str]]] = [(tree, frozenset())]
    while waiting:
        node, seen = waiting.pop()
        if isinstance(node, list):
            waiting.extend((item, seen) for item in reversed(node))
        elif isinstance(node, dict):
            within: list[tuple[Json, frozenset[str]]] = []
            for entry in below(inner(node, "cte_map"), "map"):
                within.append((entry.get("value"), seen))
                seen |= {fold(entry.get("key"))}
            if node.get("type") == "BASE_TABLE" and not _is_cte(node, seen):
                yield node
            is_recursive = node.get("type") == "RECURSIVE_CTE_NODE"
            own = {fold(node.get("cte_name"))} if is_recursive else frozenset()
            within += [
                (value, seen | own if key == "right" else seen) for key, value in node.items() if key != "cte_map"
            ]
            waiting.extend(reversed(within))


def is_elsewhere(table: Node, home: frozenset[str] = frozenset()) -> bool:
    """Whether a named table is of a schema or catalog other than `home` (schemas)."""
    named = inner(table, "qualified_name").get("path")
    path = named if isinstance(named, list) else []
    schema = fold(table.get("schema_name") or "")
    return bool(table.get("catalog_name")) or len(path) > 2 or (bool(schema or path[1:]) and schema not in home)


def _is_cte(table: Node, seen: frozenset[str]) -> bool:
    """`recurring.r` is what a recursion with `using key` has so far: a CTE, too."""
    return fold(table.get("table_name")) in seen and not is_elsewhere(table, frozenset({"recurring"}))
