"""How the status looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradex_ledger.cli.layouts.run import COLUMNS, run_row
from tradex_ledger.cli.layouts.seal import sealing
from tradex_ledger.cli.layouts.source import status_lines
from tradex_ledger.domain.day import last_before

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.status import StatusDocument
    from tradex_ledger.cli.show import Show

DATASETS = ("dataset", "layer", "logic_version", "partitions", "first", "last", "rows")


def status(show: Show, document: StatusDocument) -> None:
    """Where things stand, and who has to do what."""
    for state in document.pipeline_state:
        show.line(f"pipeline {state.pipeline}: {_come_to(state.cursor)}")
    for ahead in document.cursors_ahead:
        show.line(f"cursor in the future: {ahead.message}")
        show.line(f"mend: {ahead.mend}")
    for text in status_lines(document.looks):
        show.line(text)
    show.line()
    show.rows(document.datasets, DATASETS)
    show.line()
    show.table([run_row(run) for run in document.runs], COLUMNS, title="newest runs")
    sealing(show, document.sealing)
    _warnings(show, document)
    _attention(show, document)


def _attention(show: Show, document: StatusDocument) -> None:
    """What needs somebody, each with the command that helps."""
    if not document.attention:
        show.note("nothing needs attention")
        return
    show.note(f"needs attention ({len(document.attention)}):")
    for one in document.attention:
        show.note(f"  {one.message}: {one.command}")


def _warnings(show: Show, document: StatusDocument) -> None:
    """What could mislead who reads on: other definitions, two contents, what was never built."""
    for one in document.definitions:
        show.warning(f"definitions: {one.message}")
        show.note(f"mend: {one.mend}")
    for twice in document.two_contents:
        show.warning(twice.message)
    for stale in document.stale_partitions:
        if stale.way_out:
            show.warning(stale.way_out)


def _come_to(cursor: str | None) -> str:
    return "nothing is processed yet" if cursor is None else f"processed to {last_before(cursor)}"
