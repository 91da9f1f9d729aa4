"""`tradex engine`: whether the engine at hand gives the rows that other engines built."""

from __future__ import annotations

import click

from tradex_ledger.cli.common import Call, as_of_option, command, examples

_COLUMNS = ("dataset", "logic_version", "engine", "verdict", "compared_with", "partitions", "differs", "checked_at")


@click.group(
    "engine", epilog=examples('tradex engine list\ntradex engine accept --reason "rounds as the vendor now documents"')
)
def engine() -> None:
    """Engines (DuckDB): each is judged by a sample before it works on what others built."""


@command(engine, "list", example="tradex engine list\ntradex engine list --as-of 2026-01-10")
@as_of_option
def list_(call: Call, as_of: str | None) -> None:
    """The verdict on each engine, by dataset and logic version. One that built everything itself has none."""
    from tradex_ledger.domain.differences import PlacedDifference

    rows = call.reader(as_of).rows("engines", "true order by position")
    if call.as_json:
        call.show.document(rows)
        return
    shown = [
        {
            **row,
            "compared_with": ", ".join(row["compared_with"]),
            "partitions": len(row["partitions"]),
            "differs": PlacedDifference.from_event(row["differences"][0]).in_words() if row["differences"] else None,
        }
        for row in rows
    ]
    call.show.table(shown, _COLUMNS)
    for row in rows:
        if row["is_current"] and row["verdict"] == "different":
            call.show.note(f"runs of {row['dataset']} under {row['engine']} are refused; there: tradex engine accept")


@command(engine, "accept", example='tradex engine accept gold_signals --reason "rounds as the vendor now documents"')
@click.argument("dataset", required=False)
@click.option("--reason", required=True, help="Why its rows are as good as those that are there.")
def accept(call: Call, dataset: str | None, reason: str) -> None:
    """Let the DuckDB of this machine go on although it gives other rows: for a dataset, or wherever it was refused.

    Nothing is recomputed by that. To tell old rows from new ones: tradex dataset bump.
    """
    with call.open() as workspace:
        accepted, name = workspace.accept_engine(dataset, reason=reason), workspace.engine
    if call.as_json:
        call.show.document({"engine": name, "accepted": accepted})
        return
    for one in accepted:
        call.show.line(f"{one}: {name} is accepted")
