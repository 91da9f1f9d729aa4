"""People of the stories have SSH keys of their own, made of their names, and sign with them what they approve."""

from __future__ import annotations

import hashlib
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.signing import APPROVE, NAMESPACE, SignedText
from tradex_ledger.sealing.ssh_key import SshKey, of_public
from tradex_ledger.sealing.sshsig import signed
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.approvals import Handed

REASON = "a key for the desk, INC-4301"


@cache
def private_of(name: str) -> Ed25519PrivateKey:
    """The private key of a person."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def key_of(name: str) -> SshKey:
    """The public key of a person."""
    return of_public(private_of(name).public_key())


def sign(said: SignedText, name: str) -> Handed:
    """A text with a person's signature."""
    return Handed(said.text, signed(said.text.encode(), private_of(name), namespace=NAMESPACE))


def put_on_record(workspace: Workspace) -> None:
    """The key of who acts, unless it is on record."""
    key = key_of(workspace.actor)
    if key.fingerprint not in workspace.backfills.approvals.keys().keys:
        workspace.policy.keys.add(workspace.actor, key.line, reason=REASON)


def approve(workspace: Workspace, run_id: str) -> Backfill:
    """Approve a backfill as who acts, with their signature."""
    put_on_record(workspace)
    said = workspace.backfills.text(run_id, APPROVE)
    return workspace.backfills.approve(run_id, signed=sign(said, workspace.actor))
