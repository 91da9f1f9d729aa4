"""`tradex state`: the pipeline's cursor. There is no way to set it."""

from __future__ import annotations

import click

from tradex_ledger.cli.common import Call, as_of_option, command, examples


@click.group("state", epilog=examples("tradex state show\ntradex state history"))
def state() -> None:
    """The pipeline's cursor, and what moved it. There is no command that sets it."""


@command(state, "show", example="tradex state show --as-of 2026-01-10")
@as_of_option
def show_(call: Call, as_of: str | None) -> None:
    """Where each pipeline stands: everything created before its cursor has been processed."""
    _show(call, "pipeline_state", as_of)


@command(state, "history", example="tradex state history")
@as_of_option
def history(call: Call, as_of: str | None) -> None:
    """Each move of the state, and the run that caused it."""
    _show(call, "pipeline_state_history", as_of)


def _show(call: Call, projection: str, as_of: str | None) -> None:
    rows = call.reader(as_of).rows(projection, "true order by position")
    if call.as_json:
        call.show.document(rows)
        return
    columns = [c for c in (rows[0] if rows else {"pipeline": None}) if c != "stream"]
    call.show.table(rows, columns)
