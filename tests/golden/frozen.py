"""The list of contracts that are frozen: each with its digest. A line is added, by `make golden`, and never changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.kit.tree import ROOT

LIST = Path(__file__).parent / "frozen.sha256"
EVENTS = ROOT / "schema" / "events"


def listed() -> dict[str, str]:
    """The digest (SHA-256, hex) of each contract on the list, by the name of its file."""
    lines = LIST.read_text(encoding="utf-8").splitlines() if LIST.exists() else []
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def found(folder: Path = EVENTS) -> dict[str, str]:
    """The digests of the contracts that are there."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.json"))}


def problems(known: dict[str, str], there: dict[str, str]) -> list[str]:
    """What is other than the list says."""
    edited = [f"{name} was edited: what events were written by stays as it is; write the next version" for name in
              sorted(known.keys() & there.keys()) if known[name] != there[name]]  # fmt: skip
    gone = [f"{name} is gone: events of that version are in ledgers" for name in sorted(known.keys() - there.keys())]
    new = [f"{name} is on no list: run make golden" for name in sorted(there.keys() - known.keys())]
    return [*edited, *gone, *new]


def freeze() -> list[str]:
    """Add what is new; returns the names. Raises `SystemExit` where something on the list is not as it was."""
    known, there = listed(), found()
    broken = [text for text in problems(known, there) if not text.endswith("make golden")]
    if broken:
        raise SystemExit("\n".join(broken))
    new = sorted(there.keys() - known.keys())
    with LIST.open("a", encoding="utf-8") as file:
        file.writelines(f"{there[name]}  {name}\n" for name in new)
    return new
