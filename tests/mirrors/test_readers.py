"""What readers of a mirror get beyond the rows: who and why, what changed between two, and nothing that cleans up."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from tests.kit import examples, foreign_engine, mirror_checks, mirrored, postgres, small
from tests.kit.lake_folder import root_of
from tradex_ledger.config import FILE
from tradex_ledger.domain.mirrors import DUCKLAKE
from tradex_ledger.mirrors.ducklake_place import CatalogPlace
from tradex_ledger.mirrors.readers import steps
from tradex_ledger.workspace import Workspace

WHY: dict[str, Any] = {"reason": "its author asked for erasure, by article 17", "ticket": "LEGAL-17"}


def late(ws: Path, workspace: Workspace) -> str:
    """A backfill of a late post; returns its id."""
    (ws.parent / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    return small.backfill(workspace, 3, 3).id


def catalog(ws: Path) -> str:
    return f"sqlite:{mirrored.catalog_file(ws)}"


def answered(workspace: Workspace, position: int) -> Counter[tuple[str, ...]]:
    """All rows of the metrics as of a position."""
    rows = workspace.query("select columns(*)::varchar from gold_metrics", as_of=str(position), trusting=True).rows
    return Counter(tuple(row) for row in rows)


def test_snapshots_say_who_asked_why_and_by_which_run(ws: Path):
    with small.reopen(ws) as workspace:
        run_id = late(ws, workspace)
        position = workspace.ledger.position()
    (found,) = foreign_engine.ask(catalog(ws), [{"of": "snapshots", "table": "", "values": True}])
    last = found["values"][-1]
    assert last[-3:] == ["ana", small.REASON, run_id]
    assert int(last[0]) < position
    info = json.loads(mirrored.commits(ws, "gold_metrics")[-1].read_text(encoding="utf-8").splitlines()[0])
    told = info["commitInfo"]
    assert (told["userName"], told["userMetadata"], told["tradexRun"]) == ("ana", small.REASON, run_id)
    assert told["tradexPosition"] == int(last[0])


def test_the_changes_between_two_snapshots_are_those_between_two_answers(ws: Path):
    with small.reopen(ws) as workspace:
        late(ws, workspace)
        *_, first, last = mirrored.positions(ws)
        before, after = (answered(workspace, position) for position in (first, last))
    asks = [{"of": "changes", "table": "gold_metrics", "first": last, "last": last, "values": True}]
    (found,) = foreign_engine.ask(catalog(ws), asks)
    changes = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for _, _, kind, *row in found["values"]:
        changes[kind in ("insert", "update_postimage")][tuple(row)] += 1
    gone, new = changes
    assert before - after == gone - new
    assert after - before == new - gone
    assert new - gone


def test_the_whole_lake_is_attached_as_of_a_snapshot(ws: Path):
    with small.reopen(ws) as workspace:
        late(ws, workspace)
        then = list(mirrored.positions(ws))[-2]
        names = ("bronze_x_posts", "silver_social_events", "gold_metrics")
        wanted = [foreign_engine.ours(workspace, name, then) for name in names]
    assert foreign_engine.ask(catalog(ws), [{"of": "ducklake", "table": name} for name in names], then) == wanted


def test_the_statements_of_the_page_are_answered(ws: Path):
    with small.reopen(ws) as workspace:
        late(ws, workspace)
        *_, first, last = mirrored.positions(ws)
        rows = sum(answered(workspace, last).values())
    shared, stored = examples.blocks("docs/mirrors.md", "sql")
    meant = {
        "sqlite:mirrors/lake.ducklake": catalog(ws), "gold_signals": "gold_metrics", "245": str(first),
        "310": str(last), "provider credential_chain": "key_id 'a', secret 'b', region 'c'",
    }  # fmt: skip
    texts = [one.text for one in (shared, stored)]
    for sign, value in meant.items():
        texts = [text.replace(sign, value) for text in texts]
    said = [[line.partition(";")[0] for line in text.splitlines()] for text in texts]
    _, now, then, changed, snapshots, _ = foreign_engine.rows_of(catalog(ws), said[0])
    assert now == then == rows
    assert changed > 0 and snapshots > 2
    foreign_engine.rows_of(catalog(ws), said[1])


def test_what_cleans_tables_up_finds_nothing_whatever_it_is_told_to_keep(ws: Path):
    import deltalake

    with small.reopen(ws) as workspace:
        late(ws, workspace)
        files = sorted(root_of(workspace).rglob("*.parquet"))
    for table in sorted(mirrored.delta_folder(ws).glob("*/")):
        found = deltalake.DeltaTable(str(table))
        assert found.vacuum() == []
        assert found.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False) == []
        properties = found.metadata().configuration
        assert properties["delta.logRetentionDuration"] == "interval 36500 days"
        assert properties["delta.deletedFileRetentionDuration"] == "interval 36500 days"
    assert files == sorted((ws / "lake").rglob("*.parquet"))


def test_a_catalog_is_written_by_its_owner_alone_and_readers_that_try_are_refused(ws: Path):
    assert mirrored.catalog_file(ws).stat().st_mode & 0o022 == 0


def test_erased_rows_are_in_no_snapshot_and_an_older_version_of_a_table_is_an_error_not_less(ws: Path):
    with small.reopen(ws) as workspace:
        ((post,),) = workspace.query("select min(post_id) from silver_social_events").rows
        digest = workspace.lake.plan_erasure("bronze_x_posts", [str(post)], **WHY).digest
        assert digest is not None
    with small.reopen(ws, "maria") as workspace:
        assert workspace.lake.erase("bronze_x_posts", digest).status == "ended"
        assert all(not one.behind for one in workspace.mirrors.all())
        taken = steps(workspace.ledger, 0, workspace.ledger.position())
        pairs = mirror_checks.asked(taken, 1)
        asks = [{"of": "ducklake", "table": name, "version": position} for name, position in pairs]
        found = foreign_engine.ask(catalog(ws), asks)
        said = mirror_checks.Said(workspace)
        assert found == [said.of(name, position) for name, position in pairs]
        workspace.mirrors.sync()  # the erasure ended after that: the mirrors have come further, and nothing is other
        whole = mirrored.held(ws)
        workspace.mirrors.rebuild()
        assert mirrored.held(ws) == whole
        table = mirrored.delta_folder(ws) / "silver_social_events"
        last = len(mirrored.commits(ws, "silver_social_events")) - 1
        now, before = foreign_engine.ask(
            None, [{"of": "delta", "table": str(table), "version": version} for version in (last, last - 1)]
        )
        assert now == said.of("silver_social_events", workspace.ledger.position())
    assert "Cannot open file" in before["error"]


def test_names_that_are_odd_and_a_lake_elsewhere_are_found(ws: Path, tmp_path: Path):
    odd = tmp_path / "o'd&[1]+"
    shutil.move(ws, odd)
    shutil.move(odd / "lake", tmp_path / "a läke [1]*")
    settings = odd / FILE
    text = settings.read_text(encoding="utf-8").replace('lake = "lake"', f'lake = "{tmp_path}/a läke [1]*"')
    settings.write_text(text.replace('"mirrors/', '"all=m*rrors/'), encoding="utf-8")
    (odd / "mirrors").replace(odd / "all=m*rrors")
    with small.reopen(odd) as workspace:
        assert [one.steps for one in workspace.mirrors.sync()] == [0, 0]
        _, differing = mirror_checks.differing(workspace)
        assert differing == []


def test_a_catalog_in_postgresql_is_the_same_lake(ws: Path):
    with postgres.server() as server:
        url = server.url()
        with (ws / FILE).open("a", encoding="utf-8") as file:
            file.write(f'\n[mirrors.shared]\nkind = "{DUCKLAKE}"\nplace = "{url}"\n')
        with small.reopen(ws) as workspace:
            assert workspace.mirrors.sync("shared")[0].steps > 0
            assert workspace.mirrors.sync("shared")[0].steps == 0
            late(ws, workspace)
            assert all(not one.behind and not one.problem for one in workspace.mirrors.all())
            pairs = mirror_checks.asked(steps(workspace.ledger, 0, workspace.ledger.position()), 0)
            whole = CatalogPlace(url).facts("shared")
            workspace.mirrors.rebuild("shared")
            assert CatalogPlace(url).facts("shared") == whole
        asks = [{"of": "ducklake", "table": name, "version": position} for name, position in pairs]
        asks.append({"of": "snapshots", "table": ""})
        place = f"postgres:dbname=postgres user=postgres host={server.folder}"
        assert foreign_engine.ask(place, asks) == foreign_engine.ask(catalog(ws), asks)
