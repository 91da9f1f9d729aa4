"""What may be called what: names and types that stand in definitions and go into statements.

Each function gives what is wrong as (problem, mend), or None.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from tradex_ledger import resources
from tradex_ledger.datasets.column_types import is_type
from tradex_ledger.datasets.header import SIDES
from tradex_ledger.datasets.taken import is_taken

Problem = tuple[str, str]

_DATASET = re.compile(r"[a-z][a-z0-9_]{0,62}")
_VERSION = re.compile(r".+_v[0-9]+")
_RENAME = "give it another name"


@cache
def reserved() -> frozenset[str]:
    """Tables that are there beside the datasets: the projections, and the events."""
    projections = {file.removesuffix(".sql") for file in resources.names("projections")}
    return frozenset(projections | {"events", "ledger_events", "lifecycle", "fresh"})


def is_name(text: str) -> bool:
    """Whether a dataset may be called so, were there nothing else."""
    return _DATASET.fullmatch(text) is not None


def of_a_dataset(name: str) -> Problem | None:
    """It is an identifier, and nothing else is called so: in a query, a definition or a command."""
    if not is_name(name):
        return "has a name that is no identifier (a-z, 0-9, _)", ""
    if name in reserved():
        built = f"what an older release built under it is read as {name}_v1 (or its version), and given up by"
        mend = f"{_RENAME}, and its file; {built}: tradex dataset deprecate {name} 1 --reason …"
        return f"has the name of a table of the ledger's own: {name}", mend
    if is_taken(name):
        return f"has a name that SQL has for something else: {name}", _RENAME
    if _VERSION.fullmatch(name):
        return f"has a name that means a version of another dataset: {name}", _RENAME
    return None


def of_a_side(name: str, source: object, row: Callable[[], str]) -> Problem | None:
    """What a source keeps beside its rows is called so, and nothing else is. `row` says what one is called."""
    side = next((side for side in SIDES if name.endswith(side)), None)
    if side is None or str(source).endswith(side):
        return None
    return f"has the name of what a source keeps beside its {row()}s ({side}), and no such source", _RENAME


def of_tables(reads: Iterable[str], references: Iterable[str]) -> Problem | None:
    """What a statement reads are tables with names, and each has its own."""
    odd = next((dataset for dataset in reads if not _DATASET.fullmatch(dataset)), None)
    if odd is not None:
        return f"reads {odd!r}, which is no name of a dataset (a-z, 0-9, _)", ""
    tables = Counter(["partitions", *reads, *(file.removesuffix(".csv") for file in references)])
    twice = next((table for table, count in tables.items() if count > 1), None)
    return None if twice is None else (f"has two tables that are called {twice}", "rename the reference data")


def of_stated_columns(columns: Mapping[str, str]) -> Problem | None:
    """A header's columns are names and types, and nothing more."""
    for column, kind in columns.items():
        if not is_type(kind):
            return f"states columns that cannot be: {column} = {kind!r} is no type", ""
    return None
