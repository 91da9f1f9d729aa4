"""The decisions on a run's plan, by the events of its evidence: what was signed, by which keys, whether it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from tradex_ledger.domain.approver_keys import STREAM, ApproverKey, ApproverKeys
from tradex_ledger.domain.policy import ERASE, Policy
from tradex_ledger.domain.policy_text import policy_on_record
from tradex_ledger.ledger.entry import Entry, parse_time
from tradex_ledger.sealing.allowed import allowed_signers
from tradex_ledger.sealing.approvals import DECISIONS, Asked, check_approval, text_of

_ADDED, _REVOKED = "approver_keys.added", "approver_keys.revoked"


def signed_texts(entry: Entry) -> Iterator[tuple[str, str]]:
    """What was signed of a decision, and the signature, each with the ending of its file's name; of others nothing.

    Raises: `ApprovalTextError`, `InvalidSignatureError` for facts that no signature can be over.
    """
    if entry.topic in DECISIONS and isinstance(signature := entry.data.get("signature"), str):
        yield "txt", text_of(entry).text
        yield "sig", signature


def signers(entries: Sequence[Entry]) -> str:
    """Who could sign, and when, as `ssh-keygen -Y verify -f` takes it."""
    revoked = {str(e.data.get("fingerprint")): parse_time(e.at) for e in reversed(entries) if e.topic == _REVOKED}
    return allowed_signers(
        (key, parse_time(entry.at), revoked.get(key.fingerprint))
        for entry in entries
        if entry.topic == _ADDED and (key := _key(entry))
    )


def unsound(entries: Sequence[Entry]) -> Iterator[tuple[Entry, str]]:
    """The decisions that do not hold by what is on record before them, and why; of entries in their order.

    One under a policy whose text is not among them is not judged.
    """
    keys, policies = ApproverKeys.begun(STREAM, 1), dict[str, Policy]()
    asked: dict[str, Asked] = {}
    for entry in entries:
        match entry.topic, entry.data:
            case "approver_keys.added", _ if key := _key(entry):
                keys.keys[key.fingerprint] = key
            case "approver_keys.revoked", {"fingerprint": str(fingerprint)}:
                keys.revoked_at.setdefault(fingerprint, entry.at)
            case "policy.recorded" | "policy.set", {"digest": str(digest), "text": str(text)}:
                policies[digest] = policy_on_record(text, digest)
            case "backfill.requested", {"kind": str(kind)}:
                asked[entry.stream] = Asked(kind, entry.by)
            case "dataset.erasure_approved", {"planned_by": str(by)}:
                asked[entry.stream] = Asked(ERASE, by)
        if entry.topic in DECISIONS and (why := _why(entry, asked, keys, policies)):
            yield entry, why


def _why(entry: Entry, asked: Mapping[str, Asked], keys: ApproverKeys, policies: Mapping[str, Policy]) -> str:
    """Why a decision does not hold; "": it does, or cannot be judged."""
    if entry.stream not in asked:
        return "nothing was asked for before it"
    policy = policies.get(str(entry.data.get("policy_digest")))
    return "" if policy is None else check_approval(entry, asked[entry.stream], keys, policy).why


def _key(entry: Entry) -> ApproverKey | None:
    match entry.data:
        case {"name": str(name), "key": str(key), "fingerprint": str(fingerprint), **rest}:
            after, before = rest.get("valid_after"), rest.get("valid_before")
            return ApproverKey(name, key, fingerprint, str(rest.get("namespaces") or ""), _time(after), _time(before))
    return None


def _time(value: object) -> str | None:
    """A time with its zone, as it stands there; None for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.isoformat() if moment and moment.tzinfo else None
