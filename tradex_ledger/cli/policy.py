"""`tradex policy`: what everything is judged by."""

from __future__ import annotations

import json
from typing import Any

import click

from tradex_ledger.cli.common import Call, as_of_option, command, examples


@click.group(
    "policy",
    epilog=examples('tradex policy show\ntradex policy set --reason "the desk approves small ones itself, INC-4301"'),
)
def policy() -> None:
    """Who may do what, what is approved by rule, how large and when: on record, and judged by from there.

    [policy] in tradex.toml is a proposal; it has no effect until it is recorded.
    """


@command(policy, "show", example="tradex policy show\ntradex policy show --as-of 120")
@as_of_option
def show_(call: Call, as_of: str | None) -> None:
    """The policy on record, since when, by whom; what waits for a second person; what tradex.toml says otherwise."""
    from tradex_ledger.workspace.policy import differences

    with call.open(reading=True) as workspace:
        found = workspace.policy_as_of(as_of)
        proposed = {} if as_of or not found["digest"] else differences(workspace.policy, workspace.config.policy)
    if call.as_json:
        call.show.document(found | {"proposed_by_settings": proposed})
        return
    call.show.facts({name: found[name] for name in ("digest", "position", "at", "by", "proposed_by", "reason")})
    if found["text"]:
        call.show.line()
        for line in found["text"].splitlines():
            call.show.line(line)
    if found["digest"] is None:
        call.show.note("no policy is on record; take over that of tradex.toml: tradex policy adopt")
    waits = found["waits"]
    if waits:
        call.show.line()
        call.show.line(f"proposed by {waits['by']}, {waits['digest']}: {waits['reason']}")
        _show_differences(call, waits["differences"])
        if waits["expires"]:
            call.show.line(f"it expires at {waits['expires']}, unless somebody answers it")
        _say_next(call, waits["digest"])
    if refused := found["refused"]:
        who = "nobody answered it" if refused["how"] == "expired" else f"by {refused['by']}: {refused['reason']}"
        call.show.line()
        call.show.line(f"proposed by {refused['proposed_by']}, {refused['digest']}: {refused['how']}, {who}")


def _say_next(call: Call, digest: str) -> None:
    call.show.note(
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
    from tradex_ledger.workspace.policy import differences

    with call.open(reading=dry_run, says_policy=False) as workspace:
        changes = differences(workspace.policy, workspace.config.policy)
        before, waits = workspace.policy_record().digest, None
        if not dry_run and reason is not None:
            record = workspace.set_policy(reason=reason)
            waits = record.proposal
        now = workspace.policy_record().digest
    if call.as_json:
        waiting = waits and waits.digest
        call.show.document({"before": before, "digest": now, "waits": waiting, "differences": changes})
        return
    _show_differences(call, changes)
    if waits:
        call.show.line(f"policy {waits.digest[:12]} is proposed; judged by is {now[:12]}, as before")
        _say_next(call, waits.digest)
    elif dry_run:
        call.show.note("nothing was recorded" if changes else "that is what is on record")
    else:
        call.show.line(f"policy {now[:12]} is on record, in place of {before[:12]}")


@command(policy, "approve", example="tradex policy approve 3f2a8c01d9e7 --as maria")
@click.argument("digest", metavar="DIGEST")
def approve(call: Call, digest: str) -> None:
    """Let a proposed policy apply, named by 12 digits of its digest or more. Not by who proposed it."""
    with call.open(says_policy=False) as workspace:
        record = workspace.approve_policy(digest)
    if call.as_json:
        call.show.document({"digest": record.digest})
        return
    call.show.line(f"policy {record.digest[:12]} is on record")


@command(policy, "reject", example='tradex policy reject 3f2a8c01d9e7 --reason "the desk stays as it is, INC-4301"')
@click.argument("digest", metavar="DIGEST")
@click.option("--reason", required=True, help="Why not.")
def reject(call: Call, digest: str, reason: str) -> None:
    """Say no to a proposed policy, named as for its approval; who proposed it withdraws it so. It stays on record."""
    with call.open(says_policy=False) as workspace:
        record = workspace.reject_policy(digest, reason=reason)
    if call.as_json:
        call.show.document({"digest": record.digest})
        return
    call.show.line(f"the proposal is closed; judged by is {record.digest[:12]}, as before")


@command(policy, "adopt", example="tradex policy adopt")
def adopt(call: Call) -> None:
    """Record [policy] of tradex.toml as the first policy of a ledger of before.

    Refused unless it is the one that the last plan was made under, or there is no plan.
    """
    from tradex_ledger.lake.identity_errors import LostHeadError

    # Of an older copy, too: a new epoch is judged by the policy on record.
    with call.open(says_policy=False, tolerates=(LostHeadError,)) as workspace:
        record = workspace.adopt_policy()
    if call.as_json:
        call.show.document({"digest": record.digest})
        return
    call.show.line(f"policy {record.digest[:12]} is on record; from now on it is changed by: tradex policy set")


def _show_differences(call: Call, differences: dict[str, Any]) -> None:
    rows = [
        {"setting": name, **{side: json.dumps(value, ensure_ascii=False) for side, value in d.items()}}
        for name, d in differences.items()
    ]
    if rows:
        call.show.table(rows, ("setting", "before", "after"))
