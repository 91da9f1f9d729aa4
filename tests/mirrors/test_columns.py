"""Columns of all kinds, days without a row, and versions with other columns, as readers of mirrors have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import foreign_engine, mirror_checks, mirrored, small
from tradex_ledger.domain.mirrors import DELTA, DUCKLAKE
from tradex_ledger.mirrors.column_words import NoSuchTypeError, Type, delta_type, ducklake_type, type_of
from tradex_ledger.workspace import Workspace

KINDS_OF_ALL = """\
-- /// dataset
-- layer = "gold"
-- partition = "date"
-- key = ["date", "ticker"]
-- component = "kinds_version"
-- reads = { gold_metrics = "0d" }
-- ///
select
    date, ticker, mentions::tinyint as a_byte, mentions::smallint as a_short, mentions::integer as an_int,
    mentions::float as a_float, mentions::hugeint as a_huge, (mentions * 1.5)::decimal(18, 4) as a_decimal,
    mentions > 1 as a_truth, date::timestamp as a_time,
    [mentions, null] as a_list, {'a': ticker, 'b c': [mentions]} as a_struct, map([ticker], [mentions]) as a_map,
    encode(ticker) as a_blob, null::varchar as nothing
from gold_metrics
where date <> date '2024-01-02'
"""
A_TIME = """\
-- /// dataset
-- layer = "gold"
-- partition = "date"
-- key = ["date", "ticker"]
-- component = "times_version"
-- reads = { gold_metrics = "0d" }
-- ///
select
    date, ticker, time '10:00:00' as o_clock, mentions::utinyint as u8, mentions::usmallint as u16,
    mentions::uinteger as u32, mentions::ubigint as u64, '00000000-0000-0000-0000-00000000000a'::uuid as id,
    date::timestamp_s as in_s, date::timestamp_ms as in_ms, date::timestamp_ns as in_ns
from gold_metrics
"""


def define(ws: Path, name: str, text: str) -> None:
    (ws / "pipeline" / f"{name}.sql").write_text(text, encoding="utf-8")


def built(workspace: Workspace, dataset: str) -> None:
    """Run, and build its earlier days."""
    workspace.incremental.run(last=small.day(5))
    small.backfill(workspace, 1, 3, kind="dataset", dataset=dataset)


def test_columns_of_all_kinds_and_a_day_without_rows_are_the_same_to_all_readers(ws: Path):
    define(ws, "gold_kinds", KINDS_OF_ALL)
    with small.reopen(ws) as workspace:
        built(workspace, "gold_kinds")
        empty = "select rows from partitions where dataset = 'gold_kinds' and partition = '2024-01-02'"
        assert workspace.query(empty).rows == [(0,)]
        _, differing = mirror_checks.differing(workspace, without=("bronze_x_posts", "silver_social_events"))
        assert differing == []


def test_a_type_that_delta_has_no_word_for_leaves_out_that_dataset_alone_and_is_said(ws: Path):
    define(ws, "gold_times", A_TIME)
    with small.reopen(ws) as workspace:
        built(workspace, "gold_times")
        found = {one.kind: one for one in workspace.mirrors.all()}
        assert found[DELTA].left_out == {"gold_times": "Delta has no type for TIME"}
        assert found[DUCKLAKE].left_out == {}
        assert not any(one.behind or one.problem for one in found.values())
        assert not (mirrored.delta_folder(ws) / "gold_times").exists()
        _, differing = mirror_checks.differing(workspace, without=("bronze_x_posts", "silver_social_events"))
        assert differing == []
        before = mirrored.held(ws)
        workspace.mirrors.rebuild()
        assert mirrored.held(ws) == before
        position = workspace.ledger.position()
        asks = [{"of": "ducklake", "table": "gold_times"}]
        assert foreign_engine.ask(f"sqlite:{mirrored.catalog_file(ws)}", asks) == [
            foreign_engine.ours(workspace, "gold_times", position)
        ]


def test_readers_get_the_columns_of_the_version_that_they_read_and_then_those_of_before(ws: Path):
    with small.reopen(ws) as workspace:
        for number, (old, new) in enumerate(
            (
                ("count(*)::bigint as mentions,", "count(*)::bigint as mentions, count(*)::integer as more,"),
                (
                    "count(*)::bigint as mentions, count(*)::integer as more,",
                    "count(*)::bigint as mentions, 'x' as more,",
                ),
            )
        ):
            small.edit(workspace, "gold_metrics", old, new)
            workspace.datasets.bump("gold_metrics", reason="another column is wanted, INC-4400")
            small.backfill(workspace, 1, 2 + number, kind="logical", dataset="gold_metrics")
        names = [
            foreign_engine.ours(workspace, "gold_metrics", at)["columns"] for at in mirrored.positions(ws) if at > 20
        ]
        assert {len(one) for one in names} == {6, 7}
        _, differing = mirror_checks.differing(workspace, thin=4, without=("bronze_x_posts", "silver_social_events"))
        assert differing == []
        last = workspace.audit.look.runs(kind="backfill", status="SUCCESS")[0]
        workspace.backfills.revert(last.id, reason="the column was meant otherwise, INC-4401")
        _, differing = mirror_checks.differing(workspace, without=("bronze_x_posts", "silver_social_events"))
        assert differing == []
        before = mirrored.held(ws)
        workspace.mirrors.rebuild()
        assert mirrored.held(ws) == before


@pytest.mark.parametrize(
    ("text", "delta", "ducklake"),
    [
        ("DECIMAL(10, 2)", "decimal(10,2)", "decimal(10,2)"),
        ("TIMESTAMP", "timestamp_ntz", "timestamp"),
        ("TIMESTAMP WITH TIME ZONE", "timestamp", "timestamptz"),
        ("ENUM('a', 'b')", "string", "varchar"),
        ("HUGEINT", "decimal(38,0)", "decimal(38,0)"),
        ("INTEGER[3]", {"type": "array", "elementType": "integer", "containsNull": True}, "list"),
        ("UUID", None, "uuid"),
        ("UINTEGER", None, "uint32"),
        ("BIT", None, None),
    ],
)
def test_types_in_the_words_of_others(text: str, delta: object, ducklake: str | None):
    kind = type_of(text)
    for words, wanted in ((delta_type, delta), (ducklake_type, ducklake)):
        if wanted is None:
            with pytest.raises(NoSuchTypeError):
                words(kind)
        else:
            assert words(kind) == wanted


def test_a_struct_keeps_the_names_of_its_parts():
    kind = type_of('STRUCT(a INTEGER, "b c" VARCHAR[])')
    assert kind == Type("struct", (("a", Type("integer")), ("b c", Type("list", (("element", Type("varchar")),)))))
