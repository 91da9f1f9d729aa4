"""Files of allowed signers: what they mean to ssh-keygen they mean here, and what is not supported is said."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.kit.signing import key_of, sign
from tradex_ledger.domain.approver_keys import ApproverKey
from tradex_ledger.domain.signing import NAMESPACE, SignedText
from tradex_ledger.sealing.allowed import allowed_signers, key_given
from tradex_ledger.sealing.ssh_key import KeyRefusedError

KEY = key_of("maria")
PLAIN = ApproverKey("maria", KEY.line, KEY.fingerprint)
OTHER = key_of("ben").line
SINCE = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        (f"{KEY.line} maria@desk\n", {}),
        (f"# our desk\n\n  {KEY.line}\n", {}),
        (f"maria {KEY.line}\nben {OTHER}\n", {}),
        (f"ben {OTHER}\nben,MARIA {KEY.line} a comment\n", {}),
        (f'"maria" namespaces="{NAMESPACE},file" {KEY.line}\n', {"namespaces": f"{NAMESPACE},file"}),
        (
            f'maria Valid-After="20260110Z",valid-before="20270110123000Z" {KEY.line}',
            {"valid_after": "2026-01-10T00:00:00Z", "valid_before": "2027-01-10T12:30:00Z"},
        ),
        (f'maria valid-after="202601101230Z" {KEY.line}', {"valid_after": "2026-01-10T12:30:00Z"}),
    ],
)
def test_the_key_of_a_person_is_read(text: str, changes: dict[str, str]):
    assert key_given(text, "maria") == replace(PLAIN, **changes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "none of maria"),
        (f"ben {OTHER}\n", "none of maria"),
        (f"{KEY.line}\n{OTHER}\n", "several keys"),
        (f"* {KEY.line}\n", "is a pattern"),
        (f"maria,!ben {KEY.line}\n", "is a pattern"),
        (f"maria cert-authority {KEY.line}\n", "cert-authority.*not supported"),
        (f'maria namespaces="a",cert-authority {KEY.line}\n', "not supported"),
        (f'maria valid-after="20260110" {KEY.line}\n', "time zone"),
        (f'maria valid-after="2026-01-10Z" {KEY.line}\n', "no time"),
        (f'maria valid-after="20261310Z" {KEY.line}\n', "no time"),
        (f'maria valid-after="20260110Z",valid-after="20260111Z" {KEY.line}\n', "twice"),
        (f"maria no-touch-required {KEY.line}\n", "nobody here knows"),
        (f'maria namespaces="a {KEY.line}\n', "does not end"),
        (f"maria namespaces {KEY.line}\n", "nobody here knows"),
        ("maria ssh-ed25519\n", "base64"),
        ("maria ssh-dss AAAA\n", "knows the kind 'maria'"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nxyz\n", "private key"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA\n", "certificate"),
        (f"maria a b {KEY.line}\n", "knows the kind"),
    ],
)
def test_what_is_no_key_of_that_person_is_said(text: str, said: str):
    with pytest.raises(KeyRefusedError, match=said):
        key_given(text, "maria")


@pytest.mark.parametrize("name", ["maria,ben", "*", 'ma"ria', "#maria", "!ben", "mari?"])
def test_a_name_that_such_a_file_would_read_otherwise_has_no_key(name: str):
    with pytest.raises(KeyRefusedError, match="allowed signers"):
        key_given(KEY.line, name)


def test_keys_are_written_with_the_times_in_which_they_count_on_record():
    until = datetime(2026, 3, 1, tzinfo=UTC)
    late = replace(PLAIN, valid_after="2026-02-01T00:00:00Z", valid_before="2026-02-10T00:00:00Z", namespaces="a")
    assert allowed_signers(
        [(PLAIN, SINCE, None), (late, SINCE, until), (replace(PLAIN, name="ana b"), SINCE, until)]
    ) == (
        f'maria valid-after="20260110120000Z" {KEY.line}\n'
        f'maria namespaces="a",valid-after="20260201000000Z",valid-before="20260210000000Z" {KEY.line}\n'
        f'"ana b" valid-after="20260110120000Z",valid-before="20260301000000Z" {KEY.line}\n'
    )


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed here")
def test_ssh_keygen_judges_by_what_is_written(tmp_path: Path):
    said = SignedText(
        "ab", "bf-1", "a" * 64, "b" * 64, "approve", "maria", 7, None, "0" * 32, "2026-01-11T00:00:00.000000Z"
    )
    handed = sign(said, "maria")
    (tmp_path / "text.sig").write_text(handed.signature, encoding="utf-8")
    until = datetime(2026, 3, 1, tzinfo=UTC)
    (tmp_path / "allowed").write_text(allowed_signers([(PLAIN, SINCE, until)]), encoding="utf-8")
    for at, good in (("20260110115959Z", False), ("20260110120000Z", True), ("20260302000000Z", False)):
        call = ["ssh-keygen", "-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "maria", "-n", NAMESPACE]
        found = subprocess.run(
            [*call, "-O", f"verify-time={at}", "-s", str(tmp_path / "text.sig")],
            input=handed.text.encode(),
            capture_output=True,
            check=False,
        )
        assert (found.returncode == 0) is good, found.stderr
