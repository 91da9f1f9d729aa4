"""Logic is not an engine's parse tree: what is compared is the text on record, by whatever engine is at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.lake import events, listing, projection
from tests.kit.small import REASON, day
from tradex_ledger.cli.main import run as tradex
from tradex_ledger.datasets import fingerprint as fingerprint_module
from tradex_ledger.datasets.statement import parsed_form
from tradex_ledger.domain.dataset_errors import LogicChangedError, NothingChangedError, SameLogicError
from tradex_ledger.sources.registry import READERS
from tradex_ledger.sources.x_posts.reader import VERSION, XPosts
from tradex_ledger.workspace import Workspace


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a pipeline folder of its own, after a few days. Copy it."""
    root = tmp_path_factory.mktemp("texts")
    worlds.copied(root, until=5, pipeline=True)
    return root


@pytest.fixture
def workspace(week: Path, tmp_path: Path) -> Iterator[Workspace]:
    with small.reopen(small.copied(week, tmp_path)) as opened:
        yield opened
        check_everything(opened)


def respell(workspace: Workspace) -> None:
    """Every definition with other spacing, remarks, and keywords in capitals."""
    for file in (workspace.config.folder / "pipeline").glob("*.sql"):
        text = file.read_text(encoding="utf-8")
        head, mark, sql = text.rpartition("-- ///\n")
        sql = re.sub(r"\bselect\b", "SELECT  /* as ever */", re.sub(r"\bfrom\b", " FROM ", sql))
        file.write_text(f"{head}{mark}-- respelt\n{sql}\n", encoding="utf-8")


def test_a_respelt_definition_is_the_same_logic_and_builds_nothing_again(workspace: Workspace):
    respell(workspace)
    with pytest.raises(SameLogicError):
        workspace.datasets.bump("gold_metrics", reason=REASON)
    with pytest.raises(NothingChangedError):
        workspace.datasets.bump_changed(reason=REASON)
    run = small.backfill(workspace, 3, 3)
    assert run.status == "SUCCESS"
    assert {e["outcome"] for e in events(workspace, f"run_id = '{run.id}' and outcome is not null")} == {"reused"}


def test_another_parse_tree_of_the_same_texts_changes_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    """What a release of DuckDB may do: the same text, in other trees, and other columns of them."""
    run_id = small.request(workspace, 3, 3)
    workspace.backfills.approve(run_id)
    (before,) = [e for e in events(workspace, f"run_id = '{run_id}' and topic = 'backfill.planned'")]

    def of_another_release(connection: Any, sql: str) -> Any:
        return {"version": 99, **parsed_form(connection, sql)}

    monkeypatch.setattr(fingerprint_module, "parsed_form", of_another_release)
    fingerprint_module.check_definition.cache_clear()
    fingerprint_module._difference.cache_clear()
    respell(workspace)
    assert workspace.runs.drive(run_id).status == "SUCCESS"
    again = small.request(workspace, 3, 3)
    (after,) = [e for e in events(workspace, f"run_id = '{again}' and topic = 'backfill.planned'")]
    planned = [json.loads(e["data"])["definitions"] for e in (before, after)]
    recorded = {r["dataset"]: r["fingerprint"] for r in projection(workspace, "logic_versions")}
    assert planned[0] == planned[1]
    assert {name: pin["fingerprint"] for name, pin in planned[1].items()} == {
        name: recorded[name] for name in planned[1]
    }


def test_a_version_says_how_its_fingerprint_was_made_and_what_reads_its_posts(workspace: Workspace):
    shown = {r["dataset"]: (r["scheme"], r["reader"]) for r in projection(workspace, "logic_versions")}
    assert {scheme for scheme, _ in shown.values()} == {"tokens-1"}
    assert shown["bronze_x_posts"][1] == VERSION
    assert shown["silver_social_events"][1] is None


# -- what reads the posts


@pytest.fixture
def newer_reader(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setitem(READERS, "x_posts", lambda: XPosts(VERSION + 1))
    return VERSION + 1


@pytest.mark.norm("N27")
def test_another_reader_is_changed_logic_of_bronze_and_of_all_that_is_made_of_it(
    workspace: Workspace, newer_reader: int
):
    before = listing(workspace)
    with pytest.raises(LogicChangedError) as error:
        workspace.incremental.run(last=day(5))
    told = f"its posts are read by reader {newer_reader}, version 1 was read by reader {newer_reader - 1}"
    assert f"bronze_x_posts is not that of its version 1 any more: {told}" in error.value.message
    assert "bronze_x_posts__rejected is not that of its version 1 any more" in error.value.message
    assert "tradex dataset bump --changed --reason" in error.value.mend
    assert workspace.datasets.bump("bronze_x_posts", reason=REASON) == dict.fromkeys(
        ("bronze_x_posts", "silver_social_events", "gold_metrics", "gold_baselines", "gold_signals"), 2
    )
    bronze = workspace.datasets.get("bronze_x_posts")
    assert [bronze.reader_of(1), bronze.reader_of(2)] == [newer_reader - 1, newer_reader]
    assert listing(workspace) == before


# -- several definitions at once


def versioned(workspace: Workspace) -> dict[str, list[tuple[int, str | None]]]:
    """The versions after the first: dataset → numbers, each with what made it indirect."""
    found: dict[str, list[tuple[int, str | None]]] = {}
    for row in projection(workspace, "logic_versions"):
        if row["logic_version"] > 1:
            found.setdefault(row["dataset"], []).append((row["logic_version"], row["indirect"]))
    return found


def test_several_changed_definitions_get_a_version_each_and_what_reads_them_one_in_one_save(
    workspace: Workspace, newer_reader: int, capsys: pytest.CaptureFixture[str]
):
    small.edit(workspace, "gold_metrics", "count(*)", "count(post_id)")
    small.edit(workspace, "gold_signals", "z >= 3", "z >= 4")
    with pytest.raises(LogicChangedError) as error:
        workspace.datasets.bump("gold_metrics", reason=REASON)
    assert "gold_signals is not that of its version 1 any more: its statement is another" in error.value.message
    assert "tradex dataset bump --changed" in error.value.mend
    before = workspace.ledger.position()
    folder = str(workspace.config.folder)
    assert tradex(["-C", folder, "dataset", "bump", "--changed", "--reason", "the definitions of release 2"]) == 0
    said = capsys.readouterr()
    assert "tradex backfill request logical bronze_x_posts " in said.err
    assert "logical gold_metrics" not in said.err  # it follows from Bronze
    own = ("bronze_x_posts", "bronze_x_posts__rejected", "bronze_x_posts__undated", "gold_metrics", "gold_signals")
    assert versioned(workspace) == {
        **{name: [(2, None)] for name in own if name in workspace.core.pipeline.definitions},
        "silver_social_events": [(2, "bronze_x_posts")],
        "gold_baselines": [(2, "bronze_x_posts")],
    }
    assert {e["topic"] for e in events(workspace, f"position > {before}")} == {"dataset.logic_versioned"}
    assert len({e["at"] for e in events(workspace, f"position > {before}")}) == 1  # one save
    assert tradex(["-C", folder, "dataset", "bump", "--changed", "--reason", "the definitions of release 2"]) == 3
    assert "that of their versions already" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["gold_metrics", "--changed"]])
def test_bump_is_of_one_dataset_or_of_all_that_changed(
    workspace: Workspace, arguments: list[str], capsys: pytest.CaptureFixture[str]
):
    folder = str(workspace.config.folder)
    assert tradex(["-C", folder, "dataset", "bump", *arguments, "--reason", "the definitions of release 2"]) == 2
    assert "--changed" in capsys.readouterr().err
