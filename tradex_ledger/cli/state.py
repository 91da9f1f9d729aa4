"""`tradex state`: the pipeline's cursor. There is no way to set it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

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


def cursors_ahead(reader: Any, states: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cursors that lie in the future by the clock of this machine, each with its mend."""
    from tradex_ledger.clock import utc_now

    now, found = utc_now(), []
    for state in states:
        if state["cursor"] is None or datetime.fromisoformat(state["cursor"]) <= now + timedelta(minutes=1):
            continue
        from tradex_ledger.domain.incremental import CursorAheadError  # slow to load, and seldom needed

        moves = reader.rows("pipeline_state_history", "pipeline = ? order by position desc", state["pipeline"])
        past = (m["cursor"] for m in moves if m["cursor"] and datetime.fromisoformat(m["cursor"]) <= now)
        error = CursorAheadError(state["pipeline"], state["cursor"], now.isoformat(), next(past, None))
        found.append({"pipeline": state["pipeline"], "message": error.message, "mend": error.mend})
    return found
