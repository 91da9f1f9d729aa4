"""A ledger in each of the databases that there are, for tests of any store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.kit.stores import STORES, Kind, created


# Of an older PostgreSQL, what it refuses and the suites of the library say enough.
@pytest.fixture(params=STORES[:-1], ids=lambda kind: kind.name)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    kind: Kind = request.param
    with kind.fresh(tmp_path) as made:
        yield made


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A new ledger, open for writing."""
    with created(url) as made:
        yield made
