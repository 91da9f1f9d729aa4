"""A small ledger of one approved backfill, its signed checkpoint, and the evidence of it, made without the program.

Its approval is signed by `ssh-keygen`, so who checks it checks what others have made.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from eventsourcing.persistence import StoredEvent

from tests.kit import rfc9162
from tradex_ledger.audit import bundle
from tradex_ledger.audit.evidence import gathered
from tradex_ledger.domain.facts import Facts
from tradex_ledger.ledger.ask import events_of
from tradex_ledger.ledger.entry import canonical, parse
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.select import Store, open_store
from tradex_ledger.ledger.store import create_store, open_engine
from tradex_ledger.sealing.checkpoint import Checkpoint, SignedCheckpoint, opened_checkpoint, sealed
from tradex_ledger.sealing.note import COSIGNATURE, ED25519, SignerKey, signed_too
from tradex_ledger.sealing.proving import proofs

LEDGER = "0123456789abcdef"
ORIGIN = f"tradex-ledger/{LEDGER}"
RUN = "bf-1hngzexe030ne"
SIGNER = SignerKey(ORIGIN, ED25519, bytes(range(32)))
WITNESS = SignerKey("witness.example/w1", COSIGNATURE, bytes(range(1, 33)))
POLICY = 'needs_approval = ["forced"]\n# Größe, "quoted" \\ and a tab\t\n'
DEFINITION = "-- one row a day — «ß»\nselect date, count(*) as n\nfrom silver group by all\n"
LAKE_FILE = "gold/date=2024-01-02/bf-1hngzexe030ne-1.parquet"
LAKE_BYTES = b"what the run wrote"
PLAN = "72442b7ca93172422f6ea733a3d04a32b30ce2336f385aa11bb6694ec1ddd58b"
NAMESPACE = "approval@tradex-ledger"


@dataclass(frozen=True, slots=True)
class Told:
    """A ledger that was told, and its signed and witnessed checkpoint."""

    store: Store
    signed: SignedCheckpoint

    def files(self) -> dict[str, bytes]:
        """The evidence of its run."""
        found = gathered(self.store, RUN)
        proven = proofs(self.store, self.signed, found.events)
        subject = bundle.Subject(RUN, LEDGER, self.signed.checkpoint, tuple(found.lacking))
        return bundle.files(subject, [event.entry.encode() for event in found.events], proven)


def tell(folder: Path, *, signs: bool = True, revoked: str = "") -> Told:
    """Make the ledger in a folder; `signs`: its approval is signed, which takes `ssh-keygen`.

    `revoked`: so was the approver's key, `before` the request or `after` its end.
    """
    said = [
        (stream, topic, canonical({"by": by, "data": data, "v": v}))
        for stream, topic, v, by, data in _story(folder, signs=signs, revoked=revoked)
    ]
    return _made(folder, said)


def forged(told: Told, folder: Path, position: int, old: str, new: str) -> Told:
    """The same in a folder, told otherwise at a position by who has its key: signed and proven like any other."""
    said = []
    for event in events_of(told.store, []):
        entry = parse(event.entry)
        body = canonical({"by": entry.by, "data": entry.data, "v": entry.v})
        if event.position == position:
            assert old.encode() in body, (position, old)
            body = body.replace(old.encode(), new.encode())
        said.append((event.stream, event.topic, body))
    return _made(folder, said)


def _made(folder: Path, said: list[tuple[str, str, bytes]]) -> Told:
    """A ledger of streams, topics and bodies."""
    engine = open_engine(f"sqlite:///{folder / 'ledger.db'}", create=True)
    clock = _clock()
    create_store(engine, ledger_id=LEDGER, created_at=next(clock))
    recorder = Recorder(engine, lambda: next(clock))
    versions: dict[str, int] = {}
    for stream, topic, body in said:
        versions[stream] = versions.get(stream, 0) + 1
        recorder.insert_events([StoredEvent(stream, versions[stream], topic, body)])
    engine.dispose()
    store = open_store(f"sqlite:///{folder / 'ledger.db'}", folder)
    return Told(store, head_of(store))


def head_of(store: Store, origin: str = ORIGIN) -> SignedCheckpoint:
    """The signed and witnessed checkpoint of all that a store has, its root made by the words of the RFC."""
    leaves = [rfc9162.leaf_hash(event.entry.encode()) for event in events_of(store, [])]
    signer = replace(SIGNER, name=origin)
    note = sealed(Checkpoint(origin, len(leaves), rfc9162.mth(leaves)), signer)
    note = signed_too(note, WITNESS, 1_700_000_000)
    return opened_checkpoint(note, [signer.verifier], [WITNESS.verifier])


def write(files: dict[str, bytes], folder: Path) -> Path:
    """Files laid in a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def _clock() -> Iterator[datetime]:
    now = datetime(2024, 2, 1, tzinfo=UTC)
    while True:
        now += timedelta(seconds=1)
        yield now


def _story(folder: Path, *, signs: bool, revoked: str) -> Iterator[tuple[str, str, int, str, Facts]]:
    policy = sha256(POLICY.encode()).hexdigest()
    file = {"bytes": len(LAKE_BYTES), "path": LAKE_FILE, "rows": 1, "sha256": sha256(LAKE_BYTES).hexdigest()}
    yield "policy", "policy.recorded", 1, "ana", {"digest": policy, "last_plan": None, "origin": "init", "text": POLICY}
    key: Facts = {"name": ORIGIN, "key": SIGNER.verifier.text, "replaces": [], "reason": None}
    yield "seal-110dba57", "seal.key_announced", 1, "ana", key
    yield "dataset-gold", "dataset.registered", 1, "ana", {"name": "gold"}
    for version in (1, 2):
        yield "dataset-gold", "dataset.logic_versioned", 2, "ana", {"definition": DEFINITION, "logic_version": version}
    if signs:
        yield "approver_keys", "approver_keys.opened", 1, "ana", {}
        yield "approver_keys", "approver_keys.added", 1, "ana", _ssh_key(folder)
    yield "run-other", "incremental_run.started", 1, "ana", {"cursor_from": None}
    if revoked == "before":
        yield _revoked(folder)
    yield RUN, "backfill.requested", 1, "ana", {"dataset": "gold", "reason": "X API outage", "kind": "forced"}
    planned = {"digest": PLAN, "policy_digest": policy, "definitions": {"gold": {"logic_version": 2}}, "windows": []}
    yield RUN, "backfill.planned", 1, "ana", planned
    yield RUN, "backfill.approved", 3, "ben", _approval(folder, policy, signs=signs)
    rebuilt = {"dataset": "gold", "files": [file], "logic_version": 2, "partition": "2024-01-02"}
    yield RUN, "run.partition_rebuilt", 2, "ben", rebuilt
    yield RUN, "run.published", 1, "ben", {"datasets": [{"dataset": "gold", "logic_version": 2}]}
    yield RUN, "backfill.completed", 1, "ben", {"totals": {"rows": 1}}
    yield "dataset-gold", "dataset.published", 1, "ben", {"logic_version": 2, "partitions": 1, "rows": 1, "run": RUN}
    yield "run-other", "incremental_run.succeeded", 1, "ana", {"totals": {}}
    if revoked == "after":
        yield _revoked(folder)


def _revoked(folder: Path) -> tuple[str, str, int, str, Facts]:
    facts = {"name": "ben", "fingerprint": _fingerprint(folder), "reason": "his laptop was stolen, INC-4302"}
    return "approver_keys", "approver_keys.revoked", 1, "ana", facts


def _ssh_key(folder: Path) -> Facts:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", folder / "ben"], check=True, capture_output=True
    )
    return {
        "name": "ben",
        "key": (folder / "ben.pub").read_text(encoding="utf-8").strip(),
        "fingerprint": _fingerprint(folder),
        "namespaces": NAMESPACE,
        "valid_after": "2024-01-15T00:00:00Z",
        "valid_before": "2024-12-31T00:00:00Z",
        "reason": "who approves forced backfills, INC-4301",
        "proposed_by": None,
    }


def _fingerprint(folder: Path) -> str:
    listed = subprocess.run(["ssh-keygen", "-lf", str(folder / "ben.pub")], check=True, capture_output=True, text=True)
    return listed.stdout.split()[1]


def _approval(folder: Path, policy: str, *, signs: bool) -> Facts:
    facts: Facts = {"plan_digest": PLAN, "policy_digest": policy, "rule": None, "judged": None}
    facts |= dict.fromkeys(("seen", "checkpoint", "signature", "key", "nonce", "expires"))
    if not signs:
        return facts
    known = f"{ORIGIN}\n5\n{'A' * 43}=\n"
    facts |= {"seen": 8, "checkpoint": known, "nonce": "0" * 32, "expires": "2024-02-02T00:00:00.000000Z"}
    text = (
        f"tradex-ledger approval v1\nledger: {LEDGER}\nrequest: {RUN}\nplan: {PLAN}\npolicy: {policy}\n"
        f"decision: approve\napprover: ben\nposition: 8\ncheckpoint: {' '.join(known.split())}\n"
        f"nonce: {facts['nonce']}\nexpires: {facts['expires']}\n"
    )
    sign = ["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(folder / "ben")]
    made = subprocess.run(sign, input=text.encode(), check=True, capture_output=True)
    return facts | {"signature": made.stdout.decode(), "key": _fingerprint(folder)}
