"""The evidence of a run is the same bytes each time, it holds, and no byte of it can be another unseen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit import evidence, rfc9162
from tests.kit.evidence import RUN, SIGNER, WITNESS
from tradex_ledger.audit.bundle import StrangeNameError, Subject, files, sums
from tradex_ledger.audit.bundle_check import Checked, checked
from tradex_ledger.audit.evidence import gathered
from tradex_ledger.audit.prove import check
from tradex_ledger.ledger.entry import canonical, parse
from tradex_ledger.sealing.checkpoint import Checkpoint, sealed
from tradex_ledger.sealing.note import VerifierKey, signed_too
from tradex_ledger.sealing.proof import Proof, parsed

KEYS, WITNESSES = [SIGNER.verifier], [WITNESS.verifier]
SIGNS = shutil.which("ssh-keygen") is not None
OURS = {"VERIFY.md", "check.go", "check.cjs"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> evidence.Told:
    return evidence.tell(tmp_path_factory.mktemp("told"), signs=SIGNS)


@pytest.fixture(scope="module")
def whole(told: evidence.Told) -> dict[str, bytes]:
    return told.files()


def judged(found: dict[str, bytes], keys: list[VerifierKey] = KEYS) -> Checked:
    return checked(found, keys, WITNESSES)


def names(found: dict[str, bytes], folder: str) -> list[str]:
    return [name for name in found if name.startswith(f"{folder}/")]


def test_it_holds_what_is_on_record_of_the_run_and_what_that_stands_on(told: evidence.Told, whole: dict[str, bytes]):
    found = gathered(told.store, RUN)
    topics = [event.topic for event in found.events if event.stream != RUN]
    assert next(event.topic for event in found.events if event.stream == RUN) == "backfill.requested"
    assert topics[:3] == ["policy.recorded", "seal.key_announced", "dataset.logic_versioned"]
    assert topics[-1] == "dataset.published"
    assert "dataset.logic_versioned" not in topics[3:]  # not the version that the run did not use
    assert found.lacking == []
    assert not any(event.stream == "run-other" for event in found.events)
    assert whole["definitions/000000000000005-gold-v2.sql"].decode() == evidence.DEFINITION
    (policy,) = names(whole, "policies")
    assert whole[policy].decode() == evidence.POLICY
    assert whole["files.sha256"].decode().split("  ")[1] == f"{evidence.LAKE_FILE}\n"
    assert whole["keys/ledger.pub"].decode() == f"{SIGNER.verifier.text}\n"
    assert whole["checkpoint"].decode() == told.signed.note


def test_it_holds_by_the_ledgers_key_and_a_witness_and_by_no_other(whole: dict[str, bytes]):
    found = judged(whole)
    assert (found.run, found.proven, found.findings) == (RUN, len(names(whole, "entries")), [])
    other = VerifierKey(SIGNER.name, SIGNER.kind, WITNESS.verifier.public)
    assert [finding.file for finding in judged(whole, [other]).findings] == ["checkpoint"]


def test_the_same_ledger_and_checkpoint_give_the_same_bytes(told: evidence.Told, whole: dict[str, bytes]):
    assert told.files() == whole
    assert list(whole) == sorted(whole)


def test_every_text_is_the_bytes_that_its_event_says(whole: dict[str, bytes]):
    for name in names(whole, "entries"):
        assert canonical(parse(whole[name])._asdict()) == whole[name]
        assert parsed(whole[f"proofs/{Path(name).stem}.tlog-proof"].decode()).note == whole["checkpoint"].decode()


def changed(content: bytes, places: int) -> Iterator[bytes]:
    """The same with one byte other, at so many places, the last among them; and cut, and longer."""
    step = max(1, len(content) // places)
    for at in sorted({*range(0, len(content), step), len(content) - 1}):
        for bit in (1, 32):
            yield content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]
    yield content[:-1]
    yield content + b"\n"
    yield b""


@pytest.mark.norm("N2", "N40")
@pytest.mark.parametrize("places", [3, pytest.param(16, marks=pytest.mark.soak)])
def test_no_byte_of_any_file_can_be_another(whole: dict[str, bytes], places: int):
    """Even where who changed it has made the digests anew."""
    for name in whole.keys() - OURS - {"SHA256SUMS"}:
        for content in changed(whole[name], places):
            other = whole | {name: content}
            other["SHA256SUMS"] = sums(other)
            assert judged(other).findings, (name, content)


def test_damage_to_what_proves_nothing_is_found_by_the_digests(whole: dict[str, bytes]):
    for name in [*OURS, "SHA256SUMS"]:
        for content in (whole[name][:-1], whole[name].replace(b"e", b"f", 1)):
            assert [finding.file for finding in judged(whole | {name: content}).findings] == ["SHA256SUMS"]


def test_no_file_can_be_missing_or_come_from_elsewhere(whole: dict[str, bytes]):
    for name in whole:
        less = {other: content for other, content in whole.items() if other != name}
        assert judged(less).findings
        if name not in OURS and name not in ("SHA256SUMS", "checkpoint"):
            assert [f.file for f in judged(less | {"SHA256SUMS": sums(less)}).findings] != ["SHA256SUMS"]
    for name in ("entries/000000000000099.json", "proofs/000000000000099.tlog-proof", "definitions/x.sql", "note"):
        more = whole | {name: b"{}"}
        assert name in {f.file for f in judged(more | {"SHA256SUMS": sums(more)}).findings}


@given(st.data())
def test_no_two_files_can_stand_in_each_others_place(whole: dict[str, bytes], data: st.DataObject):
    mine = sorted(whole.keys() - OURS - {"SHA256SUMS"})
    one, other = data.draw(st.sampled_from(mine)), data.draw(st.sampled_from(mine))
    if whole[one] != whole[other]:
        swapped = whole | {one: whole[other], other: whole[one]}
        assert judged(swapped | {"SHA256SUMS": sums(swapped)}).findings


def test_an_event_of_the_run_cannot_be_left_out(told: evidence.Told, whole: dict[str, bytes]):
    """Not with its proof either: its events are numbered."""
    for name in names(whole, "entries"):
        entry = parse(whole[name])
        if entry.stream != RUN or entry.topic == "backfill.completed":
            continue  # what came last, only who has the ledger can know
        less = {n: c for n, c in whole.items() if Path(n).stem != Path(name).stem}
        assert judged(less | {"SHA256SUMS": sums(less)}).findings, entry.topic


def test_a_name_that_leads_elsewhere_or_talks_to_a_shell_is_no_name_of_a_file(told: evidence.Told):
    head = told.signed.checkpoint
    for name in ("../bf-1", "bf-$(id)", "bf-1/2", "bf 1", "", ".", "-rf", "bf-1\n"):
        with pytest.raises(StrangeNameError):
            Subject(name, evidence.LEDGER, head)
        with pytest.raises(StrangeNameError):
            Subject(RUN, name, head)
    fake = gathered(told.store, RUN).events[2]._replace(stream="dataset-../../x")
    entry = fake.entry.replace('"stream":"dataset-gold"', '"stream":"dataset-../../x"').encode()
    with pytest.raises(StrangeNameError):
        files(
            Subject(RUN, evidence.LEDGER, head),
            [entry],
            [parsed(told.files()["proofs/000000000000005.tlog-proof"].decode())],
        )


def test_a_decision_that_does_not_hold_is_found_though_the_ledger_itself_tells_of_it(
    told: evidence.Told, tmp_path: Path
):
    """Who has the ledger and its key can sign for any history; he has not the keys of who approves."""
    if not SIGNS:
        pytest.skip("no ssh-keygen: apt-get install openssh-client")
    at = {event.topic: event.position for event in gathered(told.store, RUN).events}
    approved, added = at["backfill.approved"], at["approver_keys.added"]
    for number, (position, old, new, why) in enumerate(
        [
            (approved, evidence.PLAN, "0" * 64, "signature"),
            (approved, '"by":"ben"', '"by":"eve"', "signature"),
            (approved, '"seen":8', '"seen":9', "signature"),
            (approved, '"expires":"2024-02-02', '"expires":"2024-03-02', "signature"),
            (approved, '"nonce":"0', '"nonce":"1', "signature"),
            (at["backfill.requested"], '"by":"ana"', '"by":"ben"', "ben"),
            (added, '"name":"ben"', '"name":"eve"', "ben"),
            (added, "2024-12-31", "2024-01-31", "2024-01-31"),
        ]
    ):
        (folder := tmp_path / str(number)).mkdir()
        (finding,) = judged(evidence.forged(told, folder, position, old, new).files()).findings
        assert finding.file == f"entries/{approved:015}.json"
        assert why in finding.problem


def test_in_a_later_line_of_the_ledger_its_key_has_that_lines_name_and_is_the_same(told: evidence.Told, tmp_path: Path):
    """Whoever was given the key before the ledger lost events needs no other."""
    later = evidence.Told(told.store, evidence.head_of(told.store, f"{SIGNER.name}/3"))
    folder = evidence.write(later.files(), tmp_path / "later")
    assert check(folder, [SIGNER.verifier.text], [WITNESS.verifier.text], None).findings == []
    odd = evidence.Told(told.store, evidence.head_of(told.store, f"{SIGNER.name}/x"))
    folder = evidence.write(odd.files(), tmp_path / "odd")
    assert [one.file for one in check(folder, [SIGNER.verifier.text], [], None).findings] == ["checkpoint"]
    folder = tmp_path / "later"
    for name in ("tradex-ledger", "tradex-ledger/0123456789abcde", "tradex-ledger/0123456789abcdef/4"):
        other = VerifierKey(name, SIGNER.kind, SIGNER.verifier.public)
        assert [one.file for one in check(folder, [other.text], [], None).findings] == ["checkpoint"]


def test_an_event_that_says_another_position_than_its_own_is_none(told: evidence.Told, whole: dict[str, bytes]):
    """Whoever signs a tree may have put anything into it."""
    entry = next(content for name, content in whole.items() if b'"topic":"backfill.requested"' in content)
    head = Checkpoint(SIGNER.name, 1, rfc9162.leaf_hash(entry))
    proof = Proof(0, (), signed_too(sealed(head, SIGNER), WITNESS, 1_700_000_000))
    found = files(Subject(RUN, evidence.LEDGER, head), [entry], [proof])
    assert ["position 9" in finding.problem for finding in judged(found).findings][:1] == [True]


@pytest.mark.skipif(not SIGNS, reason="no ssh-keygen: apt-get install openssh-client")
def test_a_key_counts_until_it_is_revoked(tmp_path: Path):
    for when in ("before", "after"):
        (folder := tmp_path / when).mkdir()
        problems = [one.problem for one in judged(evidence.tell(folder, revoked=when).files()).findings]
        assert len(problems) == (when == "before")
        assert all("was revoked" in problem for problem in problems)


def by_hand(entries: list[bytes]) -> dict[str, bytes]:
    """A folder of any entries, proven and signed, by who has the ledger's key and no care for what he signs."""
    leaves = [rfc9162.leaf_hash(entry) for entry in entries]
    head = Checkpoint(SIGNER.name, len(leaves), rfc9162.mth(leaves))
    note = signed_too(sealed(head, SIGNER), WITNESS, 1_700_000_000)
    found = {"checkpoint": note.encode()}
    for index, entry in enumerate(entries):
        found[f"entries/{index + 1:015}.json"] = entry
        proof = Proof(index, tuple(rfc9162.path(index, leaves)), note)
        found[f"proofs/{index + 1:015}.tlog-proof"] = proof.text.encode()
    return found


TOPICS = st.sampled_from(
    [
        *("approver_keys.added", "approver_keys.revoked", "backfill.approved", "backfill.rejected", "policy.recorded"),
        *("dataset.logic_versioned", "run.partition_rebuilt", "seal.key_announced", "anything"),
    ]
)
NAMES = ["name", "key", "fingerprint", "namespaces", "valid_after", "valid_before", "digest", "text", "signature"]
NAMES += ["definition", "logic_version", "files", "seen", "checkpoint", "nonce", "plan_digest", "policy_digest", "kind"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.sampled_from(["2024-01-01", "x" * 64]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["sha256", "path"]), inner),
    max_leaves=4,
)
FACTS = st.dictionaries(st.sampled_from(NAMES), VALUES)


@given(st.lists(st.tuples(TOPICS, FACTS), max_size=3))
def test_whatever_was_signed_is_judged_and_no_fault_of_the_program(said: list[tuple[str, object]]):
    told: list[tuple[str, object]] = [("backfill.requested", {"kind": "forced"}), *said]
    entries = [
        canonical(
            {"at": "2024-02-01T00:00:00.000000Z", "by": "ana", "data": data, "ledger": evidence.LEDGER}
            | {"position": n, "stream": RUN, "topic": topic, "v": 1, "version": n}
        )
        for n, (topic, data) in enumerate(told, 1)
    ]
    assert judged(by_hand(entries)).findings


@pytest.mark.parametrize("entry", [b"", b"[]", b"{}", b"\xff", b'{"data":1}', b"[" * 200_000, b'{"position":1}\n'])
def test_what_was_signed_and_is_no_event_is_told(entry: bytes):
    assert judged(by_hand([entry])).findings[0].file == "entries/000000000000001.json"


def test_what_lies_in_a_folder_and_is_no_plain_file_holds_nobody_up(whole: dict[str, bytes], tmp_path: Path):
    folder = evidence.write(whole, tmp_path / "evidence")
    os.mkfifo(folder / "pipe")
    (folder / "zeros").symlink_to("/dev/zero")
    (folder / "up").symlink_to(tmp_path)
    (folder / os.fsdecode(b"odd-\xff")).write_bytes(b"")
    found = {one.file for one in check(folder, [KEYS[0].text], [], None).findings}
    assert found == {"pipe", "zeros", "up", "odd-\\udcff", "SHA256SUMS"}
    (folder / "checkpoint").rename(folder / "note")
    (folder / "checkpoint").symlink_to("note")
    assert [one.file for one in check(folder, [KEYS[0].text], [], None).findings] == ["checkpoint"]
