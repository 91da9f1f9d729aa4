"""`tradex metrics`: numbers for who collects them."""

from __future__ import annotations

from pathlib import Path

import click

from tradex_ledger.cli.common import Call, command
from tradex_ledger.errors import UsageError

_top = click.Group()


@command(_top, "metrics", example="tradex metrics\ntradex metrics -o /var/lib/node_exporter/textfile/tradex.prom")
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it there, whole or not at all, for node-exporter's textfile collector.",
)
def metrics(call: Call, file: Path | None) -> None:
    """Where things stand now, in numbers, as OpenMetrics text: for Prometheus, and whoever collects as it does."""
    from tradex_ledger.audit.openmetrics import render
    from tradex_ledger.cli.formats import laid
    from tradex_ledger.clock import utc_now
    from tradex_ledger.workspace.mirrors import standing

    if call.as_json:
        raise UsageError("metrics are OpenMetrics text, and no document", mend="tradex status --json")
    look = call.look()
    text = render(look.metrics(now=utc_now(), mirrors=standing(look.config, look.store)))
    if file is not None:
        laid(text.encode(), file)
        return
    call.show.lines(text)
