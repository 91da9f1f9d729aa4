"""A forced backfill is approved with the approver's own SSH key, by every way in, and what was signed is on record."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests import worlds
from tests.kit import signing, small
from tests.kit.check import check_everything, read_record
from tests.kit.lake import projection
from tests.kit.signing import key_of, private_of, sign
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE
from tradex_ledger.domain.approver_keys import STREAM, ApproverKeys
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.backfill_errors import ApprovalOutdatedError, UnsignedApprovalError
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.policy_text import policy_on_record
from tradex_ledger.domain.signed import decision_facts
from tradex_ledger.domain.signing import APPROVE, NAMESPACE, REJECT, Signature
from tradex_ledger.domain.signing_errors import (
    KeyNotValidError,
    SignatureExpiredError,
    SignatureUsedError,
    SignedOtherwiseError,
    UnknownKeyError,
)
from tradex_ledger.errors import TradexError
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.ledger.entry import Entry, parse
from tradex_ledger.ledger.event import event_of
from tradex_ledger.sealing.approvals import Asked, check_approval, text_of
from tradex_ledger.sealing.on_record import ForgedApprovalError
from tradex_ledger.sealing.sshsig import InvalidSignatureError
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.approvals import Handed

Tradex = Callable[..., tuple[int, str, str]]
WHY = ("--reason", "asked for by the desk, INC-4211")


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A workspace with a forced backfill that waits, and keys of maria and ben on record."""
    folder = worlds.copied(tmp_path_factory.mktemp("signed"), thin=True)
    with Workspace.open(folder, actor="ana") as ana:
        run_id = small.request(ana, **small.FORCED, override_state=False)
        for name in ("maria", "ben"):
            ana.policy.keys.add(name, key_of(name).line, reason=signing.REASON)
    return folder, run_id


@pytest.fixture
def folder(week: tuple[Path, str], tmp_path: Path) -> Path:
    return Path(shutil.copytree(week[0], tmp_path / "ws"))


@pytest.fixture
def run_id(week: tuple[Path, str]) -> str:
    return week[1]


@pytest.fixture
def tradex(folder: Path, capsys: pytest.CaptureFixture[str]) -> Tradex:
    def call(*arguments: str, by: str = "maria") -> tuple[int, str, str]:
        status = run(["-C", str(folder), "--as", by, *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def key_file(folder: Path, name: str) -> Path:
    """The private key of a person as ssh-keygen keeps it."""
    path = folder / f"{name}-key"
    path.write_bytes(private_of(name).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return path


def verdicts(workspace: Workspace) -> dict[str, str]:
    """What is to be said of each decision, by the record alone: as whoever verifies a ledger reads it."""
    found: dict[str, str] = {}
    keys, policy, used = ApproverKeys.begun(STREAM, 0), Policy(), set[str]()
    asked: dict[str, Asked] = {}
    for row in read_record(workspace).rows:
        entry: Entry = parse(row[6].encode())
        if entry.topic in ("policy.recorded", "policy.set"):
            policy = policy_on_record(entry.data["text"], entry.data["digest"])
        elif entry.topic == "backfill.requested":
            asked[entry.stream] = Asked(entry.data["kind"], entry.by)
        elif entry.topic in ("backfill.approved", "backfill.rejected"):
            verdict = check_approval(entry, asked[entry.stream], keys, policy, used=used)
            found[entry.stream] = verdict.code or ("signed" if verdict.signed else "unsigned")
            used.add(entry.data.get("nonce") or "")
        elif entry.stream == STREAM:
            event = event_of(row[6].encode(), entry.stream, entry.version, entry.topic)
            keys = event.mutate(keys if entry.version > 1 else None)  # type: ignore[assignment]  # the stream of keys
    return found


@pytest.mark.norm("N13")
def test_without_a_signature_no_way_in_approves(folder: Path, run_id: str, tradex: Tradex):
    status, out, error = tradex("backfill", "approve", run_id)
    assert (status, "status          PLANNED" in out, "without a signature" in error) == (3, True, True)
    assert "--sign KEYFILE" in error
    with Workspace.open(folder, actor="maria") as maria:
        with pytest.raises(UnsignedApprovalError):
            maria.backfills.approve(run_id)
        with pytest.raises(TradexError, match="it cannot be driven"):
            maria.runs.drive(run_id)
    assert tradex("worker", "--once")[0] == 0
    with Workspace.open(folder, actor="ana") as ana:
        assert [row["status"] for row in projection(ana, "runs") if row["run_id"] == run_id] == ["PLANNED"]


@pytest.mark.norm("N13")
def test_signed_here_with_a_key_file_it_is_approved_and_what_was_signed_is_on_record(
    folder: Path, run_id: str, tradex: Tradex, tmp_path: Path
):
    file = key_file(tmp_path, "maria")
    status, out, _ = tradex("backfill", "approve", run_id, "--sign", str(file))
    assert (status, out.index("estimated rows") < out.index(f"{run_id} is APPROVED")) == (0, True)
    with Workspace.open(folder, actor="ana") as ana:
        (entry,) = [e for e in read_record(ana).entries if e.topic == "backfill.approved" and e.stream == run_id]
        assert entry.data["seen"] == entry.position - 1
        assert entry.data["checkpoint"] == ana.core.newest_checkpoint() or entry.data["checkpoint"]
        assert f"request: {run_id}\n" in text_of(entry).text
        (row,) = [row for row in projection(ana, "approvals") if row["run_id"] == run_id]
        assert (row["signed_with"], row["seen"]) == (key_of("maria").fingerprint, entry.position - 1)
        assert verdicts(ana)[run_id] == "signed"
        assert ana.runs.drive(run_id).status == "SUCCESS"
        check_everything(ana)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed here")
def test_signed_elsewhere_by_ssh_keygen_and_handed_in(folder: Path, run_id: str, tradex: Tradex, tmp_path: Path):
    file, text = key_file(tmp_path, "maria"), tmp_path / "approval"
    file.chmod(0o600)
    status, _, said = tradex("backfill", "approve", run_id, "--print-text", str(text))
    assert (status, f"--signature {text}.sig" in said.replace("\n", " ")) == (0, True)
    assert tradex("backfill", "approve", run_id, "--print-text", str(text))[0] == 2  # it is not written over
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", file, text], check=True, capture_output=True
    )
    assert tradex("backfill", "approve", run_id, "--signature", f"{text}.sig", by="ben")[0] == 3
    assert tradex("backfill", "reject", run_id, "--signature", f"{text}.sig", *WHY)[0] == 3
    assert tradex("backfill", "approve", run_id, "--signature", f"{text}.sig")[0] == 0
    status, _, error = tradex("backfill", "approve", run_id, "--signature", f"{text}.sig")
    assert (status, "a text is signed for one decision" in error) == (3, True)
    allowed = tmp_path / "allowed"
    allowed.write_text(
        orjson.loads(tradex("policy", "key", "list", "--allowed-signers", "--json")[1])["allowed_signers"]
    )
    with Workspace.open(folder, actor="ana") as ana:
        (entry,) = [e for e in read_record(ana).entries if e.topic == "backfill.approved" and e.stream == run_id]
    (tmp_path / "stored.sig").write_text(entry.data["signature"], encoding="utf-8")
    at = datetime.fromisoformat(entry.at).strftime("%Y%m%d%H%M%SZ")
    call = ["ssh-keygen", "-Y", "verify", "-O", f"verify-time={at}", "-f", str(allowed), "-I", "maria", "-n", NAMESPACE]
    found = subprocess.run(
        [*call, "-s", str(tmp_path / "stored.sig")],
        input=text_of(entry).text.encode(),
        capture_output=True,
        check=False,
    )
    assert (found.returncode, b"Good" in found.stdout) == (0, True), found.stderr


def test_a_rejection_can_be_signed_too(folder: Path, run_id: str, tradex: Tradex, tmp_path: Path):
    assert tradex("backfill", "reject", run_id)[0] == 2
    assert tradex("backfill", "reject", run_id, "--sign", str(key_file(tmp_path, "maria")), *WHY)[0] == 0
    with Workspace.open(folder, actor="ana") as ana:
        assert verdicts(ana)[run_id] == "signed"


@pytest.mark.norm("N13")
def test_a_text_is_for_one_request_one_decision_and_one_person(folder: Path, run_id: str):
    with Workspace.open(folder, actor="ana") as ana:
        other = small.request(ana, 1, 2, **small.FORCED, override_state=False, allow_overlap=[run_id])
    with Workspace.open(folder, actor="maria") as maria:
        said = maria.backfills.text(run_id)
        bent = {
            "ledger": replace(said, ledger="ab12"),
            "request": replace(said, request=other),
            "plan": replace(said, plan="f" * 64),
            "policy": replace(said, policy="f" * 64),
            "decision": maria.backfills.text(run_id, REJECT),
            "approver": replace(said, approver="Maria"),
            "position": replace(said, position=said.position + 1),
            "checkpoint": replace(said, checkpoint=f"{(said.checkpoint or 'x').splitlines()[0]}\n1\n{'A' * 43}=\n"),
        }
        for name, one in bent.items():
            with pytest.raises((SignedOtherwiseError, UnknownKeyError), match=name):
                maria.backfills.approve(run_id, signed=sign(one, "maria"))
        for wrong in (
            Handed(said.text, sign(bent["plan"], "maria").signature),
            sign(said, "maria")._replace(signature=""),
        ):
            with pytest.raises(InvalidSignatureError):
                maria.backfills.approve(run_id, signed=wrong)
        with pytest.raises(UnknownKeyError, match="as a key of maria"):
            maria.backfills.approve(run_id, signed=sign(said, "ben"))
        again = replace(maria.backfills.text(other), nonce=said.nonce)
        assert maria.backfills.approve(run_id, signed=sign(said, "maria")).status == "APPROVED"
        with pytest.raises(SignatureUsedError):
            maria.backfills.approve(other, signed=sign(again, "maria"))
        assert verdicts(maria)[run_id] == "signed"


def test_a_text_counts_for_a_day_by_the_ledgers_time_and_not_by_the_signers(folder: Path, run_id: str):
    with Workspace.open(folder, actor="maria") as maria:
        handed = sign(maria.backfills.text(run_id), "maria")
    later = datetime.now(UTC) + timedelta(hours=25)
    with Workspace.open(folder, actor="maria", clock=lambda: later) as maria:
        with pytest.raises(SignatureExpiredError):
            maria.backfills.approve(run_id, signed=handed)
        small.request(maria, 1, 1, allow_overlap=[run_id])  # an event of that time
    slow = datetime.now(UTC) - timedelta(days=3)
    with Workspace.open(folder, actor="maria", clock=lambda: slow) as maria, pytest.raises(SignatureExpiredError):
        maria.backfills.approve(run_id, signed=handed)


def test_a_key_that_was_revoked_signs_nothing_more_and_what_it_signed_stays(folder: Path, run_id: str, tradex: Tradex):
    with Workspace.open(folder, actor="maria") as maria:
        handed = sign(maria.backfills.text(run_id), "maria")
        stale = maria.backfills.approvals.given(handed)  # verified, and then overtaken
        assert isinstance(stale.on, Signature)
        other = small.request(maria, 1, 2, **small.FORCED, override_state=False, allow_overlap=[run_id])
        assert tradex("policy", "key", "revoke", "maria", *WHY)[0] == 0
        with pytest.raises(KeyNotValidError, match="was revoked"):
            maria.backfills.approve(run_id, signed=handed)
        overtaken = maria.ledger.get(Backfill, run_id)
        by = stale.record.policy
        overtaken.approve(stale.on.said.plan, by="maria", policy=by, now=stale.now, on=stale.on)
        with pytest.raises(WriterConflictError):
            maria.ledger.append(overtaken, unmoved=stale.unmoved)
    with Workspace.open(folder, actor="ben") as ben:
        assert ben.backfills.approve(other, signed=sign(ben.backfills.text(other), "ben")).status == "APPROVED"
    assert tradex("policy", "key", "revoke", key_of("ben").fingerprint, *WHY, by="ben")[0] == 0
    with Workspace.open(folder, actor="ana") as ana:
        assert verdicts(ana)[other] == "signed"
        assert ana.runs.drive(other).status in {"SUCCESS", "HELD"}


@pytest.mark.norm("N13")
@pytest.mark.parametrize("how", ["of somebody else", "of another plan", "of the requester"])
def test_an_approval_that_was_written_past_the_rules_is_driven_by_nobody(folder: Path, run_id: str, how: str):
    """Whoever can append to the ledger can write that something was approved; to sign it takes the approver's key."""
    by = "ana" if how == "of the requester" else "maria"
    with Workspace.open(folder, actor="ana") as ana:
        said = replace(ana.backfills.text(run_id), approver=by)
        signer = "ben" if how == "of somebody else" else by
        signed = sign(replace(said, plan="f" * 64) if how == "of another plan" else said, signer)
        forged = ana.ledger.get(Backfill, run_id)
        facts = decision_facts(Signature(said, signed.signature, key_of(by).fingerprint))
        facts |= {"policy_digest": said.policy, "rule": None, "judged": None, "plan_digest": said.plan}
        facts |= {"comment": None, "hold": False}
        forged.trigger_event(Backfill.Approved, **facts, by=by)
        ana.ledger.append(forged)
        assert verdicts(ana)[run_id] not in {"signed", "unsigned"}
        with pytest.raises((ForgedApprovalError, ApprovalOutdatedError)):
            ana.runs.drive(run_id)
        assert "run.layer_started" not in {e.topic for e in read_record(ana).entries if e.stream == run_id}


@pytest.mark.norm("N13")
def test_a_policy_of_before_goes_on_without_and_what_it_let_pass_is_asked_for_again(folder: Path, run_id: str):
    small.set_policy(folder, signed=[])
    with Workspace.open(folder, actor="ben") as ben:
        assert ben.backfills.approve(run_id).status == "APPROVED"
        assert verdicts(ben)[run_id] == "unsigned"
    settings = folder / FILE
    settings.write_text(
        settings.read_text(encoding="utf-8").replace("signed = []", 'signed = ["forced"]'), encoding="utf-8"
    )
    small.set_policy(folder)
    with Workspace.open(folder, actor="ben") as ben, pytest.raises(ApprovalOutdatedError, match="without a signature"):
        ben.runs.drive(run_id)


def test_other_kinds_are_signed_where_the_policy_says_so(folder: Path, run_id: str):
    small.set_policy(folder, signed=["forced", "temporal"], rule_max_partitions=1000)
    with Workspace.open(folder, actor="maria") as maria:
        asked = small.request(maria, 1, 1, allow_overlap=[run_id])
        with pytest.raises(UnsignedApprovalError, match="temporal"):
            maria.backfills.approve(asked)
        said = maria.backfills.text(asked, APPROVE)
        assert maria.backfills.approve(asked, signed=sign(said, "maria")).status == "APPROVED"


def test_every_approval_says_on_which_knowledge(folder: Path, run_id: str, tradex: Tradex):
    with Workspace.open(folder, actor="maria") as maria:
        asked = small.request(maria, 1, 1, allow_overlap=[run_id])
        position = maria.ledger.position()
    assert tradex("backfill", "approve", asked)[0] == 0
    small.set_policy(folder, rule_max_partitions=1000)
    with Workspace.open(folder, actor="maria") as maria:
        by_rule = small.request(maria, 1, 1, allow_overlap=[run_id, asked])
        found = {row["run_id"]: row for row in projection(maria, "approvals")}
        heads = [e.data["checkpoint"] for e in read_record(maria).entries if e.topic == "backfill.approved"]
    assert found[asked]["seen"] == position
    assert found[by_rule]["seen"] > position
    assert all(head is None or head.startswith("tradex-ledger/") for head in heads)


# -- keys, by the command line


def test_keys_are_listed_with_what_waits(folder: Path, tradex: Tradex, tmp_path: Path):
    small.set_policy(folder, may_set_policy=["ana", "ben"])
    pub = tmp_path / "eve.pub"
    pub.write_text(f"{key_of('eve').line} eve@desk\n", encoding="utf-8")
    assert tradex("policy", "key", "add", "eve", str(pub), *WHY, by="eve")[0] == 3
    assert tradex("policy", "key", "add", "eve", str(tmp_path / "none"), *WHY, by="ana")[0] == 4
    pub.chmod(0o600)
    status, out, said = tradex("policy", "key", "add", "eve", str(pub), *WHY, by="ana")
    assert (status, "is proposed" in out, "somebody else" in said) == (0, True, True)
    document = orjson.loads(tradex("policy", "key", "list", "--json")[1])
    (waits,) = document["waits"]
    assert (waits["name"], waits["by"], len(document["keys"])) == ("eve", "ana", 2)
    assert tradex("policy", "key", "approve", waits["digest"][:12], by="ana")[0] == 3
    assert tradex("policy", "key", "reject", waits["digest"][:12], *WHY, by="ben")[0] == 0
    assert tradex("policy", "key", "add", "eve", str(pub), *WHY, by="ana")[0] == 0
    assert tradex("policy", "key", "approve", waits["digest"][:12], by="ben")[0] == 0
    assert "eve" in tradex("policy", "key", "list")[1]
    assert orjson.loads(tradex("policy", "key", "list", "--as-of", "20", "--json")[1])["keys"] == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "private-key"),
        (b"x" * 70_000, "given-file"),
        (key_of("maria").line.encode(), "private-key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "private-key"),
        (None, "not-found"),
    ],
)
def test_what_is_no_private_key_is_said(run_id: str, tradex: Tradex, tmp_path: Path, content: bytes | None, code: str):
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    status, out, _ = tradex("--json", "backfill", "approve", run_id, "--sign", str(tmp_path / "key"))
    assert status in {2, 4}
    assert orjson.loads(out)["error"]["code"] == code


def test_a_key_with_a_passphrase_asks_for_it_or_says_what_to_do(run_id: str, tradex: Tradex, tmp_path: Path):
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed here")
    file = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret words", "-f", file], check=True)
    status, _, error = tradex("backfill", "approve", run_id, "--sign", str(file))
    assert (status, "passphrase" in error, "ssh-keygen -Y sign" in error) == (2, True, True)
