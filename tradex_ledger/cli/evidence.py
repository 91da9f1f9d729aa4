"""`tradex audit prove`, `export`, `check` and `tradex ledger tiles`: for who trusts neither ledger nor program."""

from __future__ import annotations

from pathlib import Path

import click

from tradex_ledger.cli.common import Call, as_of_option, command, no_verify_option
from tradex_ledger.cli.layouts import evidence as layouts

_audit, _ledger = click.Group(), click.Group()
_PATH = click.Path(path_type=Path)


@command(
    _audit,
    "prove",
    example="tradex audit prove 341 -o 341.tlog-proof\ntradex audit prove 341\ntradex audit log --json --limit 1",
)
@click.argument("position", type=click.IntRange(1))
@click.option("-o", "--out", type=_PATH, metavar="FILE", help="Write it into a new FILE; else it is printed.")
def prove(call: Call, position: int, out: Path | None) -> None:
    """Prove that the event at POSITION is in the ledger, by the newest signed checkpoint.

    The proof (c2sp.org/tlog-proof) holds for the event's entry, byte for byte, for whoever has the ledger's key. Where
    nothing is signed that far, sign first: tradex ledger checkpoint.
    """
    call.result(call.look().prove(position, out), layouts.proof)


@command(
    _audit,
    "export",
    example="tradex audit export bf-1m83 -o evidence-bf-1m83\n"
    'tradex audit check evidence-bf-1m83 --key "$(cat ledger.pub)"',
)
@click.argument("run", metavar="RUN")
@click.option("-o", "--out", type=_PATH, metavar="DIR", required=True, help="A new folder; all of it, or none.")
def export(call: Call, run: str, out: Path) -> None:
    """Lay all that is on record of a run in a new folder, with proofs, and how to check them without this program.

    Its events, byte for byte, a proof each, the checkpoint, signed approvals, keys, the texts of definitions and
    policies, digests of its files in the lake, and VERIFY.md, which says each step by tools of others.
    """
    call.result(call.look().export(run, out), layouts.evidence)


@command(
    _audit,
    "report",
    example="tradex audit report bf-1m83 -o bf-1m83.html\ntradex audit report bf-1m83 -o then.html --as-of 341",
)
@click.argument("run", metavar="RUN")
@click.option("-o", "--out", type=_PATH, metavar="FILE", required=True, help="A new file.")
@click.option("--no-rows", is_flag=True, help="Leave out which rows changed: then no file of the lake is read.")
@as_of_option
@no_verify_option
def report(call: Call, run: str, out: Path, no_rows: bool, no_verify: bool, as_of: str | None) -> None:
    """Tell all that is on record of a run in one HTML file: for who has no program, no network, and ten years' time.

    Request, plan, decisions, what it built and which rows that changed, its events, definitions, proofs, and how to
    check them with tools of others; the evidence is inside. As of a position it is the same bytes whenever it is made.
    """
    with call.open(reading=True) as workspace:
        found = workspace.audit.report(run, out, as_of=as_of, rows=not no_rows, trusting=no_verify)
    call.result(found, layouts.report)


@command(
    _audit,
    "check",
    example='tradex audit check evidence-bf-1m83 --key "$(cat ledger.pub)"\n'
    'tradex audit check 341.tlog-proof --entry 341.json --key "$(cat ledger.pub)"',
)
@click.argument("path", metavar="DIR|FILE", type=_PATH)
@click.option(
    "--key",
    "keys",
    multiple=True,
    required=True,
    metavar="VKEY",
    help="The ledger's verifier key, as you were given it elsewhere (tradex ledger key).",
)
@click.option(
    "--witness", "witnesses", multiple=True, metavar="VKEY", help="The key of a witness that must have signed."
)
@click.option("--entry", type=_PATH, metavar="FILE", help="The entry that a proof is of, byte for byte.")
def check(call: Call, path: Path, keys: tuple[str, ...], witnesses: tuple[str, ...], entry: Path | None) -> int:
    """Check a folder of evidence, or a proof with its entry: offline, without a workspace. Exit 1: it does not hold.

    It says nothing of who signed, but that it was who has the key that you give: take that from a place you trust.
    """
    from tradex_ledger.audit.prove import check as checked

    if entry is None and path.is_file():
        raise click.UsageError("A proof holds for an entry: give --entry FILE.")
    found = checked(path, keys, witnesses, entry)
    call.result(found, layouts.check)
    return 1 if found.findings else 0


@command(_ledger, "tiles", example="tradex ledger tiles /srv/tradex-log")
@click.argument("folder", metavar="DIR", type=_PATH)
def tiles(call: Call, folder: Path) -> None:
    """Lay the ledger in DIR as a tiled log (c2sp.org/tlog-tiles), as of the newest checkpoint: only what it lacks.

    Any server of files can serve DIR; whoever follows logs of that layout can follow this one.
    """
    call.result(call.look().tiles(folder), layouts.tiles)
