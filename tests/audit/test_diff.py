"""What changed: rows by their key, against the same worked out by hand; and which sides are held against each other."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import worlds
from tests.kit import small
from tradex_ledger.audit.changes import Sides, WhereError, changes, check_where
from tradex_ledger.cli.main import run
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.audit import RevertedError

DAYS = (date(2024, 1, 1), date(2024, 1, 2))
Row = tuple[date, str | None, str | None, int | None]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(DAYS),
        st.sampled_from(("a", "b", 'c"', None)),
        st.sampled_from(("x", "y", "", None)),
        st.sampled_from((0, 1, None)),
    ),
    max_size=8,
    unique_by=lambda row: row[:2],
)
SIDES = Sides("select * from b", "select * from a", "day", ["k"])


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def laid(connection: duckdb.DuckDBPyConnection, name: str, rows: list[Row]) -> None:
    connection.execute(f"create or replace table {name} (day date, k varchar, signal varchar, n integer)")
    if rows:
        connection.executemany(f"insert into {name} values (?, ?, ?, ?)", rows)


@settings(max_examples=60, deadline=None)
@given(before=ROWS, after=ROWS)
def test_rows_are_told_by_their_key_as_one_would_by_hand(
    connection: duckdb.DuckDBPyConnection, before: list[Row], after: list[Row]
) -> None:
    laid(connection, "b", before)
    laid(connection, "a", after)
    found = changes(connection, SIDES, where=None, samples=100)
    old, new = ({row[:2]: row[2:] for row in rows} for rows in (before, after))
    for day in DAYS:
        gone = [key for key in old if key[0] == day and key not in new]
        added = [key for key in new if key[0] == day and key not in old]
        changed = [key for key in old if key[0] == day and key in new and old[key] != new[key]]
        if day not in found:
            assert not gone and not added and not changed
            continue
        one = found[day]
        assert (one.gone, one.new, one.changed) == (len(gone), len(added), len(changed))
        signals = Counter((old[key][0], new[key][0]) for key in changed if old[key][0] != new[key][0])
        assert {(move.before, move.after): move.rows for move in one.transitions} == signals
        numbers = sum(old[key][1] != new[key][1] for key in changed)
        assert one.columns == {name: n for name, n in (("signal", signals.total()), ("n", numbers)) if n}
        kinds = Counter(sample.kind for sample in one.samples)
        assert (kinds["gone"], kinds["new"], kinds["changed"]) == (one.gone, one.new, one.changed)
        for sample in one.samples:
            key = (day, next(k for _, k in {*old, *new} if k == sample.key["k"]))
            if sample.kind == "changed":
                both = zip(("signal", "n"), old[key], new[key], strict=True)
                assert sample.changed == {name: [a, b] for name, a, b in both if a != b}


def test_a_key_of_several_rows_shows_in_the_counts(connection: duckdb.DuckDBPyConnection) -> None:
    twice: list[Row] = [(DAYS[0], "a", "x", 1), (DAYS[0], "a", "y", 1)]
    laid(connection, "b", twice)
    laid(connection, "a", twice)
    assert changes(connection, SIDES, where=None, samples=0)[DAYS[0]].rows_before == 4


def test_a_condition_chooses_rows_by_either_side(connection: duckdb.DuckDBPyConnection) -> None:
    laid(connection, "b", [(DAYS[0], "a", "x", 1), (DAYS[0], "b", "x", 1)])
    laid(connection, "a", [(DAYS[0], "a", "y", 1), (DAYS[0], "b", "x", 2)])
    for where, changed in (("signal = 'y'", 1), ("signal = 'x'", 2), ("n = 7", 0), ("null", 0)):
        assert changes(connection, SIDES, where=where, samples=0)[DAYS[0]].changed == changed


@pytest.mark.parametrize(
    "where",
    ["", "1=1; drop table a", "k in (select k from other)", "exists(from read_csv('/etc/passwd'))", "1) --", "("],
)
def test_what_is_no_condition_is_refused(connection: duckdb.DuckDBPyConnection, where: str) -> None:
    with pytest.raises(WhereError):
        check_where(connection, where)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.copied(tmp_path_factory.mktemp("diff"))


def test_what_a_run_changed_is_what_it_would_have_changed_and_what_lies_between_two_positions(week: Path) -> None:
    (week.parent / "posts" / "late.jsonl").write_text(small.LATE, encoding="utf-8")
    with Workspace.open(week, actor="ana") as workspace:
        run_id = small.request(workspace, 3, 3, review=True)
        workspace.backfills.approve(run_id)
        assert workspace.runs.drive(run_id).status == "HELD"
        before = workspace.ledger.position()
        would = workspace.audit.diff(run_id)
        assert workspace.audit.diff_candidate(run_id) == would
        assert {one.dataset for one in would} >= {"silver_social_events", "gold_metrics", "gold_signals"}
        (silver,) = [one for one in would if one.dataset == "silver_social_events"]
        assert (silver.rows_new, silver.rows_gone, silver.rows_changed) == (1, 0, 0)
        assert [sample.kind for sample in silver.samples] == ["new"]
        workspace.runs.release(run_id, reason="looked at it, INC-4211")
        assert workspace.runs.drive(run_id).status == "SUCCESS"
        after = workspace.ledger.position()
        did = workspace.audit.diff(run_id)
        assert [one for one in did if not one.dataset.startswith("bronze")] == would
        for dataset in {one.dataset for one in would}:
            between = workspace.audit.diff_positions(dataset, str(before), str(after))
            assert between == [one for one in would if one.dataset == dataset]
            assert workspace.audit.diff_positions(dataset, str(after), str(after)) == []
            back = workspace.audit.diff_positions(dataset, str(after), str(before))
            assert [(one.rows_new, one.rows_gone) for one in back] == [(x.rows_gone, x.rows_new) for x in between]
        chosen = workspace.audit.diff(run_id, where="false")
        assert chosen == []
        assert sum(len(one.samples) for one in workspace.audit.diff(run_id, samples=0)) == 0
        workspace.backfills.revert(run_id, reason="it was not ours, INC-4212")
        with pytest.raises(RevertedError):
            workspace.audit.diff(run_id)


def test_it_is_asked_by_one_command(week: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-C", str(week), "audit", "diff"]) == 2
    assert run(["-C", str(week), "audit", "diff", "gold_signals", "--between", "1", "20", "--versions", "1", "2"]) == 2
    assert run(["-C", str(week), "audit", "diff", "gold_signals", "--between", "1", "2"]) == 0
    assert "nothing differs" in capsys.readouterr().err
    with Workspace.open(week, reading=True) as workspace:
        newest = str(workspace.ledger.position())
    assert run(["-C", str(week), "audit", "diff", "gold_signals", "--between", "1", newest, "--format", "csv"]) == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[0].startswith('"dataset","partition","kind","key"')
    assert "of them are shown" in told.err


def test_a_run_that_has_built_nothing_is_not_told_to_differ_in_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = worlds.copied(tmp_path)

    def told(*words: str) -> str:
        assert run(["-C", str(folder), "audit", "diff", *words]) == 3
        said = capsys.readouterr()
        assert "nothing differs" not in said.err and not said.out
        return " ".join(said.err.split())

    with Workspace.open(folder, actor="ana") as workspace:
        run_id = small.request(workspace, 3, 3, review=True)
        planned = str(workspace.ledger.position())
        for words in ((run_id,), ("--candidate", run_id)):
            assert f"{run_id} is PLANNED: it has built nothing yet that could be compared" in told(*words)
        assert f"tradex backfill show {run_id}, then approve {run_id}" in told(run_id)
        workspace.backfills.approve(run_id)
        assert "is APPROVED: it has built nothing yet that could be compared" in told(run_id)
        assert f"tradex backfill run {run_id}" in told(run_id)
        workspace.runs.drive(run_id)
        assert workspace.audit.diff(run_id) == workspace.audit.diff_candidate(run_id) == []
        assert "is PLANNED" in told(run_id, "--as-of", planned)
        workspace.runs.release(run_id, reason="looked at it, INC-4214")
        workspace.runs.drive(run_id)
        other = small.request(workspace, 3, 3, review=True)
        workspace.backfills.reject(other, reason="not needed any more, INC-4213")
        assert "is REJECTED: it has built nothing that could be compared" in told(other)
        assert f"tradex backfill show {other}" in told(other)
