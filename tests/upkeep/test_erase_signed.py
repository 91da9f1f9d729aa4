"""An erasure is approved by a signature where the policy demands one, and who verifies judges it again."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests import worlds
from tests.kit import signing, small
from tests.kit.check import check_everything, read_record
from tests.kit.faults import Crash
from tradex_ledger.audit.look import Look
from tradex_ledger.cli.main import run
from tradex_ledger.config import ConfigError
from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.erasures import ErasureRefusedError
from tradex_ledger.domain.signing import NAMESPACE
from tradex_ledger.domain.signing_errors import SignatureUsedError, SignedOtherwiseError, UnknownKeyError
from tradex_ledger.errors import TradexError
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.upkeep import erase
from tradex_ledger.verifying.finding import BAD_APPROVAL
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.approvals import Handed

BRONZE, SILVER = "bronze_x_posts", "silver_social_events"
WHY: dict[str, Any] = {"reason": "its author asked for erasure, by article 17", "ticket": "LEGAL-17"}


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    """A week of posts, run; two persons may erase, by a signature, and maria has a key on record."""
    folder = worlds.copied(tmp_path, thin=True, may_erase=["ana", "maria"], signed=["forced", "erase"])
    with small.reopen(folder, "maria") as maria:
        signing.put_on_record(maria)
    return folder


def planned(ws: Path, number: int = 0) -> str:
    """The digest of a plan of ana's, to erase a post of the third day."""
    with small.reopen(ws) as ana:
        sql = f"select distinct post_id from {SILVER} where event_date = '{small.day(3)}' order by 1"
        post = str(ana.query(sql).rows[number][0])
        digest = ana.lake.plan_erasure(BRONZE, [post], **WHY).digest
    assert digest is not None
    return digest


def signed(maria: Workspace, digest: str) -> Handed:
    return signing.sign(maria.lake.erasure_text(BRONZE, digest), "maria")


def approvals(workspace: Workspace) -> list[Entry]:
    return [entry for entry in read_record(workspace).entries if entry.topic == "dataset.erasure_approved"]


def found_by_verify(ws: Path) -> list[str]:
    return [one.detail for one in Look.open(ws).verify().findings if one.kind == BAD_APPROVAL]


@pytest.mark.norm("N13")
def test_without_a_signature_nothing_is_erased_and_with_it_what_was_signed_is_on_record(
    ws: Path, capsys: pytest.CaptureFixture[str]
):
    digest = planned(ws)
    with small.reopen(ws, "maria") as maria:
        before = maria.ledger.position()
        with pytest.raises(ErasureRefusedError) as refused:
            maria.lake.erase(BRONZE, digest)
        assert refused.value.code == "unsigned-approval"
        assert maria.ledger.position() == before
    assert run(["-C", str(ws), "lake", "erase", BRONZE, "--approve", digest, "--as", "maria"]) == 3
    assert "--sign KEYFILE" in capsys.readouterr().err
    with small.reopen(ws, "maria") as maria:
        handed = signed(maria, digest)
        assert maria.lake.erase(BRONZE, digest, signed=handed).status == "ended"
        (entry,) = approvals(maria)
        assert (entry.by, entry.data["planned_by"], entry.data["plan_digest"]) == ("maria", "ana", digest)
        assert (entry.data["signature"], entry.data["key"]) == (
            handed.signature,
            signing.key_of("maria").fingerprint,
        )
        after = [e.topic for e in read_record(maria).entries if e.position >= entry.position]
        assert after == ["dataset.erasure_approved", *["dataset.files_erased"] * 4, "dataset.erasure_ended"]
        check_everything(maria)
    assert found_by_verify(ws) == []


def test_a_signature_is_for_one_plan_of_one_person_and_counts_once(ws: Path):
    first = planned(ws)
    with small.reopen(ws, "maria") as maria:
        handed = signed(maria, first)
    second = planned(ws, 1)
    with small.reopen(ws, "maria") as maria:
        with pytest.raises(SignedOtherwiseError, match="its plan is") as otherwise:
            maria.lake.erase(BRONZE, second, signed=handed)
        assert f"tradex lake erase {BRONZE}" in otherwise.value.mend
        stranger = signing.sign(maria.lake.erasure_text(BRONZE, second), "eve")
        with pytest.raises(UnknownKeyError):
            maria.lake.erase(BRONZE, second, signed=stranger)
        used = signed(maria, second)
        maria.lake.erase(BRONZE, second, signed=used)
        with pytest.raises(ErasureRefusedError, match="waits"):
            maria.lake.erasure_text(BRONZE, second)
    third = planned(ws, 1 - 1)
    with small.reopen(ws, "maria") as maria, pytest.raises(SignatureUsedError):
        maria.lake.erase(BRONZE, third, signed=used)
    with small.reopen(ws) as ana, pytest.raises(TradexError) as own:
        ana.lake.erase(BRONZE, third, signed=signed(ana, third))
    assert own.value.code in {"self-approval", "unknown-key"}


def test_by_hand_it_is_signed_here_or_elsewhere(ws: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    key, text = tmp_path / "maria-key", tmp_path / "approval"
    key.write_bytes(signing.private_of("maria").private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    key.chmod(0o600)
    asked = ["-C", str(ws), "lake", "erase", BRONZE, "--as", "maria"]
    digest = planned(ws)
    assert run([*asked, "--approve", digest, "--print-text", str(text)]) == 0
    assert f"tradex lake erase {BRONZE} --approve {digest} --signature {text}.sig" in capsys.readouterr().err
    assert f"request: dataset-{BRONZE}\nplan: {digest}\n" in text.read_text(encoding="utf-8")
    assert run([*asked, "--sign", str(key)]) == 2  # what is looked at is not signed
    if shutil.which("ssh-keygen"):
        call: list[str | Path] = ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", key, text]
        subprocess.run(call, check=True, capture_output=True)
        assert run([*asked, "--approve", digest, "--signature", f"{text}.sig"]) == 0, capsys.readouterr().err
        digest = planned(ws)
    assert run([*asked, "--approve", digest[:12], "--sign", str(key)]) == 0, capsys.readouterr().err
    assert found_by_verify(ws) == []


def test_one_that_was_approved_goes_on_after_a_crash_without_another_signature(
    ws: Path, monkeypatch: pytest.MonkeyPatch
):
    digest, finish = planned(ws), erase._finish

    def crash(*_: object) -> None:
        raise Crash

    monkeypatch.setattr(erase, "_finish", crash)
    with small.reopen(ws, "maria") as maria, pytest.raises(Crash):
        maria.lake.erase(BRONZE, digest, signed=signed(maria, digest))
    monkeypatch.setattr(erase, "_finish", finish)
    with small.reopen(ws) as ana:
        assert ana.lake.erase(BRONZE, digest).status == "ended"
        assert len(approvals(ana)) == 1
    assert found_by_verify(ws) == []


def unsigned(aggregate: Dataset, digest: str, policy: str) -> None:
    nothing = dict.fromkeys(("seen", "checkpoint", "signature", "key", "nonce", "expires"))
    aggregate.trigger_event(
        Dataset.ErasureApproved, plan_digest=digest, policy_digest=policy, planned_by="ana", **nothing, by="maria"
    )


def unplanned(aggregate: Dataset, digest: str, policy: str) -> None:
    unsigned(aggregate, "0" * 64, policy)


def unapproved(aggregate: Dataset, digest: str, policy: str) -> None:
    plan = aggregate.erasure_plan
    assert plan is not None and (plan.digest, bool(policy)) == (digest, True)
    aggregate.erase(BRONZE, plan, [], by="maria")


def by_oneself(aggregate: Dataset, digest: str, policy: str) -> None:
    unsigned(aggregate, digest, policy)
    aggregate.pending_events[-1].__dict__["by"] = "Ana"


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (unsigned, "its approval is to be signed"),
        (unplanned, "which dataset-bronze_x_posts does not have"),
        (unapproved, "and did not approve it"),
        (by_oneself, "allowed it, too"),
    ],
)
@pytest.mark.norm("N13")
def test_who_verifies_finds_one_that_went_past_the_program(
    ws: Path, forge: Callable[[Dataset, str, str], None], said: str
):
    digest = planned(ws)
    with small.reopen(ws, "maria") as maria:
        aggregate = maria.ledger.get(Dataset, stream_of(BRONZE), "dataset")
        forge(aggregate, digest, maria.core.policy.digest)
        maria.ledger.append(aggregate)
    assert any(said in detail for detail in found_by_verify(ws))


def test_a_policy_that_does_not_name_it_demands_no_signature_and_who_approved_is_on_record(tmp_path: Path):
    ws = worlds.copied(tmp_path, thin=True, may_erase=["ana", "maria"])
    digest = planned(ws)
    with small.reopen(ws, "maria") as maria:
        assert maria.lake.erase(BRONZE, digest).status == "ended"
        (entry,) = approvals(maria)
        assert (entry.by, entry.data["signature"]) == ("maria", None)
        assert entry.data["seen"] == entry.position - 1
    assert found_by_verify(ws) == []


def test_signed_may_name_erase_which_is_no_kind_of_backfill(tmp_path: Path):
    ws = worlds.copied(tmp_path, thin=True)
    small.propose_policy(ws, signed=["forced", "erasing"])
    with pytest.raises(ConfigError, match="signed has erasing; kinds are temporal, dataset, logical, forced, erase"):
        small.reopen(ws)
