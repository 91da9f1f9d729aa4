"""Why a partition is as it is: worked out again from the base, checked by the digest, told to people and programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.lake_folder import root_of
from tradex_ledger.audit import origins as traced
from tradex_ledger.audit.documents.why import WhyDocument
from tradex_ledger.audit.look import Look
from tradex_ledger.audit.reader import Reader
from tradex_ledger.cli.main import run
from tradex_ledger.relations.asked import inputs_of
from tradex_ledger.relations.data import PARTITION_HISTORY, PartitionInput
from tradex_ledger.workspace import Workspace

LATE = (
    '{"id":"1741941000000000001","text":"late $TSLA $AAPL","author_id":"9","created_at":"2024-01-03T10:00:00.000Z"}\n'
)
WORSE = '{"id":"1741941000000000002","text":"later $TSLA","author_id":"8","created_at":"2024-01-03T11:00:00.000Z"}\n'


@dataclass
class Told:
    """A workspace with a backfill of late posts, and another that died before it built anything of its posts."""

    folder: Path
    run: str
    backfill: str
    half_done: str
    look: Look

    def why(self, table: str, day: int, *key: str, **options: Any) -> WhyDocument:
        return self.look.why(table, small.day(day), key, **options)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("why")
    ws = worlds.copied(folder)
    posts = folder / "posts"
    (posts / "2024-01-09-late.jsonl").write_text(LATE, encoding="utf-8")
    with small.reopen(ws, "maria") as workspace:
        first = workspace.audit.look.runs()[0].id
        wanted = small.request(workspace, 3, 3)
    with small.reopen(ws, "ana") as workspace:
        workspace.backfills.approve(wanted)
        workspace.runs.drive(wanted)
        (posts / "2024-01-10-late.jsonl").write_text(WORSE, encoding="utf-8")
        half_done = small.request(workspace, 3, 3)
        workspace.backfills.approve(half_done)
        with pytest.raises(KeyboardInterrupt):
            workspace.runs.drive(half_done, progress=_stop)
    return Told(ws, first, wanted, half_done, Look.open(ws))


def _stop(stage: str, done: int, total: int) -> None:
    if stage == "silver_social_events":
        raise KeyboardInterrupt


def test_all_that_was_ever_built_is_traced_to_the_very_inputs_on_record(told: Told):
    reader = Reader(told.look.store)
    built = reader.read(PARTITION_HISTORY, "outcome <> 'appended' order by position")
    found = traced.origins(reader, [row.position for row in built])
    assert len(found.builds) == len(built) >= 40
    assert all(build.is_proven for build in found.builds)
    assert {batch.dataset for batch in found.batches} == {"bronze_x_posts"}
    named = {position for build in found.builds for position in build.made_of}
    assert named == {one.position for one in found.builds if one.position in named} | {
        b.position for b in found.batches
    }


def test_inputs_that_are_not_those_on_record_are_told(told: Told, monkeypatch: pytest.MonkeyPatch):
    def less(*arguments: Any) -> list[PartitionInput]:
        return [row for row in inputs_of(*arguments) if row.input_partition != small.day(4)]

    monkeypatch.setattr("tradex_ledger.audit.origins.inputs_of", less)
    found = told.why("gold_signals", 5)
    assert not all(build.is_proven for build in found.inputs)
    assert "cannot be told for sure" in found.warnings[0]


def test_a_day_is_told_with_its_run_its_people_and_what_it_replaced(told: Told):
    found = told.why("gold_signals", 3)
    assert found.version is not None and found.replaced is not None
    assert (found.version.run_id, found.replaced.run_id) == (told.backfill, told.run)
    assert found.rows == found.version.rows == sum(file.rows for file in found.version.files)
    by_id = {one.run_id: one for one in found.runs}
    assert by_id.keys() == {told.run, told.backfill}
    asked = by_id[told.backfill]
    assert (asked.requested_by, asked.reason) == ("maria", small.REASON)
    (approved,) = asked.decisions
    assert (approved.decision, approved.by, approved.rule) == ("approved", "ana", None)
    assert approved.base is not None and approved.base < approved.position
    assert [one.cursor_from for one in asked.extractions] == ["2024-01-03T00:00:00.000000Z"]
    assert {one.dataset for one in found.logic} == {build.dataset for build in found.inputs} | {"bronze_x_posts"}
    assert {batch.partition for batch in found.batches} == {"2024-01-01", "2024-01-02", "2024-01-03"}


def test_as_of_before_a_backfill_it_is_what_was_there_then(told: Told):
    before = told.why("gold_signals", 3, as_of=f"{told.backfill}^")
    now = told.why("gold_signals", 3)
    assert before.version == now.replaced
    assert before.replaced is None
    assert [one.run_id for one in before.runs] == [told.run]
    assert told.why("gold_signals", 3, as_of=told.backfill).version == now.version


def test_what_came_in_since_is_told_and_only_where_it_matters(told: Told):
    late = [text for text in told.why("gold_signals", 3).warnings if "rows came in later" in text]
    assert len(late) == 1
    assert late[0].startswith("bronze_x_posts of 2024-01-03: rows came in later, the last since position ")
    assert "the silver_social_events shown here was made of what it was before" in late[0]
    assert told.why("gold_signals", 2).warnings == []
    assert told.why("gold_signals", 3, as_of=told.backfill).warnings == []
    assert any("bronze_x_posts of 2024-01-03" in text for text in told.why("gold_baselines", 5).warnings)


def test_what_was_kept_of_a_version_is_told(told: Told):
    """Days of a backfill whose inputs did not change, or came out the same."""
    reader = Reader(told.look.store)
    kept = reader.read(PARTITION_HISTORY, "run_id = ? and outcome in ('identical', 'reused')", told.backfill)
    assert kept
    for row in kept[:2]:
        found = told.look.why(row.dataset, row.partition)
        assert found.version is not None and found.written is not None and found.replaced is not None
        assert found.version.outcome == row.outcome
        assert found.version.files == found.written.files == found.replaced.files
        assert found.written.run_id == told.run


def test_bronze_is_its_batches(told: Told):
    found = told.why("bronze_x_posts", 3)
    assert found.version is None and found.inputs == []
    assert {batch.run_id for batch in found.batches} == {told.run, told.backfill, told.half_done}
    assert found.rows == sum(batch.rows for batch in found.batches)
    assert len(told.why("bronze_x_posts", 3, as_of=told.backfill).batches) == len(found.batches) - 1


# -- a row, and what is behind it


def test_a_row_is_told_with_the_rows_behind_it(told: Told):
    found = told.why("gold_signals", 3, "TSLA", as_of=told.backfill)
    row, *behind = found.row
    assert (row.dataset, row.by, row.total, row.rows[0]["ticker"]) == ("gold_signals", ["ticker"], 1, "TSLA")
    by_dataset = {one.dataset: one for one in behind}
    assert [*by_dataset][2:] == ["silver_social_events", "bronze_x_posts"]
    assert {*by_dataset} >= {"gold_metrics", "gold_baselines"}
    assert all(one["ticker"] == "TSLA" for one in by_dataset["silver_social_events"].rows)
    posts = {one["post_id"] for one in by_dataset["silver_social_events"].rows}
    assert by_dataset["bronze_x_posts"].by == ["post_id"]
    assert {one["post_id"] for one in by_dataset["bronze_x_posts"].rows} == posts >= {"1741941000000000001"}
    assert found.row == told.why("gold_signals", 3, "ticker=TSLA", as_of=told.backfill).row


def test_of_rows_only_those_that_were_there_then(told: Told):
    found = told.why("silver_social_events", 3, "1741941000000000001")
    assert [one.dataset for one in found.row] == ["silver_social_events", "bronze_x_posts"]
    assert found.row[0].total == 2  # one a ticker
    assert _ended(told, "why", "silver_social_events", "2024-01-03", "1741941000000000001", "--as-of", told.run) == 4


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("gold_signals", "2024-01-03", "A", "B"), 2, "one value too many"),
        (("gold_signals", "2024-01-03", "NOBODY"), 4, "has no row with ticker NOBODY"),
        (("gold_signals", "2025-01-03"), 4, "has no 2025-01-03"),
        (("gold_nothing", "2024-01-03"), 4, "there is no table"),
        (("gold_signals_v9", "2024-01-03"), 4, "there is no table"),
        (("gold_signals", "somewhen"), 2, "somewhen"),
        (("gold_signals", "2024-01-03", "--as-of", "0"), 4, "positions 1 to"),
        (("gold_signals", "2024-01-03", "--as-of", "bf-zzzzzzzz"), 4, "there is no run"),
    ],
)
def test_what_is_not_there_is_told_with_a_way_out(
    told: Told, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, said: str
):
    assert _ended(told, "why", *arguments) == status
    error = capsys.readouterr().err
    assert said in error and "mend: " in error


def test_rows_of_a_file_that_is_gone_are_told_and_end_nothing_but_the_row_itself(tmp_path: Path):
    ws = worlds.copied(tmp_path)
    look = Look.open(ws)
    with Workspace.open(ws, reading=True) as workspace:
        (batch,) = sorted(root_of(workspace).glob("bronze_x_posts/event_date=2024-01-03/*.parquet"))
        (own,) = sorted(root_of(workspace).glob("gold_signals/*/date=2024-01-03/*.parquet"))
    ticker = look.query("select min(ticker) from gold_signals where date = '2024-01-03'").rows[0][0]
    batch.unlink()
    found = look.why("gold_signals", small.day(3), [ticker])
    assert "bronze_x_posts" not in {one.dataset for one in found.row}
    assert any(text.startswith("the rows of bronze_x_posts cannot be shown: ") for text in found.warnings)
    own.unlink()
    assert look.why("gold_signals", small.day(3)).rows
    assert run(["-C", str(ws), "audit", "why", "gold_signals", "2024-01-03", ticker]) == 6


# -- what else there is to know


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Workspace]:
    with small.reopen(worlds.copied(tmp_path, pipeline=True, thin=True)) as workspace:
        yield workspace


def test_other_logic_is_told(own: Workspace):
    look = own.audit.look
    small.edit(own, "gold_metrics", "count(*)::bigint as mentions", "(count(*) + 0)::bigint as mentions")
    own.datasets.bump("gold_metrics", reason="mentions are counted anew, INC-7")
    (text,) = look.why("gold_metrics", small.day(3)).warnings
    assert text == "gold_metrics has a newer logic by now: version 2, mentions are counted anew, INC-7"
    small.backfill(own, 3, 3, kind="logical", dataset="gold_metrics")
    new, old = look.why("gold_metrics", small.day(3)), look.why("gold_metrics_v1", small.day(3))
    assert (new.logic_version, old.logic_version) == (2, 1)
    assert new.replaced == old.version
    own.datasets.deprecate("gold_metrics", 1, reason="version 2 is what counts")
    assert "version 1 of gold_metrics is deprecated" in look.why("gold_metrics_v1", small.day(3)).warnings
    then = look.why("gold_metrics_v1", small.day(3), as_of=str(new.as_of.position))
    assert not any("deprecated" in text for text in then.warnings)


def test_the_text_of_the_logic_is_printed_where_it_is_asked_for(told: Told, capsys: pytest.CaptureFixture[str]):
    assert _ended(told, "why", "gold_metrics", "2024-01-03", "--text") == 0
    assert "-- gold_metrics, version 1\n-- /// dataset" in capsys.readouterr().out
    assert all(one.definition for one in told.why("gold_metrics", 3, text=True).logic)
    assert not any(one.definition for one in told.why("gold_metrics", 3).logic)


def test_it_is_read_on_a_terminal_of_80_columns(told: Told, capsys: pytest.CaptureFixture[str]):
    for arguments in (("gold_signals", "2024-01-03"), ("gold_signals", "2024-01-03", "TSLA")):
        assert _ended(told, "why", *arguments) == 0
        printed = capsys.readouterr()
        lines = printed.out.splitlines()
        assert max(map(len, lines)) <= 80
        # A row is not built again alone.
        assert ("next: tradex audit reproduce gold_signals 2024-01-03" in printed.err) == (len(arguments) == 2)
    said = " ".join(" ".join(lines).split())
    assert f"It was made by {told.backfill}, the temporal backfill" in said
    assert f"It replaced what {told.run} made" in said
    assert small.REASON in said
    assert "approved by ana" in said
    assert "bronze_x_posts by post_id" in said


def test_as_a_document_it_says_where_it_stands(told: Told, capsys: pytest.CaptureFixture[str]):
    assert _ended(told, "why", "gold_signals", "2024-01-03", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["as_of"]["position"] == told.look.store.position()
    positions = {one["position"] for one in (*document["inputs"], *document["batches"])}
    assert all(set(one["made_of"]) <= positions for one in document["inputs"])
    assert {"ledger", "root", "sealed"} < document["as_of"].keys()


def _ended(told: Told, *arguments: str) -> int:
    ask: Callable[[list[str]], int] = run
    return ask(["-C", str(told.folder), "audit", *arguments])
