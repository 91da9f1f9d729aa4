"""Both mirrors, read by four engines, are what `tradex query --as-of` says, at each publication of a history."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import worlds
from tests.kit import mirror_checks, mirrored, small

SEED, STEPS = 6, 8


def by_chance(folder: Path) -> None:
    small.deliver(folder / "posts", days=7, posts_per_day=4)
    worlds.define(folder / "ws" / "pipeline")
    ws = worlds.create(folder, pipeline="pipeline", from_start=True)
    mirrored.name_mirrors(ws)
    mirrored.History(ws, folder / "posts", SEED).tell(STEPS)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history by chance, of which the mirrors were kept up save by save."""
    ws = worlds.copy(f"mirrored-by-chance-{SEED}", by_chance, tmp_path_factory.mktemp("by-chance"))
    with small.reopen(ws) as workspace:
        assert [one.steps for one in workspace.mirrors.sync()] == [0, 0]  # it was moved: the lake is found again
    return ws


def test_a_history_by_chance_is_the_same_to_all_readers_at_each_publication(told: Path):
    with small.reopen(told) as workspace:
        compared, differing = mirror_checks.differing(workspace)
        assert compared > 100
        assert differing == []
        topics = {row[0] for row in workspace.query("select distinct topic from events").rows}
    assert {"backfill.reverted", "dataset.logic_versioned", "run.published"} <= topics


def test_what_was_kept_up_is_what_is_made_from_zero_byte_for_byte(told: Path):
    before = mirrored.held(told)
    with small.reopen(told) as workspace:
        assert all(not one.behind and not one.problem for one in workspace.mirrors.all())
        assert [one.steps for one in workspace.mirrors.rebuild()] > [0, 0]
    assert mirrored.held(told) == before


def test_no_data_is_copied(told: Path):
    assert mirror_checks.dataset_files(told / "mirrors") == []
