"""Bars on a terminal: what is said among them stays on the screen, and the newest of them are there to be seen."""

from __future__ import annotations

import io
import re

import pytest

from tradex_ledger.cli.bars import MOST
from tradex_ledger.cli.show import Show

TOLD = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")


class Terminal(io.StringIO):
    """Keeps what is on the screen; no line of it is as long as the screen is wide."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        lines, row, column = [""], 0, 0
        for number, deed, returned, fed, text in TOLD.findall(self.getvalue()):
            if deed == "A":
                row -= int(number or 1)
            elif deed == "K":
                lines[row] = ""
            elif returned:
                column = 0
            elif fed:
                row, column = row + 1, 0
                lines += [""] * (row == len(lines))
            elif text:
                lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
                column += len(text)
        return lines


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return Terminal()


def test_what_is_said_among_bars_stays_on_the_screen(terminal: Terminal):
    show = Show(as_json=False, out=terminal, err=terminal)
    with show.progress() as progress:
        for step in ("first", "second"):
            for stage in ("read", "append", "publish"):
                progress(stage, 1, 1)
            show.line(f"== {step}")
            Show(as_json=False, out=terminal, err=terminal).table([{"run": f"run-{step}"}], ["run"])
        progress("gold", 1, 1)
    screen = [line.split(" ")[0] if "━" in line else line.strip() for line in terminal.screen()]
    one, other = (["read", "append", "publish", f"== {step}", "run", f"run-{step}"] for step in ("first", "second"))
    assert [line for line in screen if line] == [*one, *other, "gold"]


def test_the_newest_bars_are_those_that_are_drawn(terminal: Terminal):
    with Show(as_json=False, out=terminal, err=terminal).progress() as progress:
        for page in range(1, 101):
            progress(f"page {page}", page, page)
    drawn = [line.split("  ")[0] for line in terminal.screen() if "━" in line]
    assert drawn == [f"page {page}" for page in range(101 - MOST, 101)]
