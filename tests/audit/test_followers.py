"""Who follows the ledger and is behind it, or fails, is said wherever somebody looks; and what helps."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests import worlds
from tests.feeds import told
from tests.kit import mirrored, small
from tests.kit.receiver import receiver
from tests.kit.visits import Visit
from tradex_ledger import attempts
from tradex_ledger.attempts import FOLDER, noted
from tradex_ledger.audit.documents.followers import PATIENCE
from tradex_ledger.cli.main import run
from tradex_ledger.errors import ConflictError, EnvironmentFault
from tradex_ledger.workspace import Workspace

KINDS = {"mirror", "mirror behind", "feed", "feed behind"}


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A week with both mirrors and a subscription, all of which know all there is."""
    monkeypatch.setenv(told.VARIABLE, told.SECRET)
    made = worlds.copied(tmp_path)
    mirrored.name_mirrors(made)
    with receiver() as there:
        told.subscribe(made, "desk", there.url)
        with small.reopen(made) as workspace:
            workspace.mirrors.sync()
            assert workspace.feeds.send()[1] == []
    return made


def found(ws: Path, after: timedelta = timedelta()) -> dict[str, tuple[str, str]]:
    """What is said of followers, by the command that helps."""
    with Workspace.open(ws, actor="ana", clock=small.Ticking(small.Ticking().now + after)) as workspace:
        said = [one for one in workspace.status().attention if one.kind in KINDS]
    return {one.command: (one.kind, one.message) for one in said}


def test_who_knows_all_there_is_needs_nobody_however_long_nothing_happens(ws: Path):
    assert found(ws) == found(ws, timedelta(days=400)) == {}


def test_a_receiver_is_behind_once_it_has_lacked_something_for_longer_than_is_usual(ws: Path):
    with small.reopen(ws) as workspace:
        small.request(workspace, 2, 2)
    assert found(ws, PATIENCE / 2) == {}
    kind, message = found(ws, PATIENCE * 3)["tradex feed send desk"]
    assert kind == "feed behind"
    assert "desk is as of position" in message
    assert "and lacks 2 events, for 4" in message


def test_who_fails_is_said_at_once_with_when_and_why_until_it_goes_well(ws: Path):
    with small.reopen(ws) as workspace:
        small.request(workspace, 2, 2)
        for _ in range(2):
            assert len(workspace.feeds.send()[1]) == 1  # nobody listens there any more
    kind, message = found(ws)["tradex feed send desk"]
    assert kind == "feed behind"
    assert "the last 2 attempts failed, at 2024-02-01 00:0" in message
    assert "did not reach http://127.0.0.1:" in message
    assert "\n" not in message
    with receiver() as there:
        settings = ws / "tradex.toml"
        text = settings.read_text(encoding="utf-8")
        old = text.rpartition('url = "')[2].partition('"')[0]
        settings.write_text(text.replace(old, there.url), encoding="utf-8")
        with small.reopen(ws) as workspace:
            assert workspace.feeds.send()[1] == []
    assert found(ws) == {}
    assert list((ws / FOLDER).iterdir()) == []


def test_a_mirror_that_cannot_be_written_is_said_until_it_can(ws: Path):
    catalog = mirrored.catalog_file(ws)
    aside = catalog.with_name("aside")
    catalog.rename(aside)
    catalog.mkdir()
    with small.reopen(ws) as workspace:
        workspace.incremental.run(last=small.day(8))
    kind, message = found(ws)["tradex mirror sync lakehouse"]
    assert kind == "mirror"
    assert "cannot be used" in message
    catalog.rmdir()
    aside.rename(catalog)
    kind, message = found(ws)["tradex mirror sync lakehouse"]
    assert kind == "mirror behind"
    assert "; the last " in message and "the catalog of the mirror lakehouse cannot be used" in message
    with small.reopen(ws) as workspace:
        workspace.mirrors.sync()
    assert found(ws) == {}


def test_a_check_ends_with_one_and_page_and_metrics_say_it_too(ws: Path, capsys: pytest.CaptureFixture[str]):
    with small.reopen(ws) as workspace:
        small.request(workspace, 2, 2)
    assert run(["-C", str(ws), "status", "--check"]) == 1
    assert "tradex feed send desk" in capsys.readouterr().err
    assert run(["-C", str(ws), "status", "--json"]) == 0
    (desk,) = json.loads(capsys.readouterr().out)["feeds"]
    assert (desk["name"], desk["waiting"], desk["failed"]) == ("desk", 2, None)
    visit = Visit.to(ws)
    object.__setattr__(visit.site, "clock", lambda: small.Ticking().now + 3 * PATIENCE)
    page, numbers = visit.text("/"), visit.text("/metrics")
    pinned = visit.text(f"/?at={desk['position']}")
    visit.close()
    assert "Behind the ledger" in page and "<code>tradex feed send desk</code>" in page
    assert "1 of those who follow is behind" in page
    assert "Behind the ledger" not in pinned
    (lag,) = (line.split()[-1] for line in numbers.splitlines() if line.startswith("tradex_feed_lag_seconds{"))
    assert 2400 < float(lag) < 3000


def test_a_note_is_of_one_ledger_and_one_line_and_one_that_is_none_is_said(tmp_path: Path):
    clock = small.Ticking()

    def tried(error: Exception | None) -> None:
        with noted(tmp_path, "feed desk", "a", clock):
            if error:
                raise error

    fault = EnvironmentFault("it is\n\x1b[31m away" + "y" * 1000)
    for error in (fault, ConflictError("another sends")):
        with pytest.raises(type(error)):
            tried(error)
    known = attempts.failed(tmp_path, "feed desk", "a")
    assert known is not None
    assert (known.tries, len(known.error), "\n" in known.error) == (1, 300, False)
    assert attempts.failed(tmp_path, "feed desk", "b") is None
    (note,) = (tmp_path / FOLDER).iterdir()
    for torn in (
        note.read_bytes()[:20],
        b"[]",
        b'["a", 1, 2, 3, 4]',
        b'["a", "2024-01-01", 1e400, "", ""]',
        b"\xff",
        b"[" * 9_000,
        b"{" + b" " * 99_999 + b"}",
    ):
        note.write_bytes(torn)
        strange = attempts.failed(tmp_path, "feed desk", "a")
        assert strange is not None and str(note) in strange.error
    tried(None)
    assert attempts.failed(tmp_path, "feed desk", "a") is None


def test_where_no_note_can_be_kept_the_failure_itself_is_told(tmp_path: Path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(EnvironmentFault, match="it is away"), noted(file, "feed desk", "a", small.Ticking()):
        raise EnvironmentFault("it is away")
