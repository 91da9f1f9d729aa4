"""No text of others draws on the screen of who reads it."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit import small
from tradex_ledger.cli.escape import shown
from tradex_ledger.cli.main import run
from tradex_ledger.cli.show import Show
from tradex_ledger.domain.person import check_actor
from tradex_ledger.domain.reason import ControlCharacterError, check_reason, check_text
from tradex_ledger.domain.request import TicketError
from tradex_ledger.errors import TradexError
from tradex_ledger.workspace import Workspace

UNSEEN = [
    chr(code)
    for code in range(sys.maxunicode + 1)
    if unicodedata.category(chr(code)) in ("Cc", "Cf", "Zl", "Zp") or code in (0x34F, 0x115F, 0x3164, 0xFE0F, 0xE0100)
]
FORGED = (
    "\x1b[2K\x1b]0;owned\x07\x9b31m\u202eDEVORPPA\u2066\u200b\x7f\rstatus  APPROVED\n\tapproved by: boss\u2028\u2029"
)
DAYS = ("--from", "2024-01-04", "--to", "2024-01-05", "--no-override-state")


class Terminal(io.StringIO):
    """A stream that says that somebody is looking."""

    def isatty(self) -> bool:
        return True


def draws(text: str, *, layout: str = "\n") -> list[str]:
    """The characters of an output that would draw."""
    return sorted({f"U+{ord(c):04X}" for c in text if c in set(UNSEEN) and c not in layout})


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("screen")
    small.deliver(root / "posts")
    (root / "posts" / "passed\x1b[31m\nover\u202e.txt").write_text("no post", encoding="utf-8")
    (root / "posts" / "rejected\x1b[2J.jsonl").write_text('{"id": "\\u001b[31m\\u009b2J\\u202e"}\n', encoding="utf-8")
    post = {
        "id_str": "424242",
        "created_at": "Thu Jan 04 10:00:00 +0000 2024",
        "full_text": f"$AAPL {FORGED}",
        "user": {"id_str": "7", "screen_name": f"eve{FORGED}"},
    }
    (root / "posts" / "posted.jsonl").write_text(json.dumps(post) + "\n", encoding="utf-8")
    with small.create(root / "ws", f"files:{root / 'posts'}") as made:
        made.incremental.run(last=small.day(7))
    return root / "ws"


@pytest.fixture
def folder(week: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(week, tmp_path / "ws"))


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    with Workspace.open(folder, actor="ana") as opened:
        yield opened


@pytest.mark.parametrize("character", UNSEEN[:: max(1, len(UNSEEN) // 60)] + list("\x1b\x07\x7f\x9b\u202e\u200b\u2028"))
def test_what_draws_or_is_not_seen_is_spelled_out(character: str):
    assert shown(f"a{character}b") not in (f"a{character}b", "ab")
    assert draws(shown(f"a{character}b"), layout="") == []
    assert shown("Ünïcode 日本語 $AAPL 🚀 [red]") == "Ünïcode 日本語 $AAPL 🚀 [red]"


def test_every_control_and_format_character_is_among_them():
    assert draws("".join(shown(character) for character in UNSEEN), layout="") == []


def said(terminal: bool, say: Callable[[Show], None]) -> str:
    """What is printed, on both streams."""
    streams = [Terminal() if terminal else io.StringIO() for _ in range(2)]
    say(Show(as_json=False, out=streams[0], err=streams[1]))
    return "".join(stream.getvalue() for stream in streams)


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_that_prints_lets_it_through(terminal: bool):
    forged = TradexError(FORGED, mend=FORGED)
    forged.add_note(FORGED)
    ways: list[Callable[[Show], None]] = [
        lambda show: show.line(FORGED),
        lambda show: show.note(FORGED),
        lambda show: show.warning(FORGED),
        lambda show: show.error(forged),
        lambda show: show.facts({FORGED: FORGED, "list": [FORGED], "map": {FORGED: FORGED}}),
        lambda show: show.document({FORGED: [FORGED]}),
    ]
    for number, say in enumerate(ways):
        text = said(terminal, say)
        assert draws(text) == [], number
        assert "\nstatus" not in text and "\napproved" not in text, number


def test_a_document_is_the_same_by_value():
    assert json.loads(said(False, lambda show: show.document({"a": FORGED}))) == {"a": FORGED}


def test_a_row_is_one_line_of_as_many_cells():
    text = said(False, lambda show: show.table([{f"a{FORGED}": FORGED, "b": [FORGED]}], [f"a{FORGED}", "b"]))
    assert [len(line.split("\t")) for line in text.splitlines()] == [2, 2]
    assert draws(text, layout="\n\t") == []


def test_a_table_on_a_terminal_is_drawn_by_us_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    rows: list[dict[str, Any]] = [{"[red]a[/red]": FORGED, "b": "[link=http://x]:smile:[/link]\\"}]
    text = said(True, lambda show: show.table(rows, ["[red]a[/red]", "b"], title=f"[blink]t{FORGED}"))
    assert draws(text) == []
    assert all(word in text for word in ("[red]a[/red]", "[link=http://x]:smile:[/link]\\", "[blink]t", r"\x1b[2K"))
    assert len(text.splitlines()) == 3


def test_a_stage_on_a_terminal_is_no_markup(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "400")

    def say(show: Show) -> None:
        with show.progress() as progress:
            progress(f"[bold]stage[/bold]{FORGED}", 1, 1)

    assert "[bold]stage[/bold]" in said(True, say)
    assert "\x1b]0;" not in said(True, say)


@pytest.mark.parametrize(
    "arguments",
    [
        ["query", "select text, payload from bronze_x_posts"],
        ["query", "select * from bronze_x_posts"],
        ["query", "select * from bronze_x_posts__rejected"],
        ["query", 'select 1 as "a\x1b[31m\u202e"'],
        ["query", "select '\x1b[31m' from \x9b"],
        ["status"],
        ["audit", "log"],
        ["audit", "history", "\x1b[31m"],
        ["backfill", "show", "\x1b[31m\nstatus APPROVED"],
        ["backfill", "list", "--status", "\x1b[31m"],
        ["backfill", "propose"],
        ["dataset", "show", "gold\u202e"],
        ["dataset", "protect", "gold_signals", "--from", "\x1b]0;x\x07", "--to", "x", "--reason", "y"],
        ["\x1b[31m"],
        ["--\x9b31m"],
        ["-C", "/nowhere\x1b[31m\u202e", "status"],
    ],
)
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_no_command_lets_it_through(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], more: list[str]
):
    run(["-C", str(folder), *arguments, *more])
    captured = capsys.readouterr()
    assert captured.out + captured.err
    assert draws(captured.out, layout="\n\t") == []
    assert draws(captured.err) == []


@pytest.mark.parametrize("character", "\x00\x1b\x07\x08\x0b\x7f\x85\x9b\u202e\u2066\u200f\u2028\u2029")
def test_control_characters_are_refused_where_they_are_given(character: str):
    for check in (check_actor, check_reason, lambda text: check_text("ticket", text)):
        with pytest.raises(ControlCharacterError, match=f"U\\+{ord(character):04X}") as caught:
            check(f"the vendor redelivers{character} on Monday, INC-4211")
        assert draws(str(caught.value.message)) == []


@pytest.mark.parametrize("field", ["--ticket", "--reason", "--as"])
def test_a_ticket_cannot_draw_an_approval(folder: Path, capsys: pytest.CaptureFixture[str], field: str):
    given = {"--ticket": "INC-4300", "--reason": small.REASON, "--as": "ana"}
    given[field] += "\x1b[2K"
    more = [word for pair in given.items() for word in pair]
    request = ["backfill", "request", "temporal", "gold_signals", *DAYS]
    if field == "--ticket":
        request = [*request[:2], "forced", *request[3:]]
    assert run(["-C", str(folder), *request, *more]) == 2
    assert "U+001B" in capsys.readouterr().err


@pytest.mark.parametrize("ticket", ["INC\n4300", "INC\t4300"])
def test_a_ticket_is_one_line(workspace: Workspace, ticket: str):
    with pytest.raises(ControlCharacterError, match="the ticket has"):
        small.request(workspace, kind="forced", ticket=ticket)


@pytest.mark.parametrize("ticket", ["\u200b", "\ufeff\u00ad", "\u2800", ".", "-_"])
@pytest.mark.parametrize("kind", ["forced", "temporal"])
def test_a_ticket_can_be_seen(workspace: Workspace, ticket: str, kind: str):
    with pytest.raises(TicketError, match="names nothing"):
        small.request(workspace, kind=kind, ticket=ticket)


def test_what_an_older_release_recorded_is_shown_escaped(
    workspace: Workspace, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tradex_ledger.domain.request.check_text", lambda _, text: text)
    run_id = small.request(workspace, kind="forced", ticket=f"INC-4300{FORGED}", reason=small.REASON)
    for arguments in (["backfill", "show", run_id], ["audit", "history", run_id], ["audit", "log"], ["status"]):
        assert run(["-C", str(folder), *arguments]) == 0
        captured = capsys.readouterr()
        assert draws(captured.out, layout="\n\t") == [], arguments
        assert "\nstatus  APPROVED" not in captured.out


def test_a_reason_of_several_lines_is_kept_on_one():
    assert check_reason("the vendor\r\n\tredelivers\non Monday") == "the vendor redelivers on Monday"


def test_what_surrounds_a_name_is_not_of_it():
    assert check_actor(" ana\n") == "ana"
    assert os.linesep not in check_actor("ana\r\n")
