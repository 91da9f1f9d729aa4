"""Posts that are known to be bad: held back, released, on record; Bronze keeps them all the while."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import orjson
import pytest

from tests.kit import small, x_platform
from tests.kit.check import check_everything
from tests.stories import retracting
from tradex_ledger.audit.reader import Reader
from tradex_ledger.cli.main import run
from tradex_ledger.domain.quarantine import NotHeldError, ReleasedError
from tradex_ledger.pipelines.x.notices import NoQuarantinesError
from tradex_ledger.pipelines.x.quarantine import (
    Effect,
    NoticesGoneFault,
    UnknownBatchError,
    effect,
    quarantine,
    quarantine_batches,
    quarantines,
    release,
)
from tradex_ledger.pipelines.x.retract import UnknownPostError, check, retract
from tradex_ledger.relations.held import QUARANTINES
from tradex_ledger.sources.source import Rejected, Row, Stated
from tradex_ledger.sources.x_posts.retractions import HELD, XRetractions, notice_of
from tradex_ledger.sources.x_posts.time import time_us
from tradex_ledger.workspace import Workspace

WHY = "spam by a botnet, INC-4211"
DAY = "2024-01-03"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with retracting.created(tmp_path) as made:
        yield made


def in_silver(workspace: Workspace, as_of: str | None = None) -> set[str]:
    sql = f"select distinct post_id from silver_social_events where event_date = '{DAY}'"
    return {str(post_id) for (post_id,) in workspace.query(sql, as_of=as_of).rows}


def texts(workspace: Workspace) -> dict[str, str]:
    sql = f"select distinct post_id, text_normalized from silver_social_events where event_date = '{DAY}'"
    return {str(post_id): str(text) for post_id, text in workspace.query(sql).rows}


def effect_of(workspace: Workspace) -> Effect:
    """What came of the only quarantine."""
    (held,) = quarantines(workspace.audit.look)
    return effect(workspace, held)


def run_tomorrow(workspace: Workspace) -> None:
    retracting.tomorrow(workspace)
    workspace.incremental.run(last=workspace.core.today() - timedelta(1))


def delivered(workspace: Workspace) -> list[dict[str, object]]:
    """The posts of a day whose text is their own."""
    posts = workspace.config.folder.parent / "posts"
    lines = gzip.decompress((posts / f"{DAY}.jsonl.gz").read_bytes()).splitlines()
    known = [orjson.loads(line) for line in lines if line.startswith(b"{")]
    return [one for one in known if "text" in one and "retweeted_status" not in one]


def redeliver(workspace: Workspace, before: str) -> list[str]:
    """The posts of a day once more, with something before their texts; their ids."""
    again = [{**one, "text": f"{before} {one['text']}"} for one in delivered(workspace)]
    file = workspace.config.folder.parent / "posts" / "2024-01-09-replayed.jsonl"
    file.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in again))
    return [str(one["id"]) for one in again]


@pytest.mark.norm("N6")
@pytest.mark.norm("N16")
def test_a_post_is_held_back_until_it_is_released_and_each_state_stays_an_answer(workspace: Workspace):
    all_of_them = in_silver(workspace)
    bad, *_ = sorted(all_of_them)
    held = quarantine(workspace, [bad], reason=WHY)
    assert (held.posts, held.keys, in_silver(workspace)) == (1, 1, all_of_them)
    assert effect_of(workspace) == Effect(taken=0, again=0)
    run_tomorrow(workspace)
    position = str(workspace.ledger.position())
    assert in_silver(workspace) == all_of_them - {bad}
    assert effect_of(workspace) == Effect(taken=1, again=0)
    freed = release(workspace, held.quarantine.id, reason="the author is no bot, INC-4211")
    assert (freed.posts, freed.left) == ([bad], 0)
    run_tomorrow(workspace)
    assert in_silver(workspace) == all_of_them
    assert in_silver(workspace, as_of=position) == all_of_them - {bad}
    (then,), (now,) = (quarantines(workspace.audit.look, as_of) for as_of in (position, None))
    assert (then.state, now.state, now.released_by, now.rows_released) == ("held", "released", "ana", [bad])
    assert list(workspace.query(f"select count(*) from bronze_x_posts where post_id = '{bad}'").rows) == [(1,)]
    told = [(e.topic, e.by, e.data["reason"]) for e in workspace.events(0, ["quarantine.told", "quarantine.released"])]
    assert told == [
        ("quarantine.told", "ana", WHY),
        ("quarantine.released", "ana", "the author is no bot, INC-4211"),
    ]
    check_everything(workspace)


def test_a_batch_is_expanded_to_its_very_deliveries_and_earlier_ones_of_the_same_posts_count_again(
    workspace: Workspace,
):
    before = texts(workspace)
    ids = redeliver(workspace, "BUY $AAPL NOW")
    spam = small.backfill(workspace, 3, 3, dataset="bronze_x_posts")
    assert texts(workspace) != before
    (batch,) = [
        entry
        for entry in workspace.events(0, ["run.batch_appended"])
        if entry.stream == spam.id and entry.data["dataset"] == "bronze_x_posts"
    ]
    held = quarantine_batches(workspace, [str(batch.position)], reason=WHY)
    assert (held.posts, held.keys, held.shared) == (len(ids), batch.data["rows"], len(ids))
    assert held.dropped == batch.data["dropped"]
    (row,) = quarantines(workspace.audit.look)
    assert (row.rows, row.batches, row.shared) == ([], [batch.position], len(ids))
    run_tomorrow(workspace)
    assert texts(workspace) == before
    freed = release(workspace, held.quarantine.id, ids[:1], reason="this one was no ad, INC-4211")
    assert freed.left == len(set(ids)) - 1
    run_tomorrow(workspace)
    now = texts(workspace)
    assert {post_id for post_id in now if now[post_id] != before[post_id]} == set(ids[:1])
    assert quarantines(workspace.audit.look)[0].state == "released in part"
    check_everything(workspace)


def test_a_run_stands_for_all_its_batches_and_what_appended_no_posts_for_none(workspace: Workspace):
    (first,) = workspace.audit.look.runs()
    everything = workspace.query("select count(*) from bronze_x_posts").rows[0][0]
    assert quarantine_batches(workspace, [first.id], reason=WHY).keys == everything
    run_tomorrow(workspace)
    assert workspace.query("select count(*) from silver_social_events").rows[0][0] == 0
    for name in ("1", str(workspace.ledger.position() + 9)):
        with pytest.raises(UnknownBatchError):
            quarantine_batches(workspace, [name], reason=WHY)


def test_what_comes_again_of_a_held_post_is_held_counted_and_proposed_by_nobody(workspace: Workspace):
    bad = str(delivered(workspace)[0]["id"])
    held = quarantine(workspace, [bad], reason=WHY)
    run_tomorrow(workspace)
    clean = texts(workspace)
    ids = redeliver(workspace, "AGAIN")
    found = workspace.backfills.propose()
    (offered,) = [one for one in found if one.dataset == "bronze_x_posts" and one.is_request]
    (told,) = [one for one in found if one.kind == "quarantined"]
    assert (offered.posts, told.count, held.quarantine.id in told.reason) == (len(ids) - 1, 1, True)
    small.backfill(workspace, 3, 3, dataset="bronze_x_posts")
    assert bad not in texts(workspace) and texts(workspace) != clean
    assert effect_of(workspace) == Effect(taken=1, again=1)
    assert not [one for one in workspace.backfills.propose() if one.kind == "quarantined"]
    release(workspace, held.quarantine.id, reason="the author is no bot, INC-4211")
    run_tomorrow(workspace)
    assert texts(workspace)[bad].startswith("again ")


def test_notices_that_no_run_has_taken_are_proposed_and_taken_at_once_by_what_is_proposed(workspace: Workspace):
    workspace.incremental.run(last=date(2024, 1, 31))
    bad, *_ = sorted(in_silver(workspace))
    quarantine(workspace, [bad], reason=WHY)
    (offered,) = [one for one in workspace.backfills.propose() if one.dataset == "bronze_x_retractions"]
    (asked,) = workspace.backfills.submit([offered])
    assert asked.requested is not None
    assert not [one for one in workspace.backfills.propose() if one.dataset == "bronze_x_retractions"]
    workspace.backfills.approve(asked.requested)
    workspace.runs.drive(asked.requested)
    assert bad not in in_silver(workspace)
    assert not [one for one in workspace.backfills.propose() if one.dataset == "bronze_x_retractions"]


def test_two_quarantines_of_a_post_are_released_one_by_one_and_a_retraction_by_none(workspace: Workspace):
    bad, other, *_ = sorted(in_silver(workspace))
    one, two = (quarantine(workspace, [bad, other], reason=f"{WHY}, {n}") for n in (1, 2))
    retract(workspace, [other], reason="its author asked for it, LEGAL-17")
    release(workspace, one.quarantine.id, reason="the author is no bot, INC-4211")
    run_tomorrow(workspace)
    assert not {bad, other} & in_silver(workspace)
    release(workspace, two.quarantine.id, reason="the author is no bot, INC-4211")
    run_tomorrow(workspace)
    assert {bad, other} & in_silver(workspace) == {bad}


def test_who_releases_names_what_is_held_and_no_more_than_once(workspace: Workspace):
    bad, other, *_ = sorted(in_silver(workspace))
    with pytest.raises(UnknownPostError):
        quarantine(workspace, ["17"], reason=WHY)
    held = quarantine(workspace, [bad], reason=WHY)
    before = workspace.ledger.position()
    with pytest.raises(NotHeldError, match=other):
        release(workspace, held.quarantine.id, [other], reason=WHY)
    assert workspace.ledger.position() == before
    release(workspace, held.quarantine.id, [bad], reason=WHY)
    with pytest.raises(ReleasedError):
        release(workspace, held.quarantine.id, reason=WHY)


def test_where_its_notices_are_gone_bronze_says_what_a_quarantine_holds_and_else_nobody_does(workspace: Workspace):
    bad, *_ = sorted(in_silver(workspace))
    held = quarantine(workspace, [bad], reason=WHY)
    file = workspace.config.folder.parent / "retractions" / f"{held.quarantine.id}.jsonl"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"quarantine", b"delete", 1))
    with pytest.raises(NoticesGoneFault):
        release(workspace, held.quarantine.id, reason=WHY)
    file.write_bytes(content)
    run_tomorrow(workspace)
    file.unlink()
    assert release(workspace, held.quarantine.id, reason=WHY).posts == [bad]


def test_the_platform_is_asked_about_what_is_only_held_back(workspace: Workspace):
    posts = [str(post_id) for (post_id,) in workspace.query("select distinct post_id from bronze_x_posts").rows]
    quarantine(workspace, posts[:1], reason=WHY)
    retract(workspace, posts[1:2], reason="its author asked for it, LEGAL-17")
    run_tomorrow(workspace)
    with x_platform.platform() as platform:
        platform.posts = {post_id: x_platform.held(1) for post_id in posts[1:]}
        found = check(workspace, small.day(1), small.day(7))
    assert found.posts == len(posts) - 1
    assert found.retraction is not None
    assert found.retraction.rows == posts[:1]


def test_why_warns_of_rows_that_are_held_back(workspace: Workspace):
    bad, *_ = sorted(in_silver(workspace))
    ((ticker,),) = workspace.query(
        f"select min(ticker) from silver_social_events where event_date = '{DAY}' and post_id = '{bad}'"
    ).rows
    (first,) = workspace.audit.look.runs()
    held = [quarantine(workspace, [bad], reason=WHY), quarantine_batches(workspace, [first.id], reason=WHY)]
    day = date.fromisoformat(DAY)
    said = workspace.audit.look.why("silver_social_events", day, [bad, str(ticker)]).warnings
    assert [any(one.quarantine.id in text for text in said) for one in held] == [True, True]
    for one in held:
        release(workspace, one.quarantine.id, reason=WHY)
    assert not any(
        "held back" in text
        for text in workspace.audit.look.why("silver_social_events", day, [bad, str(ticker)]).warnings
    )


def test_a_definition_without_the_columns_takes_retractions_as_before_and_no_quarantine(tmp_path: Path):
    retracting.lay_out(tmp_path)
    folder = tmp_path / "ws" / "pipeline"
    bronze, silver = folder / "bronze_x_retractions.sql", folder / "silver_social_events.sql"
    text = bronze.read_text("utf-8").replace(', "revision", "quarantine", "is_released"]', "]")
    for column in ("null::varchar as revision", "null::varchar as quarantine", "null::boolean as is_released"):
        text = text.replace(f"    {column},\n", "")
    bronze.write_text(text, "utf-8")
    old = silver.read_text("utf-8").replace(
        "    group by post_id, revision, quarantine\n    having not bool_or(is_released)\n", ""
    )
    silver.write_text(old.replace("select post_id, revision\n", "select post_id, '' as revision\n"), "utf-8")
    with Workspace.create(tmp_path / "ws", source=retracting.sources(tmp_path), pipeline="pipeline") as made:
        made.incremental.run(last=small.day(7))
        with pytest.raises(NoQuarantinesError):
            quarantine(made, ["17"], reason=WHY)
        (bad,) = made.query("select min(post_id) from silver_social_events").rows[0]
        retract(made, [str(bad)], reason="its author asked for it, LEGAL-17")


LINE = {
    "id": "1742500000000000000",
    "action": "quarantine",
    "redacted_at": "2024-01-09T08:00:00.000Z",
    "reason": "spam",
    "quarantine": "quar-1",
    "revision": "ab",
}
DELIVERED = time_us("2024-02-01T00:00:00.000Z") or 0


def test_a_notice_of_a_quarantine_says_which_delivery_and_whether_it_is_released():
    for action in ("quarantine", "release"):
        found = notice_of(orjson.dumps({**LINE, "action": action}), DELIVERED, holds=True)
        assert isinstance(found, Row)
        assert found.values[5:] == ("ab", "quar-1", action == "release")
        assert isinstance(notice_of(orjson.dumps({**LINE, "action": action}), DELIVERED), Rejected)


@pytest.mark.parametrize("odd", [{"revision": 1}, {"quarantine": ""}, {"quarantine": None}, {"action": "hold"}])
def test_what_is_no_notice_of_a_quarantine_is_rejected(odd: dict[str, object]):
    assert isinstance(notice_of(orjson.dumps({**LINE, **odd}), DELIVERED, holds=True), Rejected)


def test_columns_of_quarantines_need_the_key_that_tells_them_apart():
    columns = tuple((name, "VARCHAR") for name in ("post_id", *HELD))
    assert XRetractions().problem(Stated(columns, "event_date", ("post_id", *HELD))) is None
    assert "its key is not" in str(XRetractions().problem(Stated(columns, "event_date", ("post_id",))))


def test_the_shell_says_which_batch_how_many_and_what_comes_next(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    tradex = ["-C", str(tmp_path / "ws")]
    bad, other, *_ = sorted(in_silver(workspace))
    (tmp_path / "ids.txt").write_text(f"{bad}\n\n{other}\n", "utf-8")
    assert run([*tradex, "bronze", "quarantine", "--file", str(tmp_path / "ids.txt"), "--reason", WHY]) == 0
    said = capsys.readouterr()
    assert "2 posts are held back: quar-" in said.out and "next: tradex run" in said.err
    (row,) = Reader(workspace.ledger.store).read(QUARANTINES)
    assert run([*tradex, "bronze", "list", "--format", "csv"]) == 0
    assert f'"{row.quarantine}"' in capsys.readouterr().out
    assert run([*tradex, "bronze", "list", row.quarantine]) == 0
    assert "notices_taken" in capsys.readouterr().out
    assert run([*tradex, "bronze", "release", row.quarantine, bad, "--reason", WHY]) == 0
    assert "1 posts are released; 1 are held back" in capsys.readouterr().out
    assert run([*tradex, "bronze", "list", "quar-none"]) == 4
    for wrong in ((), (bad, "--batch", "7")):
        assert run([*tradex, "bronze", "quarantine", *wrong, "--reason", WHY]) == 2
