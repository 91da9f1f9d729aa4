"""`tradex engine`: whether the engine at hand gives the rows that other engines built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, as_of_option, command, examples, rows_options
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.relations.data import Engine

_COLUMNS = ("dataset", "logic_version", "engine", "verdict", "compared_with", "partitions", "differs", "checked_at")


@group(
    "engine", epilog=examples('tradex engine list\ntradex engine accept --reason "rounds as the vendor now documents"')
)
def engine() -> None:
    """Engines (DuckDB): each is judged by a sample before it works on what others built."""


@command(engine, "list", example="tradex engine list\ntradex engine list --as-of 2026-01-10")
@as_of_option
@rows_options
def list_(call: Call, as_of: str | None) -> None:
    """The verdict on each engine, by dataset and logic version. One that built everything itself has none."""
    look = call.look()
    call.answer(look, as_of, look.engines, _verdicts)


def _verdicts(show: Show, verdicts: list[Engine]) -> None:
    from tradex_ledger.domain.differences import PlacedDifference

    show.rows(
        verdicts,
        _COLUMNS,
        compared_with=[", ".join(one.compared_with) for one in verdicts],
        partitions=[len(one.partitions) for one in verdicts],
        differs=[
            PlacedDifference.from_event(one.differences[0]).in_words() if one.differences else None for one in verdicts
        ],
    )
    for one in verdicts:
        if one.is_current and one.verdict == "different":
            show.note(f"runs of {one.dataset} under {one.engine} are refused; there: tradex engine accept")


@command(engine, "accept", example='tradex engine accept gold_signals --reason "rounds as the vendor now documents"')
@click.argument("dataset", required=False)
@click.option("--reason", required=True, help="Why its rows are as good as those that are there.")
def accept(call: Call, dataset: str | None, reason: str) -> None:
    """Let the DuckDB of this machine go on although it gives other rows: for a dataset, or wherever it was refused.

    Nothing is recomputed by that. To tell old rows from new ones: tradex dataset bump.
    """
    with call.open() as workspace:
        accepted, name = workspace.datasets.accept_engine(dataset, reason=reason), workspace.core.engine
    call.result({"engine": name, "accepted": accepted}, lambda show, _: _accepted(show, name, accepted))


def _accepted(show: Show, engine: str, datasets: list[str]) -> None:
    for one in datasets:
        show.line(f"{one}: {engine} is accepted")
