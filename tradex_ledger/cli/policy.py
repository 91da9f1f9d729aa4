"""`tradex policy`: what everything is judged by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, as_of_option, command, examples
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.ledger import LOST_HEAD
from tradex_ledger.cli.policy_key import key
from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.policy import Difference, PolicyChange, PolicyDocument


@group(
    "policy",
    epilog=examples('tradex policy show\ntradex policy set --reason "the desk approves small ones itself, INC-4301"'),
)
def policy() -> None:
    """Who may do what, what is approved by rule, how large and when: on record, and judged by from there.

    [policy] in tradex.toml is a proposal; it has no effect until it is recorded.
    """


policy.add_command(key)


@command(policy, "show", example="tradex policy show\ntradex policy show --as-of 120")
@as_of_option
def show_(call: Call, as_of: str | None) -> None:
    """The policy on record, since when, by whom; what waits for a second person; what tradex.toml says otherwise."""
    with call.open(reading=True) as workspace:
        call.answer(workspace.audit.look, as_of, workspace.policy.as_of, _policy)


def _policy(show: Show, document: PolicyDocument) -> None:
    names = ("digest", "position", "at", "by", "proposed_by", "reason")
    show.facts({name: getattr(document, name) for name in names})
    if document.text:
        show.line()
        show.lines(document.text)
    if document.digest is None:
        show.note("no policy is on record; take over that of tradex.toml: tradex policy adopt")
    if waits := document.waits:
        show.line()
        show.line(f"proposed by {waits.by}, {waits.digest}: {waits.reason}")
        _differences(show, waits.differences)
        if waits.expires:
            show.line(f"it expires at {waits.expires}, unless somebody answers it")
        _say_next(show, waits.digest)
    if refused := document.refused:
        who = "nobody answered it" if refused.how == "expired" else f"by {refused.by}: {refused.reason}"
        show.line()
        show.line(f"proposed by {refused.proposed_by}, {refused.digest}: {refused.how}, {who}")


def _say_next(show: Show, digest: str) -> None:
    show.note(
        f"next, somebody else: tradex policy approve {digest[:12]}, or tradex policy reject {digest[:12]} --reason …"
    )


@command(
    policy,
    "set",
    example='tradex policy set --dry-run\ntradex policy set --reason "the desk approves small ones itself, INC-4301"',
)
@click.option("--reason", help="Why it changes.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def set_(call: Call, reason: str | None, dry_run: bool) -> None:
    """Record [policy] of tradex.toml: everything is judged by it from then on.

    Where persons are named for may_set_policy, one of them proposes and another approves; where anybody may, one
    person suffices.
    """
    if reason is None and not dry_run:
        raise click.UsageError("Give --reason, or --dry-run to see what would change.")
    with call.open(reading=dry_run, says_policy=False) as workspace:
        change = workspace.policy.change()
        if not dry_run and reason is not None:
            record = workspace.policy.set(reason=reason)
            change = replace(change, digest=record.digest, waits=record.proposal.digest if record.proposal else None)
    call.result(change, lambda show, document: _change(show, document, dry_run))


def _change(show: Show, document: PolicyChange, dry_run: bool) -> None:
    _differences(show, document.differences)
    if document.waits:
        show.line(f"policy {document.waits[:12]} is proposed; judged by is {document.digest[:12]}, as before")
        _say_next(show, document.waits)
    elif dry_run:
        show.note("nothing was recorded" if document.differences else "that is what is on record")
    else:
        show.line(f"policy {document.digest[:12]} is on record, in place of {document.before[:12]}")


@command(policy, "approve", example="tradex policy approve 3f2a8c01d9e7 --as maria")
@click.argument("digest", metavar="DIGEST")
def approve(call: Call, digest: str) -> None:
    """Let a proposed policy apply, named by 12 digits of its digest or more. Not by who proposed it."""
    with call.open(says_policy=False) as workspace:
        record = workspace.policy.approve(digest)
    _done(call, record.digest, f"policy {record.digest[:12]} is on record")


@command(policy, "reject", example='tradex policy reject 3f2a8c01d9e7 --reason "the desk stays as it is, INC-4301"')
@click.argument("digest", metavar="DIGEST")
@click.option("--reason", required=True, help="Why not.")
def reject(call: Call, digest: str, reason: str) -> None:
    """Say no to a proposed policy, named as for its approval; who proposed it withdraws it so. It stays on record."""
    with call.open(says_policy=False) as workspace:
        record = workspace.policy.reject(digest, reason=reason)
    _done(call, record.digest, f"the proposal is closed; judged by is {record.digest[:12]}, as before")


@command(policy, "adopt", example="tradex policy adopt")
def adopt(call: Call) -> None:
    """Record [policy] of tradex.toml as the first policy of a ledger of before.

    Refused unless it is the one that the last plan was made under, or there is no plan.
    """
    # Of an older copy, too: a new epoch is judged by the policy on record.
    with call.open(says_policy=False, tolerates=LOST_HEAD) as workspace:
        record = workspace.policy.adopt()
    _done(
        call,
        record.digest,
        f"policy {record.digest[:12]} is on record; from now on it is changed by: tradex policy set",
    )


def _done(call: Call, digest: str, said: str) -> None:
    call.result({"digest": digest}, lambda show, _: show.line(said))


def _differences(show: Show, differences: Mapping[str, Difference]) -> None:
    rows = [
        {"setting": name, "before": _json(one.before), "after": _json(one.after)} for name, one in differences.items()
    ]
    if rows:
        show.table(rows, ("setting", "before", "after"))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
