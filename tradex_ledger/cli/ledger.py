"""`tradex ledger`: which ledger this is, where it lives, its backups, how one goes on that was put back."""

from __future__ import annotations

from pathlib import Path

import click

from tradex_ledger.cli.common import Call, as_of_option, check_only_looks, command, examples
from tradex_ledger.cli.evidence import tiles
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.layouts import store as layouts
from tradex_ledger.cli.layouts.lake import epoch_plan, identity
from tradex_ledger.cli.seal import checkpoint, key, witness

LOST_HEAD = ("ledger-behind", "ledger-forked", "epoch-waits", "ledger-cut", "split-view")
"""What a ledger that was put back from a copy is refused with."""


@group("ledger", epilog=examples("tradex ledger show"))
def ledger() -> None:
    """The ledger and its lake: whether they belong together."""


for sealing in (checkpoint, key, witness, tiles):
    ledger.add_command(sealing)


@command(ledger, "show", example="tradex ledger show\ntradex ledger show --as-of 2026-01-10")
@as_of_option
def show(call: Call, as_of: str | None) -> int:
    """Which ledger this is, how far it has come, what its lake knows of it. Exit 1: they do not belong together.

    With --as-of how far it had come; the lake is looked at as it is.
    """
    with call.open(reading=True) as workspace:
        found = call.answer(workspace.audit.look, as_of, workspace.lake.identity, identity)
    return 1 if found.problem else 0


@command(
    ledger,
    "epoch",
    example='tradex ledger epoch --lost-head 1204 --reason "disk lost, backup of 3 Feb, INC-4320" --as ana\n'
    "tradex ledger epoch --as maria\n"
    "tradex ledger epoch --approve 3f2a… --as maria",
)
@click.option(
    "--lost-head",
    type=click.IntRange(1),
    metavar="POSITION",
    help="The last position of the ledger that was lost, at least the one that the lake knows; with --reason.",
)
@click.option("--reason", help="What happened, and why nothing better can be put back.")
@click.option("--approve", "digest", metavar="DIGEST", help="Approve the epoch with this digest (12 digits or more).")
@as_of_option
def epoch(call: Call, lost_head: int | None, reason: str | None, digest: str | None, as_of: str | None) -> None:
    """Let a ledger that was put back from a copy go on without what came after: a new epoch.

    Put back the newest copy first; this is for when there is none. One person asks and names the head that was lost,
    another looks (no option) and approves. Files of lost runs stay in the lake, foreign to this ledger.
    """
    check_only_looks(as_of, lost_head, reason, digest)
    asks = lost_head is not None and reason is not None
    if (digest is not None and (lost_head is not None or reason is not None)) or (lost_head is None) != (
        reason is None
    ):
        raise click.UsageError(
            "Give --lost-head POSITION with --reason WHY to ask, --approve DIGEST to approve, or neither to see."
        )
    with call.open(reading=digest is None and not asks, tolerates=LOST_HEAD) as workspace:
        if digest is not None:
            number = workspace.lake.begin_epoch(digest)
            call.result({"epoch": number}, lambda show, _: show.line(f"epoch {number} has begun"))
            return
        if lost_head is not None and reason is not None:
            call.result(workspace.lake.plan_epoch(lost_head, reason=reason), epoch_plan)
            return
        call.answer(workspace.audit.look, as_of, workspace.lake.waiting_epoch, epoch_plan)


@command(
    ledger, "grants", example="tradex ledger grants --print\ntradex ledger grants\npsql -c 'GRANT tradex_writer TO ana'"
)
@click.option("--owner", default="tradex_owner", show_default=True, help="The role that has the tables and guards.")
@click.option("--writer", default="tradex_writer", show_default=True, help="The role that reads, and appends.")
@click.option("--reader", default="tradex_reader", show_default=True, help="The role that reads.")
@click.option("--print", "only_print", is_flag=True, help="Show the SQL, and change nothing.")
def grants(call: Call, owner: str, writer: str, reader: str, only_print: bool) -> None:
    """Give a ledger in PostgreSQL its roles: who has its tables, who only adds to them, who reads.

    Roles that are not there are made; nobody can log in as one: make who does a member. To be run by the owner of the
    database, again after an upgrade; twice does no harm.
    """
    from tradex_ledger.workspace.store import grants as give

    call.result(give(call.workspace or ".", owner, writer, reader, say=not only_print), layouts.grants)


@command(
    ledger,
    "copy",
    example='tradex ledger copy postgresql://ana@db/tradex --reason "second host, INC-4500" --as ana\n'
    "tradex ledger copy --as maria\n"
    "tradex ledger copy --approve 3f2a… --as maria",
)
@click.argument("url", metavar="URL", required=False)
@click.option("--reason", help="Why the ledger moves.")
@click.option("--approve", "digest", metavar="DIGEST", help="Approve the move with this digest, and do it.")
@as_of_option
def copy(call: Call, url: str | None, reason: str | None, digest: str | None, as_of: str | None) -> None:
    """Move the ledger to another, empty database, byte for byte: it ends here, and goes on there in a new epoch.

    One person asks, another looks (no option), approves and so moves it. Then the settings must name the new database:
    the command says the line. Whoever was cut off runs the same command again.
    """
    if (url is None) != (reason is None) or (digest is not None and url is not None):
        raise click.UsageError("Give URL with --reason WHY to ask, --approve DIGEST to approve, or neither to see.")
    check_only_looks(as_of, url, reason, digest)
    reading = digest is None and url is None
    with call.open(reading=reading, tolerates=("ledger-moved",) if digest else ()) as workspace:
        if digest is not None:
            call.result(workspace.store.move(digest), layouts.moved)
        elif url is not None and reason is not None:
            call.result(workspace.store.plan_move(url, reason=reason), layouts.move_plan)
        else:
            call.answer(workspace.audit.look, as_of, workspace.store.waiting_move, layouts.move_plan)


@command(ledger, "backup", example="tradex ledger backup /backups/ledger-2014-03-01.gz")
@click.argument("file", type=click.Path(path_type=Path))
def backup(call: Call, file: Path) -> None:
    """Write the whole ledger into a new FILE, of whichever database, while others write.

    It is one state of the ledger, is read back and held against the ledger's root before it has its name, and can be
    put back into any kind of database. Copy the lake after it: then no file is missing that the backup names.
    """
    with call.open(reading=True, says_policy=False) as workspace:
        call.result(workspace.store.backup(file), layouts.backup)


@command(
    ledger,
    "restore",
    example='tradex ledger restore /backups/ledger-2014-03-01.gz --reason "disk lost, INC-4320" --as ana\n'
    "tradex ledger epoch --as maria\ntradex ledger epoch --approve 3f2a… --as maria",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--reason", required=True, help="What happened.")
@click.option(
    "--lost-head",
    type=click.IntRange(1),
    metavar="POSITION",
    help="The last position that is known to be lost; else the last one that the lake knows.",
)
def restore(call: Call, file: Path, reason: str, lost_head: int | None) -> None:
    """Put the ledger back from a backup into the empty database that the settings name; all of it, or nothing.

    It goes on in a new epoch, once somebody else has approved that: until then nothing else is written.
    """
    from tradex_ledger.workspace.store import restore as put_back

    done = put_back(call.workspace or ".", file, reason=reason, lost_head=lost_head, actor=call.actor)
    call.result(done, layouts.restored)
