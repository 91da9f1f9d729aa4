"""`tradex state`: the pipeline's cursor. There is no way to set it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tradex_ledger.cli.common import Call, as_of_option, command, examples, rows_options
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.relations.runs import PipelineState, StateMove


@group("state", epilog=examples("tradex state show\ntradex state history"))
def state() -> None:
    """The pipeline's cursor, and what moved it. There is no command that sets it."""


@command(state, "show", example="tradex state show --as-of 2026-01-10")
@as_of_option
def show_(call: Call, as_of: str | None) -> None:
    """Where each pipeline stands: everything created before its cursor has been processed."""
    look = call.look()
    call.answer(look, as_of, look.states, _rows)


@command(state, "history", example="tradex state history")
@as_of_option
@rows_options
def history(call: Call, as_of: str | None) -> None:
    """Each move of the state, and the run that caused it."""
    look = call.look()
    call.answer(look, as_of, look.state_moves, _rows)


def _rows(show: Show, rows: Sequence[PipelineState | StateMove]) -> None:
    columns = rows[0]._fields if rows else ("pipeline",)
    show.rows(rows, [name for name in columns if name != "stream"])
