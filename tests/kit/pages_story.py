"""A small workspace in which each state of a day and of a run is there at once: what a page has to draw."""

from __future__ import annotations

from pathlib import Path

from tests.kit import signing, small
from tests.kit.lake_folder import root_of
from tradex_ledger.domain.request import Request
from tradex_ledger.errors import TradexError
from tradex_ledger.workspace import Workspace


def tell(folder: Path) -> dict[str, str]:
    """Have one run in each status in a workspace with a pipeline of its own; returns their ids by status.

    Who acts has a key on record, so that what is forced is to be signed; the newest request is one of three parts.
    """
    with small.reopen(folder) as ws:
        reverted = small.backfill(ws, 2, 2).id
        ws.backfills.revert(reverted, reason="the posts were a redelivery of spam")
        success = small.backfill(ws, 7, 7).id
        rejected = small.request(ws, 1, 2)
        ws.backfills.reject(rejected, reason="the vendor will deliver again on Monday")
        paused = small.request(ws, 1, 1)
        ws.backfills.approve(paused)
        ws.backfills.pause(paused, reason="the lake is being moved tonight")
        failed = _failed(ws, [paused])
        small.edit(ws, "gold_signals", "z >= 3", "z >= 4")
        ws.datasets.bump("gold_signals", reason="spikes begin at four, RES-88")
        others = [paused, failed]
        held = small.request(ws, 1, 7, kind="logical", dataset="gold_signals", review=True, allow_overlap=others)
        ws.backfills.approve(held)
        ws.runs.drive(held)
        ws.datasets.protect("silver_social_events", small.day(4), small.day(5), reason="legal hold, LEG-7")
        planned = small.request(ws, 6, 6, allow_overlap=[held, *others], priority="high")
        others += [held, planned]
        cursor = {**small.OVERRIDE, "cursor": "2024-01-07T00:00:00.000000Z"}
        forced = small.request(ws, 7, 7, **{**cursor, "allow_overlap": others})
        signing.put_on_record(ws)
    small.set_policy(folder, max_partitions=16)
    with small.reopen(folder) as ws:
        asked = Request(kind="temporal", dataset="bronze_x_posts", first=small.day(1), last=small.day(3),
                        override_state=False, reason=small.REASON, allow_overlap=[*others, forced])  # fmt: skip
        parts = ws.backfills.request_split(asked)
    return {
        **{"REVERTED": reverted, "REJECTED": rejected, "PAUSED": paused, "FAILED": failed},
        **{"HELD": held, "PLANNED": planned, "forced": forced, "SUCCESS": success, "part": parts[-1].id},
    }


def _failed(ws: Workspace, beside: list[str]) -> str:
    source = ws.config.folder.resolve().parent / "posts"
    (source / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    run_id = small.request(ws, 3, 3, allow_overlap=beside)
    ws.backfills.approve(run_id)
    lake = sorted(root_of(ws).glob("bronze_x_posts/event_date=2024-01-03/*.parquet"))[0]
    with small.broken(lake, lake.read_bytes()[:-1]):
        try:
            ws.runs.drive(run_id)
        except TradexError:
            return run_id
    raise AssertionError("it was to fail")
