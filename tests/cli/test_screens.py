"""Every command that shows something, on screens of several widths: no line is wider, and no id and no day is cut."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests import worlds
from tests.kit import small
from tests.kit.commands import paths
from tests.kit.showing import DOING, NOW, SHOWING
from tests.kit.terminal import Screen
from tradex_ledger.cli.main import cli, run

WIDTHS = (100, 80, 40)
REASON = "the vendor's résumé of 2024-01-03 for 東京証券取引所 was wrong; see https://example.org/" + "incident/" * 12
"""As hostile as people are: wide letters, and a word that is longer than any screen."""
RANGE = ("--from", "2024-01-03", "--to", "2024-01-04", "--no-override-state", "--reason", REASON, "--dry-run")
MORE: dict[str, list[tuple[str, ...]]] = {
    "backfill propose": [()],
    "mirror list": [()],
    "feed list": [()],
    "trust": [()],
    "dataset preview": [("gold_metrics", "--from", "2024-01-03", "--to", "2024-01-04")],
    "dataset diff": [("gold_metrics",)],
    "policy set": [("--dry-run", "--reason", REASON)],
    "lake gc": [()],
    "audit verify": [()],
    "audit prove": [("5",)],
    "audit reproduce": [("gold_metrics", "2024-01-03")],
    "ledger checkpoint": [()],
    "ledger key": [()],
    "projection list": [(), ("runs",)],
    "backfill request temporal": [("bronze_x_posts", *RANGE)],
    "backfill request dataset": [("gold_metrics", *RANGE)],
    "backfill revert": [("DONE", "--dry-run")],
    "backfill approve": [("BACKFILL",)],
    "audit diff": [("DONE",), ("--candidate", "BACKFILL"), ("gold_metrics", "--versions", "1", "2")],
    "audit log": [("--topic", "backfill.requested"), ("--run", "DONE")],
    "query": [("select * from runs",)],
}
"""What shows things as they are now, or would be; and more of what people look at most."""
OUTSIDE = {
    **dict.fromkeys(("metrics", "ledger grants"), "for programs: lines of a format that is not ours"),
    **dict.fromkeys(("audit export", "audit report", "ledger tiles", "ledger witness"), "writes files"),
    "audit check": "of a folder that is exported",
    **dict.fromkeys(("mirror sync", "mirror rebuild", "projection rebuild"), "does something, in a line"),
}
_CUT = re.compile(r"\b(?:bf|run)-[0-9a-z]{1,12}(?![0-9a-z…^])|\b20\d\d-\d\d?-?\d?$|\b20\d\d-(?:\d\d-)?…")


@dataclass
class Shown:
    """A workspace, with a backfill that waits and one that is done."""

    folder: Path
    waits: str
    done: str

    def screen(self, patch: pytest.MonkeyPatch, words: list[str], width: int) -> tuple[int, list[str]]:
        """What is on a screen of that width after a command, and its exit status."""
        out = Screen()
        for name, value in {"COLUMNS": str(width), "LINES": "50", "TERM": "xterm", "NO_COLOR": "1"}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", out.beside())
        said = [{"BACKFILL": self.waits, "DONE": self.done}.get(word, word) for word in words]
        status = run(["-C", str(self.folder), "--as", "maria", *said, "--no-pager"])
        patch.undo()
        return status, [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rstrip() for line in out.lines()]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("a-workspace-with-a-name-that-nobody-would-like-to-type-twice")
    ws = worlds.copied(folder, pipeline=True, thin=True)
    (folder / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    with small.reopen(ws) as workspace:
        small.backfill(workspace, 3, 3, reason=REASON)
        small.edit(workspace, "gold_metrics", "count(*)::bigint as mentions", "(count(*) + 0)::bigint as mentions")
        workspace.datasets.bump("gold_metrics", reason=REASON)
        done = small.backfill(workspace, 3, 4, kind="logical", dataset="gold_metrics", reason=REASON).id
        workspace.datasets.protect("gold_metrics", small.day(1), small.day(1), reason=REASON)
        workspace.lake.plan_prune("gold_metrics", reason=REASON)
        rejected = small.request(workspace, 5, 5)
        workspace.backfills.reject(rejected, reason=REASON)
        waits = small.request(workspace, 4, 5)
        (file,) = (ws / "lake").rglob("silver_social_events/event_date=2024-01-07/*.parquet")
        content = file.read_bytes()
        file.unlink()
        workspace.lake.declare_loss("silver_social_events", reason=REASON)
        file.write_bytes(content)
    return Shown(ws, waits, done)


def is_one_word(line: str, width: int) -> bool:
    """Whether a line has a command, which is there to be copied, or a word that no line has room for beside a name: a
    terminal folds it, and nothing of it is lost."""
    words = re.sub(r"(\d\d-\d\d) (\d\d:)", r"\1_\2", line).split()  # a time is one
    return "tradex " in line or max(map(cell_len, words)) > width - 20


CALLS = [
    (name, call) for calls in (SHOWING, MORE) for name, some in calls.items() for call in some if "--older" not in call
]


def test_every_command_that_shows_something_is_looked_at():
    commands = {path for path, is_group in paths(cli).items() if not is_group}
    assert commands - DOING - OUTSIDE.keys() <= {name for name, _ in CALLS}
    assert commands >= OUTSIDE.keys() and NOW.keys() & OUTSIDE.keys()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("name", "call"), CALLS, ids=[" ".join((name, *call))[:40] for name, call in CALLS])
def test_it_fits_and_ids_and_days_are_whole(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, name: str, call: tuple[str, ...], width: int
):
    status, lines = shown.screen(monkeypatch, [*name.split(), *call], width)
    assert status in (0, 1, 3), lines  # refused: a clock of today has let the plan expire
    is_text = "--text" in call or name in ("policy show", "query")  # each character counts, also of a record
    assert is_text or [line for line in lines if cell_len(line) > width and not is_one_word(line, width)] == []
    assert [line for line in lines if _CUT.search(line)] == []
