"""What the page about signed approvals says to type, with keys and signatures of `ssh-keygen`."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

from tests.kit.examples import Stage, blocks
from tests.kit.february import Staged, ordered


def test_signed_approvals(staged: Staged):
    stage = staged("docs/approvals.md")
    ws, keys = stage.folder / "ws", Path.home() / ".ssh"
    keys.mkdir()
    for name in ("id_ed25519", "id_ed25519_sk"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "maria", "-f", keys / name], check=True)

    def asked(day: int, **more: object) -> str:
        stage.meant["bf-1m83"] = ordered(ws, first=date(2014, 2, day), last=date(2014, 2, day), **more)
        return stage.meant["bf-1m83"]

    forced = {"kind": "forced", "dataset": "gold_signals", "ticket": "INC-4300"}
    asked(3, **forced)
    stage.block()
    stage.play('tradex policy key add maria ~/.ssh/id_ed25519_sk.pub --reason "her token, INC-4302"')
    signed = asked(4, **forced)
    stage.block()
    (form,) = blocks("docs/approvals.md", "text")
    text = Path("approval").read_text("utf-8")
    assert names(text) == names(form.text)
    for day, command in zip((5, 6, 7), stage.take(), strict=True):
        asked(day)
        stage.play(command.replace("--seen 120", f"--seen {position(stage)}"))
        stage.play('tradex backfill cancel bf-1m83 --reason "the next one is over the same days"')
    stage.meant["bf-1m83"] = signed
    story = json.loads(stage.play("tradex audit history bf-1m83 --json 2>beside"))["events"]
    (approved,) = [event for event in story if event["topic"] == "backfill.approved"]
    assert put_together(approved) == text
    facts = approved["data"]
    Path("text").write_text(text, encoding="utf-8")
    Path("stored.sig").write_text(facts["signature"], encoding="utf-8")
    stage.meant["20261127191524Z"] = re.sub("[-:T]|[.][0-9]+", "", approved["at"])
    assert "Good" in stage.block()


def put_together(event: dict[str, Any]) -> str:
    """The text that an approver signed, as the page says it: from the event alone."""
    facts = event["data"]
    lines = {
        "ledger": event["ledger"],
        "request": event["stream"],
        "plan": facts["plan_digest"],
        "policy": facts["policy_digest"],
        "decision": "approve",
        "approver": event["by"],
        "position": facts["seen"],
        "checkpoint": " ".join(facts["checkpoint"].split()),
        "nonce": facts["nonce"],
        "expires": facts["expires"],
    }
    return "".join(["tradex-ledger approval v1\n", *(f"{name}: {value}\n" for name, value in lines.items())])


def names(text: str) -> list[str]:
    """What the lines of a text say something of."""
    return [line.partition(":")[0] for line in text.splitlines()]


def position(stage: Stage) -> int:
    """How far the ledger has come."""
    return int(stage.play('tradex query "select max(position) from events" --format csv').splitlines()[1].strip('"'))
