"""A workspace whose ordinary days went wrong in many ways, for those who are told of them; and its settings."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from tests import worlds
from tests.kit import small
from tradex_ledger.config import FILE

SECRET = f"whsec_{b64encode(bytes(range(32))).decode()}"
OTHER = f"whsec_{b64encode(bytes(range(32, 64))).decode()}"
VARIABLE = "TRADEX_TEST_SECRET"


def copied(to: Path) -> Path:
    """The workspace of `small.tell_everything`, and a revert behind it."""

    def make(folder: Path) -> None:
        small.deliver(folder / "posts", days=7, posts_per_day=2)
        worlds.define(folder / "ws" / "pipeline", without=["gold_signals"])
        worlds.create(folder, pipeline="pipeline", from_start=True)
        with small.reopen(folder / "ws") as workspace:
            small.tell_everything(workspace, folder / "posts")
            done = small.backfill(workspace, 1, 1)
            workspace.backfills.revert(done.id, reason="the vendor has taken that day back")

    return worlds.copy("told", make, to)


def subscribe(ws: Path, name: str, url: str, **more: str) -> None:
    """Add a subscription from the beginning on; `more` are lines of it, as TOML has their values."""
    values = {"url": f'"{url}"', "secret_env": f'"{VARIABLE}"', "after": "0", **more}
    add(ws, f"subscriptions.{name}", values)


def feed(ws: Path, name: str, to: str, **more: str) -> None:
    """Add a feed of lineage."""
    add(ws, f"feeds.{name}", {"to": f'"{to}"', **more})


def add(ws: Path, section: str, values: dict[str, str]) -> None:
    """Add a section to the settings."""
    lines = "".join(f"{name} = {value}\n" for name, value in values.items())
    with (ws / FILE).open("a", encoding="utf-8") as file:
        file.write(f"\n[{section}]\n{lines}")
