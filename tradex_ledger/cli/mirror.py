"""`tradex mirror`: the lake for other readers, as Delta tables or as a DuckLake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, command, examples, rows_options
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.mirrors import MirrorDocument, SyncedDocument


@group("mirror", epilog=examples("tradex mirror list\ntradex mirror sync"))
def mirror() -> None:
    """The lake for other readers: Delta tables, or a DuckLake, over its own files, as of each publication.

    Which there are stands in tradex.toml, under [mirrors.NAME]. Whoever publishes keeps them up. Nothing of them is the
    truth: delete one, and make it again.
    """


@command(mirror, "list", example="tradex mirror list\ntradex mirror list --json")
@rows_options
def list_(call: Call) -> int:
    """How each mirror stands: the position that it has come to, and what is the matter with it."""
    from tradex_ledger.workspace.mirrors import standing

    look = call.look()
    found = standing(look.config, look.store)
    call.result(found, _standing)
    return 1 if any(one.problem or one.behind for one in found) else 0


def _standing(show: Show, found: list[MirrorDocument]) -> None:
    show.rows(found, ("name", "kind", "position", "behind", "place"))
    if not found:
        show.note("there is none: name one in tradex.toml, under [mirrors.NAME]")
    for one in found:
        for name, why in sorted(one.left_out.items()):
            show.warning(f"the mirror {one.name} has no table of {name}: {why}")
        if one.problem:
            show.warning(one.problem)
            show.note(f"mend: {one.mend}")
        elif one.behind:
            show.note(f"take in what is new: tradex mirror sync {one.name}")


@command(mirror, "sync", example="tradex mirror sync\ntradex mirror sync lakehouse")
@click.argument("name", required=False)
def sync(call: Call, name: str | None) -> None:
    """Take in what is new since the position that a mirror holds; all mirrors, unless one is named."""
    with call.open() as workspace:
        found = workspace.mirrors.sync(name)
    call.result(found, _synced)


@command(mirror, "rebuild", example="tradex mirror rebuild lakehouse")
@click.argument("name", required=False)
def rebuild(call: Call, name: str | None) -> None:
    """Make a mirror anew, from zero; all of them, unless one is named. Who reads it meanwhile finds less."""
    with call.open() as workspace:
        found = workspace.mirrors.rebuild(name)
    call.result(found, _synced)


def _synced(show: Show, found: list[SyncedDocument]) -> None:
    show.rows(found, ("name", "kind", "position", "steps", "place"))
    if not found:
        show.note("there is none: name one in tradex.toml, under [mirrors.NAME]")
