"""A story in which each event of the operating rules happens: hold, reversal, override, pruning, alerts, and so on."""

from __future__ import annotations

import importlib.metadata
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.kit import signing, small
from tests.kit.lake import projection
from tests.kit.lake_folder import root_of
from tests.kit.other_rows import given_for
from tests.kit.small import REASON, Ticking, broken, day, request
from tradex_ledger.config import FILE
from tradex_ledger.domain.base import WrongStateError
from tradex_ledger.domain.dataset_errors import EngineChangedRowsError
from tradex_ledger.domain.incremental import CursorAheadError
from tradex_ledger.driving import window
from tradex_ledger.errors import TradexError
from tradex_ledger.lake.identity_errors import BehindError
from tradex_ledger.lake.markers import Marker
from tradex_ledger.upkeep.alerts import ReceiverDownError, deliver
from tradex_ledger.workspace import Workspace

START = datetime(2024, 2, 1, tzinfo=UTC)
POLICY: dict[str, Any] = {
    "may_erase": ["ana", "ben"],
    "anomaly_min_rows": 1,
    "anomaly_rise_percent": 1,
    "sla_minutes": 60,
    "expire_days": 10,
}
LATE = '{"id":"1741941000000000001","text":"late $TSLA","author_id":"9","created_at":"2024-01-02T10:00:00.000Z"}\n'


@contextmanager
def used_by(folder: Path, actor: str, *, days: float = 0) -> Iterator[Workspace]:
    """The workspace in somebody's hands, some days after the start."""
    with Workspace.open(folder, actor=actor, clock=Ticking(START + timedelta(days=days))) as workspace:
        yield workspace


@contextmanager
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """A receiver of alerts on this machine: its URL in Apprise's notation, and what it got."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"json://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def tell(folder: Path, source: Path) -> Workspace:
    """The story; returns the workspace, open, at its end."""
    small.deliver(source)
    small.create(folder, f"files:{source}", **POLICY).close()
    with used_by(folder, "ana") as ana:
        _an_incremental_run_is_cancelled(ana, source)
        ana.incremental.run(last=day(5))
        (source / "2024-01-09-late.jsonl").write_text(LATE, encoding="utf-8")
        reviewed = _held_and_paused(ana)
        _marks(ana)
        waits = request(ana, 4, 5, allow_overlap=[reviewed])
        ana.alerts.acknowledge(waits, reason="the desk is at it, INC-4300")
    with used_by(folder, "ben", days=3) as ben:
        ben.runs.drive(reviewed)  # approved three days ago: beyond its SLA
        ben.runs.release(reviewed, reason="the late post is really there, INC-4211")
        assert ben.runs.drive(reviewed).status == "SUCCESS"
        ben.backfills.revert(reviewed, reason="the vendor took its delivery back, INC-4212")
        digest, _ = ben.lake.plan_prune("gold_metrics", reason="the vendor wants its data gone")
    with used_by(folder, "ana", days=11) as ana:
        assert ana.lake.prune("gold_metrics", digest)
        assert ana.runs.sweep() == [waits]
    _another_policy(folder)
    _keys(folder)
    _forced(folder)
    _another_engine(folder)
    _lost(folder)
    _erased(folder)
    _other_rows(folder)
    _garbage_and_a_lost_head(folder)
    _clocks(folder)
    _moved(folder)
    workspace = Workspace.open(folder, actor="ana", clock=Ticking(START + timedelta(days=13)))
    workspace.runs.sweep()
    with receiver() as (url, got):
        with receiver() as (other, _):
            pass
        with pytest.raises(ReceiverDownError, match="1 of 2 receivers"):
            deliver(workspace.core.execution(), (url, other))
        heard = len(got)
        assert heard > 0
        assert (
            deliver(workspace.core.execution(), (url,)) == heard == len(got)
        )  # the one that was up hears nothing twice
        assert deliver(workspace.core.execution(), (url,)) == 0
    return workspace


def _an_incremental_run_is_cancelled(ana: Workspace, source: Path) -> None:
    with broken(source / "2024-01-03.jsonl.gz", b"\x1f\x8b no gzip"), pytest.raises(TradexError):
        ana.incremental.run(last=day(4))
    run_id = ana.incremental.unfinished()
    assert run_id
    ana.runs.cancel(run_id, reason="the vendor delivers that day again")


def _held_and_paused(ana: Workspace) -> str:
    run_id = request(ana, 2, 3, review=True)
    ana.backfills.approve(run_id)
    ana.backfills.pause(run_id, reason="the vendor is still delivering")
    with pytest.raises(WrongStateError):
        ana.runs.drive(run_id)
    ana.backfills.resume(run_id)
    return run_id


def _marks(ana: Workspace) -> None:
    ana.datasets.deprecate("gold_signals", 1, reason=REASON)
    ana.datasets.restore("gold_signals", 1, reason=REASON)
    ana.datasets.protect("gold_signals", day(1), day(2), reason=REASON)
    ana.datasets.unprotect("gold_signals", day(1), day(2), reason=REASON)


def _another_policy(folder: Path) -> None:
    """By one person as long as anybody may, by two once persons are named."""
    for settings in ({"may_set_policy": ["ana", "ben"]}, {"batch_mb": 17}):
        small.propose_policy(folder, **settings)
        with used_by(folder, "ana", days=11.5) as ana:
            proposal = ana.policy.set(reason=REASON).proposal
    assert proposal
    with used_by(folder, "ben", days=11.5) as ben:
        ben.policy.approve(proposal.digest)
    for settings, answered in (({"window_partitions": 31}, True), ({"runs_in_all": 5}, False)):
        small.propose_policy(folder, **settings)
        with used_by(folder, "ana", days=11.6) as ana:
            proposal = ana.policy.set(reason=REASON).proposal
        assert proposal
        with used_by(folder, "ben", days=11.6) as ben:
            if answered:
                ben.policy.reject(proposal.digest, reason="30 is enough, INC-4301")


def _keys(folder: Path) -> None:
    """Persons are named: ben proposes his key, and ana lets it sign, though not at once."""
    for answer in ("reject", "approve"):
        with used_by(folder, "ben", days=11.8) as ben:
            proposed, counts = ben.policy.keys.add("ben", signing.key_of("ben").line, reason=REASON)
        assert not counts
        with used_by(folder, "ana", days=11.9) as ana:
            if answer == "reject":
                ana.policy.keys.reject(proposed.digest, reason="let me see it first, INC-4301")
            else:
                ana.policy.keys.approve(proposed.digest[:12])


def _forced(folder: Path) -> None:
    back = {"override_state": True, "cursor": "2024-01-04T00:00:00.000000Z", "ticket": "INC-4300"}
    with used_by(folder, "ana", days=12) as ana:
        run_id = request(ana, 4, 5, kind="forced", **back)
    with used_by(folder, "ben", days=12) as ben:
        signing.approve(ben, run_id)
        assert ben.runs.drive(run_id).status == "SUCCESS"
        assert ben.state.cursor == back["cursor"]
        ben.incremental.run(last=day(5))


def _lost(folder: Path) -> None:
    """A file of Bronze is gone, for good; its day is fetched again."""
    with used_by(folder, "ana", days=12.6) as ana:
        sorted(root_of(ana).glob("bronze_x_posts/event_date=2024-01-03/*.parquet"))[0].unlink()
        plan = ana.lake.declare_loss("bronze_x_posts", reason="the disk of rack 4 died, INC-4400").loss_plan
        assert plan
        run_id = request(ana, 3, 3)
    with used_by(folder, "ben", days=12.6) as ben:
        assert ben.lake.confirm_loss("bronze_x_posts", plan.digest)
        ben.backfills.approve(run_id)
        assert ben.runs.drive(run_id).status == "SUCCESS"


def _erased(folder: Path) -> None:
    """The author of a post has it erased."""
    with used_by(folder, "ana", days=12.65) as ana:
        ((post,),) = ana.query("select min(post_id) from silver_social_events where event_date = '2024-01-02'").rows
        law = {"reason": "its author asked for erasure, by article 17", "ticket": "LEGAL-17"}
        digest = ana.lake.plan_erasure("bronze_x_posts", [str(post)], **law).digest
    assert digest
    with used_by(folder, "ben", days=12.65) as ben:
        assert ben.lake.erase("bronze_x_posts", digest).status == "ended"


def _garbage_and_a_lost_head(folder: Path) -> None:
    """A crash left a file; and the lake knows of events that this ledger, put back from a copy, does not have."""
    with used_by(folder, "ana", days=12.8) as ana:
        (run_id, *_) = [r["run_id"] for r in projection(ana, "runs") if r["status"] == "CANCELLED"]
        left = root_of(ana) / "gold_metrics" / "feature_version=1" / "date=2024-01-01" / f"{run_id}-99.parquet"
        left.write_bytes(b"left")
        os.utime(left, (1_000_000_000, 1_000_000_000))
        assert len(ana.lake.gc(reason="left by the crash of 3 Jan, INC-4310").removed) == 1
        lost = ana.ledger.position() + 100
        ana.core.lake.lay(Marker(0, lost, "ab" * 32, ana.ledger.id))
        with pytest.raises(BehindError):
            ana.incremental.run(last=day(6))
    with Workspace.open(
        folder, actor="ana", clock=Ticking(START + timedelta(days=12.9)), tolerates=small.ANY_LAKE
    ) as ana:
        digest = ana.lake.plan_epoch(lost, reason="the disk of the ledger died, INC-4320").digest
    with Workspace.open(
        folder, actor="ben", clock=Ticking(START + timedelta(days=12.9)), tolerates=small.ANY_LAKE
    ) as ben:
        assert ben.lake.begin_epoch(digest) == 1


def _moved(folder: Path) -> None:
    """The ledger goes on in another file."""
    with used_by(folder, "ana", days=12.95) as ana:
        plan = ana.store.plan_move("sqlite:///moved.db", reason="a disk of its own for the ledger, INC-4330")
    with used_by(folder, "ben", days=12.95) as ben:
        assert ben.store.move(plan.digest).epoch == 2
    settings = folder / FILE
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("sqlite:///ledger.db", "sqlite:///moved.db"), encoding="utf-8")


def _clocks(folder: Path) -> None:
    """A month later somebody vouches for the clock; the night after, the real one finds the cursor in the future."""
    with used_by(folder, "ben", days=40) as ben:
        ben.incremental.run(far_ahead=True, clock_is_right=True)
        assert "policy" in ben.runs.sweep()  # nobody answered the last proposal
    with used_by(folder, "ana", days=12.6) as ana, pytest.raises(CursorAheadError):
        ana.incremental.run()


def _other_rows(folder: Path) -> None:
    """A day comes out otherwise from the same inputs, and is not published."""
    with used_by(folder, "ana", days=12.7) as ana:
        run_id = request(ana, 4, 4, kind="forced", dataset="gold_signals", ticket="INC-4500")
    with used_by(folder, "ben", days=12.7) as ben:
        signing.approve(ben, run_id)
        ben.policy.keys.revoke("ben", reason="his laptop was stolen, INC-4410")
        with given_for("gold_signals"):
            assert ben.runs.drive(run_id).status == "HELD"
        ben.runs.cancel(run_id, reason="the rows are wrong, INC-4500")


def _another_engine(folder: Path) -> None:
    """On a second host, whose engine gives no row at all, until a person lets it go on; on a third, all is the same."""
    real = importlib.metadata.version
    for version, build in (("1.98.0", lambda _: []), ("1.99.0", window.build_window)):
        with pytest.MonkeyPatch.context() as patch, used_by(folder, "ben", days=12.5) as ben:
            patch.setattr(importlib.metadata, "version", lambda n, v=version: v if n == "duckdb" else real(n))
            patch.setattr(window, "build_window", build)
            if version == "1.98.0":
                with pytest.raises(EngineChangedRowsError):
                    ben.incremental.run(last=day(6))
                assert ben.datasets.accept_engine(reason="the vendor is asked, INC-4400")
            else:
                ben.incremental.run(last=day(6))
