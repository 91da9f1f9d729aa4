"""What tests of heads share: a workspace with a place outside, and a ledger that grows by a word."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

from tradex_ledger.config import FILE
from tradex_ledger.domain.clocks import ClockNote
from tradex_ledger.workspace import Workspace

_numbers = itertools.count(1)


def grow(workspace: Workspace, events: int = 1) -> int:
    """Append so many events that call for no head; the position after them."""
    at = "2024-02-01T00:00:00.000000Z"
    notes = [
        ClockNote.accept(
            f"clock-{next(_numbers)}", clock=at, believed=at, newest_post=None, allowed_hours=1, by=workspace.actor
        )
        for _ in range(events)
    ]
    return workspace.ledger.append(*notes)


def settings(ws: Path, **values: object) -> None:
    """Say something under [checkpoints]."""
    file = ws / FILE
    before, heading, after = file.read_text(encoding="utf-8").partition("[checkpoints]")
    said = "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
    rest = after[after.index("\n[alerts]") :]
    file.write_text(f"{before}{heading}\n{said}{rest}", encoding="utf-8")


def with_sink(ws: Path) -> Path:
    """A workspace's place outside, a folder beside it; it is named in the settings."""
    sink = ws.parent / "usb"
    sink.mkdir(exist_ok=True)
    settings(ws, sinks=[str(sink)])
    return sink


def ledger_of(ws: Path) -> list[Path]:
    """The files of a workspace's ledger."""
    return sorted(ws.glob("ledger.db*"))


def copied_away(ws: Path, to: Path) -> Path:
    """A copy of the ledger as it is now, to be put back by `put_back`."""
    to.mkdir()
    for file in ledger_of(ws):
        shutil.copy(file, to)
    return to


def put_back(ws: Path, copy: Path) -> None:
    """Have an older copy in the place of the ledger."""
    for file in ledger_of(ws):
        file.unlink()
    for file in copy.iterdir():
        shutil.copy(file, ws)
