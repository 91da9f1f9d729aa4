"""What the pages about questions to the ledger say to type, typed on a workspace with a backfill behind it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.kit.examples import blocks, commands
from tests.kit.february import Staged


def heads(text: str) -> list[str]:
    """What the parts of an answer are headed by."""
    return re.findall(r"^([A-Z][\w, ]+):$", text, re.M)


def test_the_audit(staged: Staged):
    stage = staged("docs/audit.md")
    stage.meant |= {"@365": "@120", "@120": "@100", "@2026-01-10": "@2024-01-31"}
    assert "as of position 140" in stage.block()
    (shown,) = blocks("docs/audit.md", "console")
    (command, *_) = commands(shown.text.splitlines()[0])
    said = stage.play(command.removeprefix("$ "))
    assert heads(said) == heads(shown.text) == ["Logic", "Made of, back to Bronze", "Who"]
    assert said.splitlines()[0].partition(",")[0] == shown.text.splitlines()[1].partition(",")[0]


def test_what_is_built_again(staged: Staged):
    stage = staged("docs/reproduce.md")
    stage.meant["341"] = "100"
    assert "identical" in stage.block()
    assert "bf-" in stage.block()


def test_what_happened_when(staged: Staged):
    stage = staged("docs/terminal.md")
    stage.meant |= {"bf-1m83": stage.meant["run-…"], "run-1m84": stage.meant["bf-…"]}
    assert "backfill.completed" in stage.block()
    (completed,) = stage.take()
    assert "_tradex" in stage.play(f"{completed}\ncomplete -p tradex")


def test_verifying(staged: Staged):
    stage = staged("docs/verify.md")
    stage.meant["/mnt/usb/heads/000000000001204"] = str(sorted((stage.folder / "ws" / "checkpoints").iterdir())[0])
    assert stage.block().count("nothing is wrong") == 3


def test_proofs(staged: Staged):
    stage = staged("docs/evidence.md")
    stage.play("tradex audit export bf-1m83 -o of-the-run")
    entry = sorted(Path("of-the-run", "entries").iterdir())[0]
    shutil.copyfile(Path("ws", "keys", "checkpoint.pub"), "ledger.pub")
    shutil.copyfile(entry, "341.json")
    stage.meant |= {"prove 341": f"prove {int(entry.stem)}", "/srv/tradex-log": "tradex-log"}
    for _ in range(5):
        stage.block()
    assert Path("tradex-log", "checkpoint").is_file() and Path("evidence", "VERIFY.md").is_file()
