"""`tradex policy key`: whose SSH key signs approvals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, as_of_option, command, examples
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.keys import KeysDocument
    from tradex_ledger.domain.approver_keys import ApproverKey

COLUMNS = ("name", "fingerprint", "kind", "added_at", "added_by", "revoked_at", "revoked_by")


@group(
    "key",
    epilog=examples(
        'tradex policy key add maria ~/.ssh/id_ed25519.pub --reason "maria joined the desk, INC-4301"\n'
        "tradex policy key list"
    ),
)
def key() -> None:
    """The keys that sign approvals: on record, and judged by the ledger's time."""


@command(key, "add", example='tradex policy key add maria maria.pub --reason "maria joined the desk, INC-4301"')
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--reason", required=True, help="Why it counts from now on.")
def add(call: Call, name: str, file: Path, reason: str) -> None:
    """Put a public key on record as a person's: a .pub file, or a line of allowed signers.

    Where persons are named for may_set_keys (or for may_set_policy), one of them proposes and another approves; where
    anybody may, one person suffices.
    """
    with call.open(says_policy=False) as workspace:
        added, counts = workspace.policy.keys.add_file(name, file, reason=reason)
    said = f"{added.fingerprint} signs approvals of {added.name} from now on"
    waits = f"{added.fingerprint} of {added.name} is proposed ({added.digest[:12]}); it signs nothing yet"
    _done(call, added, said if counts else waits)
    if not counts:
        call.show.note(f"next, somebody else: tradex policy key approve {added.digest[:12]}")


@command(key, "approve", example="tradex policy key approve 3f2a8c01d9e7 --as ben")
@click.argument("digest", metavar="DIGEST")
def approve(call: Call, digest: str) -> None:
    """Let a proposed key count, named by 12 digits of its proposal's digest. Not by who proposed it."""
    with call.open(says_policy=False) as workspace:
        added = workspace.policy.keys.approve(digest)
    _done(call, added, f"{added.fingerprint} signs approvals of {added.name} from now on")


@command(key, "reject", example='tradex policy key reject 3f2a8c01d9e7 --reason "not the key that maria showed us"')
@click.argument("digest", metavar="DIGEST")
@click.option("--reason", required=True, help="Why not.")
def reject(call: Call, digest: str, reason: str) -> None:
    """Say no to a proposed key; who proposed it withdraws it so."""
    with call.open(says_policy=False) as workspace:
        refused = workspace.policy.keys.reject(digest, reason=reason)
    _done(call, refused, f"{refused.fingerprint} of {refused.name} is not put on record")


@command(key, "revoke", example='tradex policy key revoke maria --reason "her laptop was stolen, INC-4410"')
@click.argument("given", metavar="FINGERPRINT|NAME")
@click.option("--reason", required=True, help="Why it counts no more.")
def revoke(call: Call, given: str, reason: str) -> None:
    """Let a key sign nothing from now on; what it signed before stays valid. It cannot be put on record again.

    By who may add keys, without a second person, or by whose key it is.
    """
    with call.open(says_policy=False) as workspace:
        gone = workspace.policy.keys.revoke(given, reason=reason)
    _done(call, gone, f"{gone.fingerprint} of {gone.name} is revoked: it signs nothing from now on")


@command(key, "list", example="tradex policy key list\ntradex policy key list --allowed-signers > allowed_signers")
@click.option("--allowed-signers", is_flag=True, help="Print them as ssh-keygen -Y verify -f takes them.")
@as_of_option
def list_(call: Call, allowed_signers: bool, as_of: str | None) -> None:
    """All keys that were ever on record, oldest first, and what waits for a second person."""
    with call.open(reading=True) as workspace:
        look, keys = workspace.audit.look, workspace.policy.keys
        if allowed_signers:
            call.answer(look, as_of, lambda at: {"allowed_signers": keys.list(at).allowed}, _allowed)
        else:
            call.answer(look, as_of, keys.list, _keys)


def _allowed(show: Show, found: dict[str, str]) -> None:
    show.lines("".join(found.values()))


def _keys(show: Show, document: KeysDocument) -> None:
    if document.keys:
        show.rows(document.keys, COLUMNS)
    else:
        show.note("no key is on record; put one there: tradex policy key add NAME FILE --reason …")
    for waits in document.waits:
        show.line()
        show.line(f"proposed by {waits.by}, {waits.digest[:12]}: {waits.fingerprint} of {waits.name}: {waits.reason}")
        show.note(f"next, somebody else: tradex policy key approve {waits.digest[:12]}")


def _done(call: Call, one: ApproverKey, said: str) -> None:
    call.result(
        {"name": one.name, "fingerprint": one.fingerprint, "digest": one.digest}, lambda show, _: show.line(said)
    )
