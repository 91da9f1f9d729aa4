"""What a subscription is sent: a CloudEvent by its published schema, signed so that others can tell."""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import jsonschema
import pytest
import rfc8785

from tests.feeds import told
from tests.kit import small
from tests.kit.receiver import Got, Receiver
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE
from tradex_ledger.feeds.errors import FeedSecretError, FeedTopicError, NoSuchFeedError
from tradex_ledger.ledger.ask import at_positions

SCHEMA = json.loads((Path(__file__).parent / "cloudevents" / "cloudevents.json").read_text("utf-8"))


def send(ws: Path) -> None:
    with small.reopen(ws) as workspace:
        _, wrong = workspace.feeds.send()
    assert wrong == []


def by_openssl(secret: str, signed: bytes) -> str:
    """The signature as a program makes it that is not ours."""
    key = b64decode(secret.removeprefix("whsec_")).hex()
    call = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key}", "-binary"]
    return f"v1,{b64encode(subprocess.run(call, input=signed, capture_output=True, check=True).stdout).decode()}"


def signed(one: Got) -> bytes:
    return f"{one.headers['webhook-id']}.{one.headers['webhook-timestamp']}.".encode() + one.body


def test_each_is_a_cloud_event_with_the_entry_as_it_is_on_record(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url)
    send(ws)
    check = jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    with small.reopen(ws) as workspace:
        entries = list(workspace.events())
        leaves = {row.position: row.leaf for row in at_positions(workspace.ledger.store, range(1, len(entries) + 1))}
        ledger = workspace.ledger.id
    for one, entry in zip(there.got, entries, strict=True):
        said = json.loads(one.body)
        assert [error.message for error in check.iter_errors(said)] == []
        assert one.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
        assert said["data"] == entry._asdict()
        assert (said["specversion"], said["id"]) == ("1.0", f"{ledger}-{entry.position}")
        assert (said["source"], said["type"]) == (f"urn:tradex-ledger:{ledger}", f"tradex.{entry.topic}")
        assert (said["subject"], said["time"], said["sequence"]) == (entry.stream, entry.at, f"{entry.position:016d}")
        assert said["dataschema"] == f"urn:tradex-ledger:event:{entry.topic}:v{entry.v}"
        # Who keeps it can work out the leaf of the ledger's tree by RFC 8785 and RFC 9162.
        assert sha256(b"\0" + rfc8785.dumps(said["data"])).digest() == leaves[entry.position]
        assert all(name.isalnum() and name.islower() for name in said)  # as CloudEvents asks of attributes


def test_the_signature_is_what_another_program_makes_of_it(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url, topics='["backfill.approved"]')
    before = datetime.now(UTC).timestamp()
    send(ws)
    for one in there.got:
        assert one.headers["webhook-signature"] == by_openssl(told.SECRET, signed(one))
        assert one.headers["webhook-signature"] != by_openssl(told.OTHER, signed(one))
        assert "." not in one.headers["webhook-id"]
        assert json.loads(one.body)["id"] == one.headers["webhook-id"]
        assert abs(int(one.headers["webhook-timestamp"]) - small.Ticking().now.timestamp()) < 86_400 < before
    assert len(there.got) == 3


def test_two_secrets_both_sign_while_a_receiver_changes(ws: Path, there: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(told.VARIABLE, f"{told.OTHER} {told.SECRET}")
    told.subscribe(ws, "desk", there.url, topics='["backfill.approved"]')
    send(ws)
    one = there.got[0]
    assert one.headers["webhook-signature"].split() == [
        by_openssl(told.OTHER, signed(one)),
        by_openssl(told.SECRET, signed(one)),
    ]


def test_the_time_signed_is_that_of_the_attempt(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url, topics='["backfill.approved"]')
    there.answers = [500]
    send(ws)
    first, second = there.got[:2]
    assert (first.id, first.body) == (second.id, second.body)
    assert int(first.headers["webhook-timestamp"]) < int(second.headers["webhook-timestamp"])


def test_a_secret_can_lie_in_a_file_that_not_everybody_reads(ws: Path, there: Receiver):
    (ws / "desk.secret").write_text(f"{told.SECRET}\n")
    (ws / "desk.secret").chmod(0o640)
    section = {"url": f'"{there.url}"', "secret_file": '"desk.secret"', "after": "0", "topics": '["backfill.approved"]'}
    told.add(ws, "subscriptions.desk", section)
    send(ws)
    assert there.got[0].headers["webhook-signature"] == by_openssl(told.SECRET, signed(there.got[0]))
    (ws / "desk.secret").chmod(0o644)
    if os.environ.get("TRADEX_TEST_NO_MODES") is None:
        with small.reopen(ws) as workspace:
            (error,) = workspace.feeds.send()[1]
        assert (error.code, "everybody can read" in error.message) == ("feed-secret", True)


@pytest.mark.parametrize("secret", ["", "s3cr3t-4711", "whsec_s3cr3t4711", "whsec_czNjcjN0", "whsec_" + "A" * 200])
def test_what_is_no_secret_is_refused_and_not_told(
    ws: Path, there: Receiver, secret: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv(told.VARIABLE, secret)
    told.subscribe(ws, "desk", there.url)
    assert run(["-C", str(ws), "--as", "ana", "feed", "send"]) == FeedSecretError.exit_status
    said = "".join(capsys.readouterr())
    assert "feed-secret" in said or "secret" in said
    assert not secret or secret not in said
    assert there.got == []


def test_nothing_of_a_secret_or_of_a_url_behind_its_host_is_shown(
    ws: Path, there: Receiver, capsys: pytest.CaptureFixture[str]
):
    told.subscribe(ws, "desk", f"{there.url}/T0KEN?key=T0KEN")
    there.answers = [404] * 9
    run(["-C", str(ws), "--as", "ana", "feed", "list", "--json"])
    assert run(["-C", str(ws), "--as", "ana", "feed", "send"]) == 6
    said = "".join(capsys.readouterr())
    assert there.url in said
    assert ("T0KEN" in said, told.SECRET in said, told.SECRET[6:] in said) == (False, False, False)


def test_a_topic_or_a_name_that_there_is_not_is_told(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url, topics='["backfil.*"]')
    with small.reopen(ws) as workspace:
        with pytest.raises(FeedTopicError, match=r"backfil\.\*"):
            workspace.feeds.send()
        with pytest.raises(NoSuchFeedError, match="desk"):
            workspace.feeds.send("dsek")
    text = (ws / FILE).read_text("utf-8")
    assert "whsec" not in text.partition("[subscriptions.desk]\nurl")[2]
