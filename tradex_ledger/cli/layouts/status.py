"""How the status looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradex_ledger.cli.layouts.run import COLUMNS, day, next_step, run_row
from tradex_ledger.cli.layouts.seal import sealing
from tradex_ledger.cli.layouts.source import status_lines

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.status import StatusDocument
    from tradex_ledger.cli.show import Show

DATASETS = ("dataset", "layer", "logic_version", "partitions", "first", "last", "rows")


def status(show: Show, document: StatusDocument) -> None:
    """Where things stand, and who has to do what."""
    for state in document.pipeline_state:
        show.line(f"pipeline {state.pipeline}: processed until {day(state.cursor)}")
    for ahead in document.cursors_ahead:
        show.line(f"cursor in the future: {ahead.message}")
        show.line(f"mend: {ahead.mend}")
    for text in status_lines(document.looks):
        show.line(text)
    show.line()
    show.rows(document.datasets, DATASETS)
    show.line()
    show.table([run_row(run) for run in document.runs], COLUMNS, title="newest runs")
    for waiting in document.waiting:
        step = next_step(waiting.run_id, waiting.status, waiting.run_kind)
        show.note(f"{waiting.run_id} is {waiting.status}: {step}")
    sealing(show, document.sealing)
    _findings(show, document)
    _stale(show, document)
    for verdict in document.engines:
        show.note(f"{verdict.dataset}: the verdict on {verdict.engine} is {verdict.verdict}; see: tradex engine list")
    show.note(f"as of position {document.as_of.position}")


def _findings(show: Show, document: StatusDocument) -> None:
    """What is other in the definitions, what has two contents, and the policy that waits for an answer."""
    if policy := document.policy_waiting:
        show.note(f"a policy that {policy.by} proposed waits: tradex policy show, approve or reject")
    for one in document.definitions:
        show.warning(f"definitions: {one.message}")
        show.note(f"mend: {one.mend}")
    for twice in document.two_contents:
        show.warning(twice.message)


def _stale(show: Show, document: StatusDocument) -> None:
    """The stale partitions, with what builds those that never were."""
    for stale in document.stale_partitions:
        if stale.way_out:
            show.warning(stale.way_out)
        show.note(
            f'{stale.dataset}: {stale.partitions} stale partitions; see: tradex query "select * from stale_partitions"'
        )
