"""A week of posts, as a site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.visits import Visit


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """A workspace that has run a week, with a request that waits; it is looked at only."""
    folder = worlds.copied(tmp_path_factory.mktemp("web"))
    with small.reopen(folder) as workspace:
        small.request(workspace)
    visit = Visit.to(folder)
    yield visit
    visit.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Visit]:
    """The same, of one's own."""
    folder = worlds.copied(tmp_path)
    with small.reopen(folder) as workspace:
        small.request(workspace)
    visit = Visit.to(folder)
    yield visit
    visit.close()
