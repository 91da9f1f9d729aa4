"""`tradex lake`: the files."""

from __future__ import annotations

import click

from tradex_ledger.cli.common import Call, command
from tradex_ledger.cli.show import bytes_text


@click.group("lake")
def lake() -> None:
    """The files of the lake."""


@command(lake, "gc", example="tradex lake gc\ntradex lake gc --delete")
@click.option("--delete", is_flag=True, help="Remove them; without it they are only listed.")
def gc(call: Call, delete: bool) -> None:
    """List (and remove) files that no event names: what crashed drives left behind. Never a file of an event."""
    from dataclasses import asdict

    from tradex_ledger.executors.gc import find_unreferenced, remove

    with call.open() as workspace:
        found = find_unreferenced(workspace.ledger, workspace.lake)
        freed = remove(workspace.lake, found) if delete else 0
    rows = [asdict(item) for item in found]
    if call.as_json:
        call.show.document({"files": rows, "deleted": delete, "bytes": sum(item.bytes for item in found)})
        return
    call.show.table(rows, ("path", "bytes", "run_id", "run_status"))
    total = bytes_text(sum(item.bytes for item in found))
    if delete:
        call.show.note(f"removed {len(found)}, {bytes_text(freed)}")
    else:
        call.show.note(
            f"{len(found)} that no event names, {total}" + ("; remove them: tradex lake gc --delete" if found else "")
        )
