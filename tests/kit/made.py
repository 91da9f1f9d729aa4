"""Definitions made up for a test."""

from __future__ import annotations

from collections.abc import Mapping

from tradex_ledger.datasets.definition import Definition, Pipeline, parse_definition

BRONZE = """\
-- /// dataset
-- layer = "bronze"
-- partition = "event_date"
-- key = ["post_id"]
-- source = "x_posts"
-- ///
select null::date as event_date, null::varchar as post_id
"""

OWN_COLUMNS = 'columns = { day = "DATE", id = "INTEGER" }'


def header(reads: Mapping[str, str], *, layer: str = "gold", key: str = '["day", "id"]', more: str = "") -> str:
    """The header of a definition by `day`."""
    pairs = ", ".join(f'{name} = "{days}"' for name, days in reads.items())
    lines = [f'layer = "{layer}"', 'partition = "day"', f"key = {key}", f"reads = {{ {pairs} }}"]
    lines += [line for line in [more] if line]
    return "".join(f"-- {line}\n" for line in ["/// dataset", *lines, "///"])


def definition(
    sql: str = "select day, 1 as id from partitions",
    reads: Mapping[str, str] | None = None,
    *,
    name: str = "made",
    references: dict[str, str] | None = None,
    **options: str,
) -> Definition:
    """A definition with that statement; it reads `base` of its own day unless told otherwise."""
    if name in (reads or {}):
        options.setdefault("more", OWN_COLUMNS)
    text = header(reads or {"base": "0d"}, **options) + sql + "\n"
    return parse_definition(name, text, references or {})


def pipeline_of(*definitions: Definition) -> Pipeline:
    """A pipeline in the order given."""
    return Pipeline("made", {d.name: d for d in definitions})
