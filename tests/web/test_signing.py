"""A signature is handed in on the page: the text is the downloaded one, the key stays where it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.signing import key_of, private_of
from tests.kit.visits import Visit
from tradex_ledger.domain.signing import NAMESPACE
from tradex_ledger.sealing.sshsig import signed
from tradex_ledger.workspace import Workspace


@pytest.fixture
def forced(tmp_path: Path) -> Iterator[tuple[Visit, str]]:
    """A forced backfill that waits, seen by maria, whose key is on record."""
    folder = worlds.copied(tmp_path)
    with Workspace.open(folder, actor="ana", clock=small.Ticking()) as ana:
        run_id = small.request(ana, **small.FORCED, override_state=False)
        ana.policy.keys.add("maria", key_of("maria").line, reason="a key for the desk, INC-4301")
    visit = Visit.to(folder)
    yield visit, run_id
    visit.close()


def to_sign(visit: Visit, run_id: str) -> tuple[str, str]:
    """The address of the page on which it is signed, as the run's page has it, and the page."""
    (link,) = map(unescape, re.findall(rf'href="(/runs/{run_id}/sign\?seen=\d+)"', visit.text(f"/runs/{run_id}")))
    return link, visit.text(link)


def approved(visit: Visit, link: str, run_id: str, content: bytes, name: str = "maria", **other: str):
    fields = {**visit.form(link, "approve"), "accepted": "yes", "comment": "as agreed"}
    armoured = signed(content, private_of(name), namespace=NAMESPACE)
    return visit.send(run_id, "approve", {**fields, "signature": armoured.rstrip(), **other})


def test_what_is_downloaded_is_what_is_shown_and_its_signature_approves(forced: tuple[Visit, str]):
    visit, run_id = forced
    assert f'action="/runs/{run_id}/approve"' not in visit.text(f"/runs/{run_id}")
    link, page = to_sign(visit, run_id)
    (address,) = map(unescape, re.findall(r'href="([^"]*approval\.txt[^"]*)"', page))
    found = visit.get(address)
    assert found.headers["content-disposition"] == f'attachment; filename="{run_id}.txt"'
    assert unescape(re.findall(r'id="text">(.*?)</pre>', page, re.DOTALL)[0]) == found.text
    with small.reopen(visit.folder) as workspace:  # somebody else does something meanwhile
        workspace.datasets.protect("gold_signals", small.day(1), small.day(1), reason="a legal hold, case 7")
    assert visit.get(address).text == found.text
    answer = approved(visit, link, run_id, found.content)
    assert answer.status_code == 303, answer.text
    assert visit.site.workspace.runs[run_id].status == "APPROVED"
    (row,) = visit.site.look.query(f"select decided_by, signed_with from approvals where run_id = '{run_id}'").rows
    assert row == ("maria", key_of("maria").fingerprint)


@pytest.mark.parametrize("how", ["another key", "another text", "no signature", "bent text"])
def test_any_other_signature_approves_nothing(forced: tuple[Visit, str], how: str):
    visit, run_id = forced
    link, page = to_sign(visit, run_id)
    text = unescape(re.findall(r'id="text">(.*?)</pre>', page, re.DOTALL)[0])
    answer = {
        "another key": lambda: approved(visit, link, run_id, text.encode(), "ben"),
        "another text": lambda: approved(visit, link, run_id, b"something else\n"),
        "no signature": lambda: approved(visit, link, run_id, text.encode(), signature=""),
        "bent text": lambda: approved(visit, link, run_id, text.encode(), text=text.replace("approve", "reject")),
    }[how]()
    assert answer.status_code in (400, 403), answer.text
    assert visit.site.workspace.runs[run_id].status == "PLANNED"


def test_a_private_key_is_refused_and_shown_to_nobody(forced: tuple[Visit, str]):
    visit, run_id = forced
    link, _ = to_sign(visit, run_id)
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----"
    answer = approved(visit, link, run_id, b"", signature=key)
    assert answer.status_code == 400
    assert "sent-private-key" in answer.text
    assert "b3BlbnNzaC1rZXk" not in answer.text
