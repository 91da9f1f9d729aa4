"""`tradex projection`: the read side, its columns, and all of it in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, as_of_option, command, examples
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.show import Show
from tradex_ledger.cli.words import bytes_text

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.projection import Contract, RebuiltDocument


@group("projection", epilog=examples("tradex projection list runs\ntradex projection rebuild -o case-17.duckdb"))
def projection() -> None:
    """The read side: what its tables mean, and all of it in a file for an investigation."""


@command(projection, "list", example="tradex projection list\ntradex projection list runs")
@click.argument("name", required=False)
def list_(call: Call, name: str | None) -> None:
    """The projections that can be asked (tradex query), or the columns of one: what is on record of them."""
    from tradex_ledger.workspace.projection import contracts

    found = contracts(name)
    call.result(found, _columns if name is not None else _names, pages=True)


def _names(show: Show, found: list[Contract]) -> None:
    show.rows(found, ("name", "row", "columns"), columns=[len(one.columns) for one in found])
    show.note("the columns of one: tradex projection list NAME")


def _columns(show: Show, found: list[Contract]) -> None:
    (one,) = found
    show.line(one.row)
    show.rows(one.columns, ("name", "type", "meaning"))


@command(
    projection,
    "rebuild",
    example="tradex projection rebuild -o case-17.duckdb --as-of 341\n"
    "duckdb case-17.duckdb 'select * from about; select * from runs'",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="The file; it must not be there.")
@click.option("--lake", type=click.Path(path_type=Path), metavar="DIR", help="A copy of the lake that views look into.")
@as_of_option
def rebuild(call: Call, output: Path | None, lake: Path | None, as_of: str | None) -> None:
    """Write all events and projections into a new DuckDB file, with a view a dataset over the files of the lake as it
    was.

    Any tool that reads DuckDB opens it. Its table `about` says which ledger it is of, as of which position, under which
    root. It is there whole or not at all.
    """
    with call.open(reading=True) as workspace, call.show.progress() as progress:
        found = workspace.projections.rebuild(output, as_of=as_of, copy=lake, progress=progress)
    call.result(found, _rebuilt)


def _rebuilt(show: Show, found: RebuiltDocument) -> None:
    for text in found.warnings:
        show.warning(text)
    views = sum(one.is_view for one in found.tables)
    show.line(f"{found.file}: {bytes_text(found.bytes)}, {len(found.tables) - views} tables, {views} views")
    show.line(f"ledger {found.ledger}, root {found.root}")
    show.note(f"as of position {found.as_of.position} ({found.as_of.at})")
