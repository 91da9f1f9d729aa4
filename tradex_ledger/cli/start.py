"""`tradex init` and `tradex demo`."""

from __future__ import annotations

from shlex import quote
from typing import Any

import click

from tradex_ledger.cli.common import DAY, Call, command

_top = click.Group()


@command(
    _top,
    "init",
    example="tradex init ws --source files:posts\ntradex init ws --source files:posts --start 2014-01-01",
)
@click.argument("folder", metavar="DIR")
@click.option(
    "--source",
    required=True,
    metavar="files:PATH",
    help="Where posts come from: a folder of .jsonl or .jsonl.gz files; a relative one belongs to the current folder.",
)
@click.option(
    "--ledger",
    default="sqlite:///ledger.db",
    show_default=True,
    help="The ledger's database; a relative file lies in DIR.",
)
@click.option("--lake", default="lake", show_default=True, help="The lake's folder, relative to DIR.")
@click.option(
    "--pipeline",
    metavar="PATH",
    help="A folder, relative to DIR, for definitions of your own; a new one begins with the built-in.",
)
@click.option("--start", type=DAY, help="Begin with posts created on this day (UTC); else with the oldest there is.")
def init(call: Call, folder: str, **settings: Any) -> None:
    """Make a workspace in DIR: its settings, an empty ledger with the datasets registered, and a lake."""
    from tradex_ledger.workspace import Workspace

    with Workspace.create(folder, actor=call.actor, **settings) as made:
        names = list(made.pipeline.definitions)
        where = str(made.config.folder)
        call.warn_of_modes(made)
    if call.as_json:
        call.show.document({"workspace": where, "datasets": names})
        return
    call.show.line(f"workspace {where} with {len(names)} datasets: {', '.join(names)}")
    call.show.note(f"next: tradex -C {quote(folder)} run")


@command(_top, "demo", example="tradex demo\ntradex demo --dir try-it")
@click.option("--dir", "folder", default="tradex-demo", show_default=True, help="A new folder for the demo.")
def demo(call: Call, folder: str) -> None:
    """The whole story on a month of made-up posts: runs, an API outage, its backfill, before and after.

    Needs no data and no network. What it makes stays in the folder, to go on with.
    """
    from tradex_ledger.demo.story import tell

    show = call.show
    steps = []
    with show.progress() as progress:
        for step in tell(folder, actor=call.actor, progress=progress):
            steps.append({"title": step.title, "command": step.command, "rows": step.rows})
            show.line()
            show.line(f"== {step.title}")
            if step.command:
                show.line(f"$ {step.command}")
            if step.rows:
                show.table(step.rows, list(step.rows[0]))
            for text in step.text:
                show.line(text)
    if show.as_json:
        show.document({"steps": steps})
