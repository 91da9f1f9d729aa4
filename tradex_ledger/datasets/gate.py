"""What a definition may do: give the same rows for the same input, on any day, of any engine.

What is known to be safe is a list of ours (`functions.csv`): the verdict on a function is read from there and never
from what an engine says of itself, and a function that nobody has judged is refused by name.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

from tradex_ledger.datasets.definition import Definition, DefinitionError
from tradex_ledger.datasets.statement import nodes

_CLOCKS = frozenset(
    (
        "current_date",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
        "current_user",
        "user",
        "session_user",
        "current_role",
        "current_catalog",
        "current_schema",
    )
)
_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
_PASSING = frozenset({"safe", "ordered", "ranked"})


class NotDeterministicError(DefinitionError):
    """A definition must give the same rows for the same input, on any day."""

    code = "not-deterministic"

    def __init__(self, dataset: str, function: str) -> None:
        super().__init__(
            dataset,
            f"calls {function}, which does not give the same result each time",
            "take the day from `partitions` or from the rows that are read",
        )


@cache
def verdicts() -> dict[str, str]:
    """Our verdict on each function that was judged, by its name in small letters."""
    text = (Path(__file__).parent / "functions.csv").read_text(encoding="utf-8")
    return {row["function"]: row["verdict"] for row in csv.DictReader(text.splitlines())}


def check_deterministic(name: str, tree: Any) -> None:
    """Raise `NotDeterministicError` when the parsed form calls a clock, a die, or the world outside."""
    table_functions = {
        id(node["function"]) for node in nodes(tree) if node.get("type") == "TABLE_FUNCTION" and "function" in node
    }
    for node in nodes(tree):
        function = str(node.get("function_name") or "").lower()
        if id(node) in table_functions and function not in _TABLE_FUNCTIONS:
            raise DefinitionError(name, f"calls the table function {function}", "read datasets, by their names")
        if function and verdicts().get(function) not in _PASSING:
            raise NotDeterministicError(name, f"{function}()")
        if function == "age" and len(node.get("arguments") or ()) == 1:
            raise NotDeterministicError(name, "age() of one time, which measures from today")
        columns = node.get("column_names") if node.get("type") == "COLUMN_REF" else None
        if columns and len(columns) == 1 and str(columns[0]).lower() in _CLOCKS:
            raise NotDeterministicError(name, str(columns[0]))


def check_reads(definition: Definition, tree: Any) -> None:
    """Raise `DefinitionError` when the statement names a table that the header does not declare."""
    ctes = {str(item.get("key")) for node in nodes(tree) for item in _cte_entries(node)}
    allowed = {read.dataset for read in definition.reads} | {"partitions"}
    allowed |= {table for table, _ in definition.references} | ctes
    for node in nodes(tree):
        table = node.get("table_name")
        elsewhere = node.get("schema_name") or node.get("catalog_name")
        if node.get("type") == "BASE_TABLE" and (table not in allowed or elsewhere):
            raise DefinitionError(
                definition.name,
                f"reads {table}, which its header does not declare",
                f'declare it: reads = {{ {table} = "0d" }}',
            )


def _cte_entries(node: dict[str, Any]) -> list[dict[str, Any]]:
    found = node.get("cte_map")
    return list(found.get("map", [])) if isinstance(found, dict) else []
