"""A window as a pure task, and pipelines of one's own that run through it."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.lake import events, partitions, read_dataset
from tests.kit.windows import DAY_1, Content, digests, reading, task, write_base
from tradex_ledger.datasets.definition import DefinitionError
from tradex_ledger.driving.same_rows import first_difference
from tradex_ledger.driving.window import (
    OrderDependentError,
    ReadsOutsideWindowError,
    RepeatedKeyError,
    build_window,
)
from tradex_ledger.lake import writer
from tradex_ledger.lake.inputs import InputFile
from tradex_ledger.lake.storage import LakeFileError, sha256_of
from tradex_ledger.workspace import BUILT_IN, Workspace

COUNTS = "select day, id, sum(n)::bigint as n from base group by all"
RUNNING = """
    select p.day, b.id, sum(b.n)::bigint as n
    from partitions p join base b on b.day between p.day - 2 and p.day
    group by all
"""


@pytest.fixture
def base(tmp_path: Path) -> tuple[InputFile, ...]:
    """Eight days with rows, but for the fifth."""
    content = {d: [(i, d * i) for i in range(1, 2 + d % 3)] for d in range(1, 9) if d != 5}
    return write_base(tmp_path / "base", content)


# -- pure


@pytest.mark.norm("N7")
@pytest.mark.parametrize(("sql", "first"), [(COUNTS, 0), (RUNNING, -2)])
def test_a_day_has_the_same_bytes_alone_and_in_a_window_of_many_days(base: Any, tmp_path: Path, sql: str, first: int):
    reads = reading(first, 0, base)
    whole = digests(build_window(task(tmp_path / "whole", base, sql, range(1, 9), **reads)))
    again = digests(build_window(task(tmp_path / "again", base, sql, range(1, 9), **reads)))
    parts = (range(1, 4), range(4, 9))
    halves = [task(tmp_path / f"half{n}", base, sql, part, **reads) for n, part in enumerate(parts)]
    alone = [task(tmp_path / f"day{d}", base, sql, range(d, d + 1), **reads) for d in range(1, 9)]
    assert whole == again
    assert {d: f for half in halves for d, f in digests(build_window(half)).items()} == whole
    assert {d: f for one in alone for d, f in digests(build_window(one)).items()} == whole


@pytest.mark.parametrize("rows", [2_048, 65_536])
def test_the_bytes_are_the_same_however_many_rows_the_engine_hands_over_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
):
    base = write_base(tmp_path / "base", {day: [(i, i % 7) for i in range(50_000)] for day in (1, 2, 3)})
    as_ever = digests(build_window(task(tmp_path / "as-ever", base, COUNTS, range(1, 4), check_reads=False)))
    monkeypatch.setattr(writer, "BATCH_ROWS", rows)
    assert digests(build_window(task(tmp_path / "cut", base, COUNTS, range(1, 4), check_reads=False))) == as_ever


@settings(max_examples=8)
@given(
    st.dictionaries(
        st.integers(1, 6),
        st.lists(st.tuples(st.integers(0, 3), st.integers(-9, 9)), min_size=1, max_size=6),
        min_size=1,
    ),
    st.integers(1, 5),
)
def test_whatever_the_rows_and_the_cut_the_bytes_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, content: Content, cut: int
):
    folder = tmp_path_factory.mktemp("any")
    files = write_base(folder / "base", content)
    reads = reading(-2, 0, files)
    whole = digests(build_window(task(folder / "whole", files, RUNNING, range(1, 7), **reads)))
    parts = [range(1, cut + 1), range(cut + 1, 7)]
    cuts = [task(folder / f"part{n}", files, RUNNING, part, **reads) for n, part in enumerate(parts) if part]
    assert {d: f for one in cuts for d, f in digests(build_window(one)).items()} == whole


def test_a_task_travels_to_another_process_and_back(base: Any, tmp_path: Path):
    sent = pickle.loads(pickle.dumps(task(tmp_path / "out", base, COUNTS, range(1, 9))))
    assert pickle.loads(pickle.dumps(build_window(sent)))


def test_a_file_holds_its_own_day_with_the_partition_column_in_the_order_of_the_key(base: Any, tmp_path: Path):
    built = build_window(task(tmp_path / "out", base, f"{COUNTS} order by id desc", range(1, 9)))
    assert [file.day - DAY_1 + 1 for file in built] == [1, 2, 3, 4, 6, 7, 8]
    for file in built:
        rows = pq.read_table(file.path, partitioning=None).to_pylist()
        assert {row["day"].toordinal() for row in rows} == {file.day}
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
        assert (file.rows, file.bytes, file.sha256) == (len(rows), file.path.stat().st_size, sha256_of(file.path))


def test_no_input_at_all_is_an_input_without_rows(tmp_path: Path):
    assert build_window(task(tmp_path / "out", (), COUNTS, range(1, 4))) == []


# -- a definition that does not hold what it must


@pytest.mark.norm("N16")
@pytest.mark.parametrize("offset", ["- 1", "+ 1"])
def test_a_definition_that_looks_outside_its_reads_is_refused_both_ways(base: Any, tmp_path: Path, offset: str):
    sql = f"select p.day, b.id, b.n from partitions p join base b on b.day = p.day {offset}"
    with pytest.raises(ReadsOutsideWindowError, match="2024-01-0") as caught:
        build_window(task(tmp_path / "out", base, sql, range(2, 5)))
    assert caught.value.code == "reads-outside-window"
    assert caught.value.dataset == "made"
    assert "widen its reads" in caught.value.mend


@pytest.mark.parametrize(
    "sql",
    [
        "select day, id, sum(n) over (partition by id order by day)::bigint as n from base",
        "select day, id, n + (select count(*) from base) as n from base",
        "select day, id, n + (select count(*) from partitions) as n from base",
        "select day, id, row_number() over (order by day, id) as n from base",
    ],
)
def test_a_definition_whose_days_depend_on_their_window_is_refused(base: Any, tmp_path: Path, sql: str):
    with pytest.raises(ReadsOutsideWindowError):
        build_window(task(tmp_path / "out", base, sql, range(1, 5)))


def test_a_definition_that_declares_what_it_reads_is_built(base: Any, tmp_path: Path):
    sql = "select p.day, b.id, b.n from partitions p join base b on b.day = p.day + 1"
    built = build_window(task(tmp_path / "out", base, sql, range(2, 5), **reading(1, 1, base)))
    assert digests(built).keys() == {2, 3}


def test_a_repeated_key_is_refused_with_the_key(base: Any, tmp_path: Path):
    twice = f"{COUNTS} union all {COUNTS}"
    with pytest.raises(RepeatedKeyError, match="day = 2024-01-01, id = 1") as caught:
        build_window(task(tmp_path / "out", base, twice, range(1, 3)))
    assert caught.value.code == "repeated-key"
    missing_key = "select day, null::integer as id, sum(n)::bigint as n from base group by day, n"
    with pytest.raises(RepeatedKeyError, match="id = None"):
        build_window(task(tmp_path / "out2", base, missing_key, range(2, 3)))


@pytest.mark.parametrize("day", ["day + 1", "day - 1", "null::date", "date '1970-01-01'"])
def test_rows_of_days_that_were_not_asked_for_are_refused(base: Any, tmp_path: Path, day: str):
    with pytest.raises(DefinitionError, match="rows of other days") as caught:
        build_window(task(tmp_path / "out", base, f"select {day} as day, id, n from base", range(1, 3)))
    assert "join `partitions` on day" in caught.value.mend


@pytest.mark.parametrize("value", ["'x' || n", "error('odd')", "9223372036854775807 + n"])
def test_a_statement_that_fails_on_the_data_names_the_dataset_and_the_days(base: Any, tmp_path: Path, value: str):
    sql = f"select day, id, ({value})::bigint as n from base"
    with pytest.raises(DefinitionError, match=r"made fails on 2024-01-01\.\.2024-01-02"):
        build_window(task(tmp_path / "out", base, sql, range(1, 3)))


# -- a definition whose rows follow the order of its input

TIED: Content = {1: [(1, 5), (2, 5), (3, 5), (4, 2)], 2: [(1, 7), (2, 3), (3, 3)]}
BY_DAY = "select day, 1::integer as id, {}::bigint as n from base group by day"


@pytest.mark.parametrize(
    "sql",
    [
        BY_DAY.format("arg_max(id, n)"),
        BY_DAY.format("arg_min(id, day)"),
        BY_DAY.format("max_by(id, n)"),
        BY_DAY.format("mode(id)"),
        BY_DAY.format("first(id order by n desc)"),
        BY_DAY.format("last(id order by n)"),
        BY_DAY.format("list(id order by n desc)[1]"),
        "select day, id, row_number() over (partition by day order by n) as n from base",
        "select day, id, lag(id) over (partition by day order by n)::bigint as n from base",
        "select day, id, sum(id) over (partition by day order by n rows unbounded preceding)::bigint as n from base",
        "select day, id, n from base qualify row_number() over (partition by day order by n desc) = 1",
        "select distinct on (day) day, id, n from base order by day, n desc",
        "select p.day, b.id, b.n from partitions p, lateral "
        "(select id, n from base where base.day = p.day order by n desc limit 1) b",
        "select p.day, b.id, b.n from partitions p asof join base b on b.day <= p.day",
        "select day, arg_max(k, c)::integer as id, max(c) as n from "
        "(select day, id % 2 as k, count(*) as c from base group by all) group by day",
    ],
)
@pytest.mark.parametrize("days", [range(1, 3), range(1, 2)], ids=["two days", "one day"])
def test_what_takes_any_of_several_equals_is_refused_with_day_key_and_columns(tmp_path: Path, sql: str, days: range):
    files = write_base(tmp_path / "base", TIED)
    with pytest.raises(OrderDependentError, match=r"made gives other rows .* on 2024-01-01 differs: ") as caught:
        build_window(task(tmp_path / "out", files, sql, days))
    assert caught.value.code == "order-dependent"
    assert "day = 2024-01-01, id = " in caught.value.message
    assert "end each order by with the columns of a key" in caught.value.mend


@pytest.mark.parametrize("values", [[3, 3], [9, 4], [4, 9], [1, 2, 3], [3, 1, 2], [2, 1, 1, 2, 5], [7, 3, 3, 7]])
@pytest.mark.parametrize("kind", ["bigint", "double", "varchar"])
def test_a_mode_of_ties_is_found_however_the_engine_counts(tmp_path: Path, values: list[int], kind: str):
    files = write_base(tmp_path / "base", {1: list(enumerate(values))})
    sql = f"select day, 1::integer as id, mode(n::{kind}) as n from base group by day"
    made = task(tmp_path / "out", files, sql, range(1, 2))
    if len(set(values)) == 1:
        assert build_window(made)
    else:
        with pytest.raises(OrderDependentError, match="differs: n of the row with day = 2024-01-01, id = 1"):
            build_window(made)


@pytest.mark.parametrize(
    "sql",
    [
        BY_DAY.format("arg_max(id, (n, id))"),
        BY_DAY.format("max(n)"),
        BY_DAY.format("first(id order by n desc, id)"),
        BY_DAY.format("list(n order by n)[1]"),
        "select day, id, row_number() over (partition by day order by n, id) as n from base",
        "select day, id, rank() over (partition by day order by n) as n from base",
        "select day, id, sum(n) over (partition by day order by n)::bigint as n from base",
        "select day, id, n from base order by n",
        "select distinct day, 1::integer as id, n from base where n = 5 or n = 7",
    ],
)
def test_what_breaks_its_ties_or_has_none_is_built(tmp_path: Path, sql: str):
    files = write_base(tmp_path / "base", TIED)
    assert build_window(task(tmp_path / "out", files, sql, range(1, 3)))


@pytest.mark.parametrize(
    "value",
    [
        "sum(n / 7.0::double)",
        "avg(n / 7.0::double)",
        "stddev(n / 7.0::double)",
        "[sum(n / 7.0::double)]",
        "{'a': sum(n / 7.0::double), 'b': [avg(n * 0.1::double)]}",
        "map {'x': sum(n / 7.0::double)}",
        "sum(n / 7.0::double)::float",
        "sum(case when id % 2 = 0 then 0.1::double else -0.1::double end)",
    ],
)
def test_sums_of_doubles_are_allowed_at_any_depth(tmp_path: Path, value: str):
    content = {1: [(i, (i * 7919) % 1009) for i in range(1000)]}
    files = write_base(tmp_path / "base", content)
    sql = f"select day, 1::integer as id, {value} as n from base group by day"
    assert build_window(task(tmp_path / "out", files, sql, range(1, 2)))


@pytest.mark.parametrize("value", ["sum(c.n / 7)", "avg(ln(c.n + 2))", "stddev(c.n / 3)", "[sum(c.n * exp(c.n % 9))]"])
def test_sums_of_doubles_over_several_days_are_allowed_in_windows_of_any_cut(tmp_path: Path, value: str):
    content = {d: [(i, (i * 7919 + d * 104729) % 9973) for i in range(40)] for d in range(1, 9)}
    files = write_base(tmp_path / "base", content)
    sql = f"""
        select p.day, b.id, {value} as n
        from partitions p
        join base b using (day)
        join base c on c.id % 20 = b.id % 20 and c.day between p.day - 2 and p.day
        group by all
    """
    reads = reading(-2, 0, files)
    whole = build_window(task(tmp_path / "whole", files, sql, range(3, 9), **reads))
    alone = [build_window(task(tmp_path / f"{d}", files, sql, range(d, d + 1), **reads))[0] for d in range(3, 9)]
    pairs = list(zip(whole, alone, strict=True))
    assert any(one.sha256 != other.sha256 for one, other in pairs)
    assert [first_difference(one.path, other.path, ("day", "id")) for one, other in pairs] == [None] * 6


def test_the_day_with_most_input_is_looked_at(tmp_path: Path):
    untied: Content = {d: [(1, 1)] for d in range(1, 6)}
    files = write_base(tmp_path / "base", {**untied, 3: [(i, 1) for i in range(2000)]})
    with pytest.raises(OrderDependentError, match="2024-01-03"):
        build_window(task(tmp_path / "out", files, BY_DAY.format("arg_max(id, n)"), range(1, 6)))


def test_the_rows_of_reference_data_are_turned_too(base: Any, tmp_path: Path):
    words = (("words", "word,weight\nup,1\ndown,1\n"),)
    sql = "select day, 1::integer as id, (select arg_max(word, weight) from words) as n from base group by day"
    with pytest.raises(OrderDependentError):
        build_window(task(tmp_path / "out", base, sql, range(1, 2), references=words))


def test_a_day_in_the_middle_that_reads_outside_its_window_is_not_taken_for_a_tie(tmp_path: Path):
    files = write_base(tmp_path / "base", {1: [(1, 1)], 2: [(i, 2) for i in range(500)], 3: [(1, 2)]})
    sql = "select day, id, n + (select count(distinct n) from base where day < date '2024-01-03') as n from base"
    with pytest.raises(ReadsOutsideWindowError):
        build_window(task(tmp_path / "out", files, sql, range(1, 4)))


def test_where_no_rows_are_read_there_is_no_order(tmp_path: Path):
    assert build_window(task(tmp_path / "out", (), "select day, 1 as id, 2 as n from partitions", range(1, 2)))


# -- an input that is not as it was written


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "edited": (flip, "has other bytes than were written"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-7]), "bytes, not"),
    "missing": (lambda path: path.unlink(), "is missing"),
    "a folder": (replace_by_folder, "base/3.parquet"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_input_that_is_not_as_it_was_written_is_refused_by_name(base: Any, tmp_path: Path, damage: str):
    change, problem = DAMAGES[damage]
    change(base[2].path)
    with pytest.raises(LakeFileError, match=problem) as caught:
        build_window(task(tmp_path / "out", base, COUNTS, range(1, 5)))
    assert "base/3.parquet" in caught.value.message
    assert caught.value.code == "lake-file"
    assert not (tmp_path / "out").exists()


# -- pipelines of one's own

LENGTHS = """\
-- /// dataset
-- layer = "silver"
-- partition = "event_date"
-- key = ["post_id"]
-- reads = { bronze_x_posts = "0d" }
-- ///
select event_date, post_id, max(length(text))::bigint as characters from bronze_x_posts group by all
"""
SO_FAR = """\
-- /// dataset
-- layer = "gold"
-- partition = "date"
-- key = ["date"]
-- component = "total_version"
-- reads = { silver_lengths = "0d", gold_so_far = "-1d" }
-- columns = { date = "DATE", posts = "BIGINT", characters = "BIGINT" }
-- ///
select
    p.date,
    coalesce(max(b.posts), 0) + count(s.post_id) as posts,
    coalesce(max(b.characters), 0) + coalesce(sum(s.characters), 0)::bigint as characters
from partitions p
left join silver_lengths s on s.event_date = p.date
left join gold_so_far b on b.date = p.date - 1
group by p.date
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with a pipeline folder of its own; the posts of two days come late."""
    source, folder = tmp_path / "posts", tmp_path / "ws"
    small.deliver(source, days=6)
    shutil.move(source, tmp_path / "all")
    source.mkdir()
    (folder / "pipeline").mkdir(parents=True)
    for name in ("bronze_x_posts", "bronze_x_posts__rejected"):
        shutil.copy(BUILT_IN / f"{name}.sql", folder / "pipeline")
    (folder / "pipeline" / "silver_lengths.sql").write_text(LENGTHS, encoding="utf-8")
    (folder / "pipeline" / "gold_so_far.sql").write_text(SO_FAR, encoding="utf-8")
    for path in sorted((tmp_path / "all").iterdir()):
        if path.name[:10] not in ("2024-01-03", "2024-01-04"):
            shutil.copy(path, source)
    with small.create(folder, f"files:{source}", pipeline="pipeline") as workspace:
        yield workspace


def expected_so_far(workspace: Workspace) -> list[tuple[Any, ...]]:
    """The running totals, added up here."""
    lengths = read_dataset(workspace, "silver_lengths")
    totals, posts, characters = [], 0, 0
    for number in range(1, 7):
        today = [row for row in lengths if row[0] == small.day(number)]
        posts, characters = posts + len(today), characters + sum(row[2] for row in today)
        totals.append((small.day(number), posts, characters))
    return totals


def deliver_late(workspace: Workspace) -> None:
    for path in (workspace.config.folder.parent / "all").iterdir():
        shutil.copy(path, workspace.config.folder.parent / "posts")


class Stop(BaseException):
    """The driver dies here."""


def test_a_dataset_that_reads_its_own_earlier_days_runs_and_is_backfilled_in_order(own: Workspace):
    own.incremental.run(last=small.day(6))
    assert {p["dataset"] for p in partitions(own) if p["layer"] != "bronze"} == {"silver_lengths", "gold_so_far"}
    versioned = {e["dataset"]: e["data"] for e in events(own, "topic = 'dataset.logic_versioned'")}
    assert json.loads(versioned["gold_so_far"])["definition"] == SO_FAR
    before = read_dataset(own, "gold_so_far")
    assert before == expected_so_far(own)
    deliver_late(own)

    def die(stage: str, done: int, total: int) -> None:
        if stage == "gold_so_far" and done == 2:
            raise Stop

    run_id = small.request(own, 3, 4)
    own.backfills.approve(run_id)
    with pytest.raises(Stop):
        own.runs.drive(run_id, progress=die)
    assert read_dataset(own, "gold_so_far") == before
    assert own.runs.drive(run_id).status == "SUCCESS"
    after = read_dataset(own, "gold_so_far")
    assert after == expected_so_far(own)
    assert after[:2] == before[:2]
    assert after[2:] != before[2:]
    rebuilt = [e for e in events(own, "topic = 'run.partition_rebuilt'") if e["run_id"] == run_id]
    days = [e["partition"].day for e in rebuilt if e["dataset"] == "gold_so_far"]
    assert days == [3, 4, 5, 6]  # each once, although the driver died half-way
    check_everything(own)
