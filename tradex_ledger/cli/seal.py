"""`tradex ledger checkpoint`, `key` and `witness`: signed heads of the ledger."""

from __future__ import annotations

from pathlib import Path

import click

from tradex_ledger.cli.common import Call, command
from tradex_ledger.cli.layouts import seal as layouts

_top = click.Group()
_FILE = click.Path(path_type=Path)


@command(
    _top,
    "checkpoint",
    example="tradex ledger checkpoint\n"
    "tradex ledger checkpoint --for-witness ask.txt --from 1204\n"
    "tradex ledger checkpoint --cosigned cosigned.txt",
)
@click.option("--for-witness", "ask", type=_FILE, metavar="FILE", help="Write what a witness is asked into a new FILE.")
@click.option(
    "--from",
    "known",
    type=click.IntRange(0),
    metavar="SIZE",
    help="How many events the witness knows already; 0 unless given.",
)
@click.option("--cosigned", type=_FILE, metavar="FILE", help="Keep a head that a witness has cosigned.")
def checkpoint(call: Call, ask: Path | None, known: int | None, cosigned: Path | None) -> None:
    """Sign the head of the ledger, and lay it in every place that [checkpoints] sinks names.

    That is done by itself after approvals, publications, and every so many events. What was signed before must be the
    beginning of it, here and in each place; else both heads are named, and nothing is signed (exit 7).
    """
    if (ask is not None and cosigned is not None) or (known is not None and ask is None):
        raise click.UsageError("Give --for-witness FILE (and --from SIZE), --cosigned FILE, or neither.")
    with call.open() as workspace:
        if ask is not None:
            call.result(workspace.seals.ask_witness(ask, known or 0), layouts.asked)
        elif cosigned is not None:
            call.result(workspace.seals.take_in(cosigned), layouts.cosigned)
        else:
            call.result(workspace.seals.cut(), layouts.cut)


@command(
    _top,
    "key",
    example='tradex ledger key\ntradex ledger key --new --reason "host replaced, INC-4711"',
)
@click.option("--new", is_flag=True, help="Sign with another key from here on, in the place of this workspace's.")
@click.option("--replaces", multiple=True, metavar="VKEY", help="… and of this one; may be given several times.")
@click.option("--reason", help="Why; with --new.")
def key(call: Call, new: bool, replaces: tuple[str, ...], reason: str | None) -> None:
    """The keys that sign heads of the ledger, as whoever verifies them is given them."""
    if new != (reason is not None) or (replaces and not new):
        raise click.UsageError("Give --new with --reason WHY (and --replaces VKEY), or neither.")
    with call.open(reading=not new) as workspace:
        if reason is not None:
            call.result(workspace.seals.new_key(reason=reason, replaces=replaces), layouts.keys)
        else:
            call.result(workspace.seals.keys(), layouts.keys)


@command(
    _top,
    "witness",
    example="tradex ledger witness DIR --new example.org/eve\n"
    "tradex ledger witness DIR ask.txt --log VKEY --out cosigned.txt\n"
    "tradex ledger witness DIR",
)
@click.argument("folder", metavar="DIR", type=_FILE)
@click.argument("request", metavar="[FILE]", type=_FILE, required=False)
@click.option("--new", metavar="NAME", help="Make a witness of that name in DIR, as example.org/eve.")
@click.option("--log", metavar="VKEY", help="Know a ledger by this key (tradex ledger key), from here on.")
@click.option("--out", type=_FILE, metavar="FILE", help="Write the cosigned head into FILE.")
def witness(call: Call, folder: Path, request: Path | None, new: str | None, log: str | None, out: Path | None) -> None:
    """Cosign heads of ledgers that somebody else keeps: a folder that remembers the newest of each.

    It needs neither the ledger nor a network: FILE comes from `tradex ledger checkpoint --for-witness`. A head of fewer
    events, another one of as many, or one without a proof is refused: DIR is worth as much as what it remembers.
    """
    from tradex_ledger.workspace.witness import witness as work

    if out is not None and request is None:
        raise click.UsageError("Give FILE, the request, with --out.")
    call.result(work(folder, request, new=new, log=log, out=out), layouts.witness)
