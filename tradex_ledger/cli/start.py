"""`tradex init`, `tradex demo` and `tradex trust`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

import click

from tradex_ledger.cli.common import Call, command
from tradex_ledger.cli.days import DAY
from tradex_ledger.cli.show import Show
from tradex_ledger.errors import TradexError

_top = click.Group()


@command(
    _top,
    "init",
    example="tradex init ws --source files:posts\ntradex init ws --source files:posts --start 2014-01-01\n"
    "tradex init ws --pipeline trades --name trades --source trades=files:in/trades --source rates=files:in/rates",
)
@click.argument("folder", metavar="DIR")
@click.option(
    "--source",
    required=True,
    multiple=True,
    metavar="[NAME=]files:PATH",
    help="The folder that a source delivers files to; a relative one belongs to the current folder. Or "
    "files:s3://BUCKET/PREFIX, a bucket that they are delivered to, or x-api:QUERY, what the X API finds. Of several "
    "sources, each with its name: the one that a definition's header says.",
)
@click.option(
    "--ledger",
    default="sqlite:///ledger.db",
    show_default=True,
    help="The ledger's database: sqlite:///FILE (a relative one lies in DIR) or postgresql://USER@HOST/DATABASE.",
)
@click.option(
    "--lake",
    default="lake",
    show_default=True,
    help="The lake: a folder, relative to DIR, or s3://BUCKET/PREFIX (endpoint, region and credentials as AWS_… says).",
)
@click.option(
    "--pipeline",
    metavar="PATH",
    help="A folder, relative to DIR, for definitions of your own; a new one begins with the built-in.",
)
@click.option(
    "--name", metavar="NAME", help="What the pipeline is called, and so its state; else x, as the built-in is."
)
@click.option("--start", type=DAY, help="Begin with posts created on this day (UTC); else with the oldest there is.")
def init(call: Call, folder: str, **settings: Any) -> None:
    """Make a workspace in DIR: its settings, an empty ledger with the datasets registered, and a lake."""
    from tradex_ledger.workspace import Workspace

    with Workspace.create(folder, actor=call.actor, **settings) as made:
        names = list(made.core.pipeline.definitions)
        where = str(made.config.folder)
        call.warn_of_modes(made)
    call.result({"workspace": where, "datasets": names}, lambda show, _: _made(show, where, names, folder))


def _made(show: Show, where: str, names: list[str], folder: str) -> None:
    show.line(f"workspace {where} with {len(names)} datasets: {', '.join(names)}")
    show.note(f"next: tradex -C {quote(folder)} run")


@command(_top, "demo", example="tradex demo\ntradex demo --dir try-it\ntradex demo --x-api --dir try-api")
@click.option("--dir", "folder", default="tradex-demo", show_default=True, help="A new folder for the demo.")
@click.option("--x-api", is_flag=True, help="Fetch the posts from a small X API on this machine, faults included.")
def demo(call: Call, folder: str, x_api: bool) -> None:
    """The whole story on a month of made-up posts: runs, an API outage, its backfill, before and after.

    Needs no data and no network. What it makes stays in the folder, to go on with.
    """
    if x_api:
        from tradex_ledger.pipelines.x.demo.api_story import tell
    else:
        from tradex_ledger.pipelines.x.demo.story import tell

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
    call.either(lambda: {"steps": steps}, lambda: None)


@command(_top, "trust", example="tradex trust /srv/ws\ntradex trust\ntradex trust /srv/ws --remove")
@click.argument("folder", metavar="DIR", required=False)
@click.option("--remove", is_flag=True, help="Take it back.")
def trust(call: Call, folder: str | None, remove: bool) -> None:
    """Believe the settings and definitions in DIR, though another user owns them: they say what runs, as you.

    Look at them first. Without it their ledger and lake can be read, and nothing else. Without DIR, list what is
    trusted. The list is your own, in your configuration folder; files of yet another owner are asked about anew.
    """
    from tradex_ledger.paths import resolved
    from tradex_ledger.trust import distrust, name_of, trusted_folders
    from tradex_ledger.trust import trust as believe

    if folder is None:
        if remove:
            raise click.UsageError("Name the DIR that is not to be trusted any more.")
        rows = [{"folder": str(path), "owner": name_of(owner)} for path, owner in trusted_folders()]
        call.result(rows, lambda show, found: show.table(found, ("folder", "owner")))
        return
    place = resolved(folder, "what is to be trusted")
    if remove:
        done = "is not trusted any more" if distrust(place) else "was not trusted"
    else:
        names = [name_of(owner) for owner in believe(place, _pipeline_of(place))]
        done = (
            f"is trusted with what {', '.join(names)} put there" if names else "is your own: nothing is to be trusted"
        )
    call.result({"folder": str(place), "done": done}, lambda show, _: show.line(f"{place} {done}"))


def _pipeline_of(folder: Path) -> Path | None:
    """The definitions that the settings in a folder name; none where there are no settings that can be read."""
    from tradex_ledger.config import FILE, load_config

    try:
        return load_config(folder / FILE).pipeline
    except TradexError:  # whoever uses them has the words for what is wrong
        return None
