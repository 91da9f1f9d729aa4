"""What is kept of the projections is a cache: whatever happens to it, every answer is that of a fold from zero."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import worlds
from tests.golden import record
from tests.kit import small
from tests.kit.kept import HARMS, Answers, Harm, asked, files, flip, from_zero, make_small, told
from tradex_ledger import keyed
from tradex_ledger.audit.look import Look
from tradex_ledger.ledger import segments
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.select import Store, open_store
from tradex_ledger.resources import event_topics
from tradex_ledger.views import (
    AsOf,
    add_history,
    add_of_run,
    add_projections,
    files_of,
    kept,
    open_view,
    open_views,
    projected,
)
from tradex_ledger.workspace import Workspace

GOLDEN = Path(record.__file__).parent
EVENTS = 64
PARTS = 4
"""Into how many parts all projections are cut, where many ask at once."""


def _load(version: str) -> Callable[[Path], object]:
    def load(folder: Path) -> None:
        lines = (GOLDEN / f"ledger_v{version}.jsonl").read_text(encoding="utf-8").splitlines()
        (folder / "ws").mkdir()
        engine, _ = record.load(lines, f"sqlite:///{folder / 'ws' / 'ledger.db'}")
        engine.dispose()

    return load


@pytest.fixture
def rules(tmp_path: Path) -> Store:
    """A ledger with every kind of event."""
    return _opened(worlds.copy("golden-3", _load("3"), tmp_path))


@pytest.fixture
def kept_rules(tmp_path: Path) -> Store:
    """The same, and what is kept of it."""

    def load(folder: Path) -> None:
        _load("3")(folder)
        store = _opened(folder / "ws")
        asked(store, store.position())

    return _opened(worlds.copy("golden-3-kept", load, tmp_path))


@cache
def right_of(ledger: str, upto: int) -> Answers:
    """What a fold from zero says of one of the golden ledgers, whatever befalls what is kept of it: worked out once."""
    with tempfile.TemporaryDirectory() as folder:
        return from_zero(_opened(worlds.copy(f"golden-{ledger}", _load(ledger), Path(folder))), upto)


@pytest.fixture(autouse=True)
def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch, EVENTS)


def _opened(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder / 'ledger.db'}", folder)


@pytest.mark.parametrize("examples", [4, pytest.param(200, marks=pytest.mark.soak)])
def test_as_of_any_position_in_any_order_the_answers_are_those_of_a_fold_from_zero(rules: Store, examples: int):
    """Of small generations and large ones, made one by one or many at once, all there or but some."""

    @settings(max_examples=examples, deadline=None, derandomize=examples < 10)
    @given(
        events=st.sampled_from((16, 32, 64)),
        step=st.integers(1, 4),
        is_cold=st.booleans(),
        upto=st.integers(100, rules.position()),
    )
    def ask(events: int, step: int, is_cold: bool, upto: int) -> None:
        with pytest.MonkeyPatch.context() as sizes:
            sizes.setattr(segments, "EVENTS", events)
            sizes.setattr(kept, "STEP", step)
            if is_cold:
                shutil.rmtree(rules.caches.path("kept") or "", ignore_errors=True)
            assert asked(rules, upto) == from_zero(rules, upto)

    ask()


def test_after_each_save_the_answers_are_those_of_a_fold_from_zero(tmp_path: Path):
    """As the ledger grows, from whatever was kept before."""
    with small.reopen(worlds.copied(tmp_path, thin=True)) as workspace:
        open_views(workspace.ledger.store, AsOf(workspace.ledger.position(), None)).close()
        one = _late(workspace, tmp_path, 1)
        _same(workspace)
        workspace.backfills.revert(one, reason="it was not what we asked for, TRX-7")
        _same(workspace)
        small.backfill(workspace, 3, 5)
        _same(workspace)


def _late(workspace: Workspace, folder: Path, number: int) -> str:
    """Have another post of 3 January come in late, and built; returns the run."""
    post = small.LATE.replace("0001", f"{number:04}").replace("late", f"late {number}")
    (folder / "posts" / f"2024-01-09-late-{number}.jsonl").write_text(post, encoding="utf-8")
    return small.backfill(workspace, 3, 3).id


def _same(workspace: Workspace) -> None:
    upto = workspace.ledger.position()
    assert asked(workspace.ledger.store, upto) == from_zero(workspace.ledger.store, upto)


def test_what_stood_behind_what_was_reverted_is_found_however_long_ago_it_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Two are kept of each partition; here three stand behind those that are taken back."""
    monkeypatch.setattr(segments, "EVENTS", 16)
    with small.reopen(worlds.copied(tmp_path, thin=True)) as workspace:
        runs = [_late(workspace, tmp_path, number) for number in range(1, 5)]
        open_views(workspace.ledger.store, AsOf(workspace.ledger.position(), None)).close()
        for run in runs[:0:-1]:
            workspace.backfills.revert(run, reason="it was not what we asked for, TRX-7")
        with open_view(workspace.ledger.store, workspace.ledger.position(), None).connection as connection:
            add_projections(connection, ["partitions"])
            where = "dataset = 'silver_social_events' and partition = '2024-01-03'"
            assert connection.execute(f"select run_id from partitions where {where}").fetchall() == [(runs[0],)]
        _same(workspace)


def over(store: Store, position: int, upto: int, *names: str) -> Answers:
    """What some projections say as of a position, over what is kept as of just that other one."""
    open_views(store, AsOf(position, None)).close()
    generation = kept.Generations(store).newest(position)
    assert generation is not None and generation.position == position
    with open_view(store, upto, generation).connection as connection:
        return told(connection, *names)


def planted(folder: Path, before: Callable[[dict[str, Any]], bool], made: Callable[[dict[str, Any]], Any]) -> Any:
    """The ledger of all rules with one event more, which stands before the first of which that holds; and its place."""
    lines = [json.loads(line) for line in (GOLDEN / "ledger_v3.jsonl").read_text(encoding="utf-8").splitlines()]
    place = next(n for n, line in enumerate(lines) if before(line))
    topic, stream, data = made(lines[place])
    version = 1 + sum(line["stream"] == stream for line in lines[:place])
    one = {**lines[place], "topic": topic, "stream": stream, "data": data, "v": 1, "version": version}
    for line in lines[place:]:
        line["version"] += line["stream"] == stream
    lines.insert(place, one)
    for number, line in enumerate(lines, 1):
        line["position"] = number
    (folder / "ws").mkdir()
    url = f"sqlite:///{folder / 'ws' / 'ledger.db'}"
    engine, _ = record.load([canonical(line).decode() for line in lines], url)
    engine.dispose()
    return _opened(folder / "ws"), place + 1


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> int:
    """One generation, as of any position that is a multiple of this."""
    monkeypatch.setattr(segments, "EVENTS", 8)
    monkeypatch.setattr(kept, "STEP", 1 << 20)
    return 8


def test_an_older_event_that_counts_for_whichever_run_counts_for_a_later_one(tmp_path: Path, single: int):
    """What the clock was held back for tells that a run's times are not its own: the run began after all that is kept.

    Its first layer starts at the very time of the save that the clock was held back for.
    """
    started: list[str] = []

    def begins(line: dict[str, Any]) -> bool:
        is_first = line["topic"] == "run.layer_started" and line["stream"] not in started
        started.extend([line["stream"]] * is_first)
        return is_first and line["position"] > 30 and line["position"] % single == 0

    store, place = planted(
        tmp_path,
        begins,
        lambda line: ("ledger.clock_held_back", "ledger", {"clock": line["at"], "last_at": line["at"]}),
    )
    upto, asked_for = store.position(), f"select duration_ms, ended_at from runs where run_id = '{started[-1]}'"
    with open_view(store, upto, None).connection as connection:
        right = told(connection, "runs")
        ((took, ended),) = connection.execute(asked_for).fetchall()
    assert took is None and ended is not None
    assert over(store, place, upto, "runs") == right


def test_what_was_declared_lost_since_is_no_part_of_what_is_current(tmp_path: Path, single: int):
    lines = (GOLDEN / "ledger_v3.jsonl").read_text(encoding="utf-8").splitlines()
    batch = next(line for line in map(json.loads, lines) if line["topic"] == "run.batch_appended")["data"]
    lost = {**batch["files"][0], "partition": batch["partition"], "logic_version": 1, "problem": "missing"}
    said = {"files": [lost], "reason": "the disk broke, INC-1", "declared_by": "ana", "plan": "0" * 64}
    store, place = planted(
        tmp_path,
        lambda line: line["position"] > 150,
        lambda _: ("dataset.files_lost", f"dataset-{batch['dataset']}", said),
    )
    with open_view(store, place, None).connection as connection:
        right = told(connection, "partitions")
    with open_view(store, place - 1, None).connection as connection:
        assert told(connection, "partitions") != right
    assert over(store, (place - 1) // single * single, place, "partitions") == right


@pytest.mark.parametrize("topic", ["run.batch_appended", "run.partition_rebuilt"])
def test_what_stands_for_an_erased_file_is_current_whether_that_is_kept_or_happened_since(
    tmp_path: Path, topic: str, single: int
):
    lines = (GOLDEN / "ledger_v3.jsonl").read_text(encoding="utf-8").splitlines()
    named = next(line for line in map(json.loads, lines) if line["topic"] == topic and line["data"]["files"])["data"]
    file, name = named["files"][0], named["dataset"]
    facts = {"partition": named["partition"], "logic_version": 1, "layer": named["layer"], "run": "bf-1", "erased": 1}
    left = {**file, "path": f"{name}/left.parquet", "rows": 1, "bytes": 1}
    why = {"of": name, "keys": [], "digest": "0" * 64, "reason": "by law", "ticket": "LEGAL-1", "planned_by": "ana"}
    store, place = planted(
        tmp_path,
        lambda line: line["position"] > 150,
        lambda _: ("dataset.files_erased", f"dataset-{name}", {**why, "files": [{**file, **facts, "into": left}]}),
    )
    with open_view(store, store.position(), None).connection as connection:
        right = told(connection, "partitions", "lake_files")
    assert any("left.parquet" in row for row in right["partitions"])
    before = (place - 1) // single * single
    for kept_of in (before, before + single):
        assert over(store, kept_of, store.position(), *right) == right


def test_what_a_run_built_twice_counts_once_whether_the_first_of_them_is_kept_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(segments, "EVENTS", 8)
    monkeypatch.setattr(kept, "STEP", 1 << 20)
    lines = list(map(json.loads, (GOLDEN / "ledger_v3.jsonl").read_text(encoding="utf-8").splitlines()))
    first = next(line for line in lines if line["topic"] == "run.partition_rebuilt")
    end = next(
        line for line in lines if line["topic"] == "run.layer_completed" and line["position"] > first["position"]
    )
    run, said = first["stream"], first["data"]
    assert end["stream"] == run
    store, place = planted(
        tmp_path,
        lambda line: line["position"] == end["position"],
        lambda _: (first["topic"], run, {**said, "rows": said["rows"] + 1}),
    )
    others = [x["data"]["rows"] for x in lines if x["stream"] == run and x["topic"] == first["topic"]]
    key = f"run_id = '{run}' and dataset = '{said['dataset']}' and partition = '{said['partition']}'"
    upto, asked_for = store.position(), f"select state, rows, published_position is null from {{}} where {key}"
    with open_view(store, upto, None).connection as connection:
        right = told(connection, "partition_history", "recent_history", "partitions", "runs")
        history = connection.execute(f"{asked_for.format('partition_history')} order by position").fetchall()
        ((built, rows),) = connection.execute(
            f"select built_partitions, rows from runs where run_id = '{run}'"
        ).fetchall()
    assert history == [("superseded", said["rows"], True), ("published", said["rows"] + 1, False)]
    assert (built, rows) == (len(others), sum(others) + 1)
    before, between = first["position"] // 8 * 8, place // 8 * 8
    assert before < first["position"] <= between < place
    for position in (before, between, between + 8):
        assert over(store, position, upto, *right) == right


def test_what_a_source_was_paid_for_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(segments, "EVENTS", 16)
    page = {"source": "x", "cursor_from": "2024-01-01", "cursor_to": "2024-01-02", "page": 1, "rows": 100, "calls": 1}
    store, place = planted(
        tmp_path,
        lambda line: line["topic"] == "run.batch_appended",
        lambda line: ("run.page_fetched", line["stream"], {**page, "micros": 500_000}),
    )
    with open_view(store, store.position(), None).connection as connection:
        right = told(connection, "source_calls", "costs")
    assert len(right["source_calls"]) == 1
    before = place // 16 * 16
    for position in (before, before + 16):
        assert over(store, position, store.position(), *right) == right


def test_older_events_that_the_ledger_does_not_find_are_taken_from_the_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """How many there are of each topic is kept, so that none is lacking in silence."""
    monkeypatch.setattr(segments, "EVENTS", 256)  # its leaves are in a tile
    shutil.copy(worlds.long() / "ledger.db", tmp_path)
    store = _opened(tmp_path)
    right = over(store, 256, 300, "definitions")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("drop trigger events_no_delete")
        wanted = "select min(position) from events where topic = 'dataset.logic_versioned'"
        connection.execute(f"delete from events where position = ({wanted})")
        assert connection.total_changes == 1
        connection.commit()
    assert over(store, 256, 300, "definitions") == right
    assert right["definitions"]


def test_what_a_projection_says_of_how_it_is_kept_is_understood():
    for name in projected.names():
        how, text = projected.kept(name), projected.sql(name)
        assert (how is not None) == ("Kept " in text), name
        assert (projected.rare(name) is not None) == ("Empty without" in text), name
        assert (projected.own_topics(name) == ()) == ("Of every event" in text), name
        assert text.count("-- Wide") == len(how.wide if how else ()), name
        assert text.count("-- Anew") == len(how.anew if how else ()), name
        assert {*(how.wide + how.anew if how else ())} <= set(event_topics()), name


def test_the_history_of_some_days_is_all_of_theirs(rules: Store):
    upto = rules.position()
    with open_view(rules, upto, None).connection as connection:
        add_projections(connection, ["partition_history"])
        spans = connection.execute(
            "select dataset, min(partition), max(partition) from partition_history where layer <> 'bronze' group by 1"
        ).fetchall()
        assert spans
        where = "where dataset = $1 and partition between $2 and $3 order by position"
        expected = [connection.execute(f"from partition_history {where}", list(one)).fetchall() for one in spans]
    with open_views(rules, AsOf(upto, None)) as connection:
        tables = [add_history(connection, *one) for one in spans]
        assert tables[0] != "partition_history", "all of it was worked out"
        found = [
            connection.execute(f"from {t} {where}", list(one)).fetchall() for t, one in zip(tables, spans, strict=True)
        ]
    assert found == expected


@pytest.mark.parametrize("name", ["requests", "plan_windows", "plans", "partition_history"])
def test_what_is_asked_of_one_run_is_all_of_its_rows(rules: Store, name: str):
    upto, found = rules.position(), {}
    with open_views(rules, AsOf(upto, None)) as connection:
        add_projections(connection, ["runs"])
        for (run,) in connection.execute("select run_id from runs").fetchall():
            table = add_of_run(connection, name, run)
            assert table != f'"{name}"', "all of it was worked out"
            found[run] = sorted(map(repr, connection.execute(f"from {table} where run_id = $1", [run]).fetchall()))
    with open_view(rules, upto, None).connection as connection:
        add_projections(connection, [name])
        for run, rows in found.items():
            assert rows == sorted(map(repr, connection.execute(f'from "{name}" where run_id = $1', [run]).fetchall()))
    assert any(found.values())


def test_every_table_of_the_ledger_can_be_queried_where_nothing_else_is_in_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(segments, "EVENTS", 16)
    folder = worlds.copied(tmp_path, thin=True)
    look = Look.open(folder)
    upto = look.store.position()
    with open_view(look.store, upto, None).connection as connection:
        add_projections(connection, projected.names())
        for name in ("events", *projected.names()):
            whole_rows = f"select count(*), count({name}) from {name}"
            assert look.query(whole_rows).rows == connection.execute(whole_rows).fetchall(), name


# -- harm


@pytest.mark.parametrize("harm", HARMS)
def test_a_file_that_is_not_as_it_was_written_is_passed_over_and_made_again(kept_rules: Store, harm: Harm):
    rules, upto = kept_rules, kept_rules.position()
    right = right_of("3", upto)
    assert files(rules)
    before = {path.name: path.read_bytes() for path in files(rules)}
    for path in [path for path in files(rules) if path.name.startswith(f"{upto // EVENTS * EVENTS:012}")]:
        harm(path, files(rules))
    over_kept = asked(rules, upto, *projected.all_kept())
    assert over_kept == {name: right[name] for name in over_kept}
    assert {path.name: path.read_bytes() for path in files(rules)} == before


@pytest.mark.parametrize("number", range(3))
def test_one_file_of_a_generation_that_is_broken_makes_no_other_answer(kept_rules: Store, number: int):
    rules, upto, chance = kept_rules, kept_rules.position(), random.Random(number)
    right = right_of("3", upto)
    flip(chance.choice(files(rules)[-len(projected.all_kept()) :]), [])
    over_kept = asked(rules, upto, *projected.all_kept())
    assert over_kept == {name: right[name] for name in over_kept}


def test_what_another_user_keeps_is_not_believed(rules: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    upto = rules.position()
    with monkeypatch.context() as other:
        other.setenv(keyed.CONFIG_HOME, str(tmp_path / "evil"))
        asked(rules, upto)
        theirs = {path.name for path in files(rules)}
    assert asked(rules, upto) == right_of("3", upto)
    assert not theirs & {path.name for path in files(rules)}


def test_what_is_kept_of_another_ledger_or_of_one_that_went_on_otherwise_is_not_used(rules: Store, tmp_path: Path):
    asked(rules, rules.position())
    other = _opened(worlds.copy("golden-2", _load("2"), tmp_path / "other"))
    shutil.copytree(rules.caches.path() or "", other.caches.path() or "", dirs_exist_ok=True)
    assert asked(other, other.position()) == from_zero(other, other.position())


def test_what_was_kept_of_a_longer_ledger_keeps_nobody_from_keeping_anew(rules: Store):
    """A ledger that was put back from an older copy: what lies there as of later is of no use, and no sign."""
    upto = rules.position()
    asked(rules, upto)
    for path in files(rules):
        path.rename(path.with_name(f"{upto * EVENTS:012}{path.name[12:]}"))
    asked(rules, upto)
    assert any(path.name.startswith(f"{upto // EVENTS * EVENTS:012}") for path in files(rules))


def test_two_releases_use_nothing_of_each_other_and_leave_it_there(rules: Store, monkeypatch: pytest.MonkeyPatch):
    upto = rules.position()
    right = asked(rules, upto)
    mine = {path.name for path in files(rules)}
    kept.recipe.cache_clear()
    with monkeypatch.context() as other:
        other.setattr(kept, "_CODE", "another")
        assert asked(rules, upto) == right
        theirs = {path.name for path in files(rules)} - mine
        assert len(theirs) >= len(projected.all_kept())
    kept.recipe.cache_clear()
    assert asked(rules, upto) == right
    assert {path.name for path in files(rules)} == mine | theirs


@pytest.mark.parametrize(("name", "counts"), [("partitions", True), ("logic_versions", True), ("alerts", False)])
def test_another_text_makes_anew_what_is_kept_only_where_that_follows_from_it(
    monkeypatch: pytest.MonkeyPatch, name: str, counts: bool
):
    recipe, sql = kept.recipe.__wrapped__, projected.sql
    mine = recipe()
    monkeypatch.setattr(projected, "sql", lambda asked: sql(asked) + "-- another" * (asked == name))
    assert (recipe() != mine) == counts


def test_without_a_key_or_a_place_all_is_worked_out(rules: Store, monkeypatch: pytest.MonkeyPatch):
    upto = rules.position()
    with monkeypatch.context() as nobody:
        nobody.setattr(keyed, "seal", lambda *_: None)
        nobody.setattr(kept, "seal", lambda *_: None)
        nobody.setattr(segments, "seal", lambda *_: None)
        assert asked(rules, upto) == right_of("3", upto)
    assert not files(rules)
    place = rules.caches.path("kept")
    assert place is not None
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("a file where the folder would be", encoding="utf-8")
    assert asked(rules, upto) == right_of("3", upto)


def test_who_asks_as_of_before_keeps_nothing_anew(rules: Store):
    asked(rules, rules.position())
    before = files(rules)
    upto = rules.position() // 2
    assert asked(rules, upto) == from_zero(rules, upto)
    assert files(rules) == before


def test_old_generations_go_but_some(rules: Store, monkeypatch: pytest.MonkeyPatch):
    make_small(monkeypatch, 16)
    for upto in range(16, rules.position() + 1, 16):
        open_views(rules, AsOf(upto, None)).close()
    found = sorted({int(path.name.split("-")[0]) // 16 for path in files(rules)})
    newest = rules.position() // 16
    assert newest > 8, "too short for what is thinned out"
    old = {n for n in range(1, newest - 3) if n % kept.SPARSE == 0}
    assert found == sorted(old | set(range(newest - 3, newest + 1)))


def test_what_is_brought_up_at_once_is_kept_as_of_lately_too(rules: Store, monkeypatch: pytest.MonkeyPatch):
    make_small(monkeypatch, 16)
    monkeypatch.setattr(kept, "STEP", 1 << 20)
    newest = rules.position() // 16
    assert newest % 8, "or both are the same"
    open_views(rules, AsOf(rules.position(), None)).close()
    assert sorted({int(path.name.split("-")[0]) // 16 for path in files(rules)}) == [newest // 8 * 8, newest]


def test_who_asks_as_of_lately_works_out_less_than_half_of_what_came_since(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kept, "SPARSE", 16)
    there: set[int] = set()
    for newest in range(1, 200):
        there = {number for number in there | {newest} if kept._stays(number, newest)}
        assert {number for number in range(1, newest + 1) if kept._stays(number, newest)} == there
        for at in range(1, newest + 1):
            nearest = max((number for number in there if number <= at), default=0)
            assert at - nearest < max(1, min(16, (newest - nearest) / 2)), (at, newest)
        assert len(there) <= 12 + newest // 16


def test_every_kept_projection_says_how_and_one_of_each_kind_is_there():
    kinds = {how.by for name in projected.all_kept() if (how := projected.kept(name))}
    assert kinds == set(projected.By)


# -- under fire


@pytest.mark.parametrize("asked_before", [(), ("runs", "partition_history"), ("lake_files", "partitions")])
def test_files_that_are_taken_away_while_they_are_read_are_done_without(rules: Store, asked_before: tuple[str, ...]):
    upto = rules.position()
    right = right_of("3", upto)
    with open_views(rules, AsOf(upto, None)) as connection:
        add_projections(connection, asked_before)
        shutil.rmtree(rules.caches.path() or "")
        assert told(connection) == right
        assert files_of(connection) == []


def test_files_that_are_taken_away_before_all_events_are_read_are_done_without(rules: Store):
    upto = rules.position()
    right = right_of("3", upto)
    view = open_view(rules, upto, None)
    with view.connection as connection:
        assert files_of(connection)
        shutil.rmtree(rules.caches.path() or "")
        view.hold()
        assert told(connection) == right


def _bring_up(folder: str, events: int) -> None:
    segments.EVENTS, kept.STEP = events, 1
    store = _opened(Path(folder))
    while True:
        shutil.rmtree(store.caches.path("kept") or "", ignore_errors=True)
        open_views(store, AsOf(store.position(), None)).close()


def test_killed_while_it_is_brought_up_nothing_stale_is_believed(rules: Store, tmp_path: Path):
    upto, chance, context = rules.position(), random.Random(7), get_context("spawn")
    right = right_of("3", upto)
    for _ in range(3):
        process = context.Process(target=_bring_up, args=(str(tmp_path / "ws"), 16))
        process.start()
        until = time.monotonic() + 30
        while not files(rules) and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(chance.random() * 0.5)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert asked(rules, upto) == right


def _read(folder: str, events: int, number: int, answers: Any) -> None:
    """Have all brought up that is kept, and compare a part of all projections: four readers have them all."""
    segments.EVENTS, kept.STEP = events, 2
    store = _opened(Path(folder))
    names = projected.names()[number % PARTS :: PARTS]
    for _ in range(2):
        upto = store.position()
        with open_views(store, AsOf(upto, None)) as connection:
            over_kept = told(connection, *names)
        with open_view(store, upto, None).connection as connection:
            answers.put(over_kept == told(connection, *names))


@pytest.fixture
def context() -> Iterator[Any]:
    yield get_context("spawn")


def test_eight_who_read_and_two_who_write_get_no_other_answers(tmp_path: Path, context: Any):
    folder = worlds.copied(tmp_path, thin=True)
    answers = context.Queue()
    readers = [context.Process(target=_read, args=(str(folder), EVENTS, number, answers)) for number in range(8)]
    for process in readers:
        process.start()
    with small.reopen(folder, "ana") as one, small.reopen(folder, "maria") as two:
        while any(process.is_alive() for process in readers):
            small.backfill(one, 2, 2)
            small.backfill(two, 4, 4)
    for process in readers:
        process.join()
        assert process.exitcode == 0
    assert [answers.get() for _ in range(16)] == [True] * 16
