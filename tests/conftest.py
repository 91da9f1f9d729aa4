"""What tests of several folders ask for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.kit.tree import ROOT
from tradex_ledger import keyed

# A slow or busy machine is no finding.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long tests run when they are asked for by name, not because of another marker (`-m norm`)."""
    if "soak" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session", autouse=True)
def own_home() -> Iterator[None]:
    """A user's configuration and caches that only these tests have, for them and the processes that they start."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv(keyed.CONFIG_HOME, str(Path(folder, "config")))
        patch.setenv(keyed.CACHE_HOME, str(Path(folder, "cache")))
        yield


@pytest.fixture(scope="session")
def real_posts() -> Path:
    """The folder of real posts: beside the checkout, or where TRADEX_TEST_DATA says."""
    named = os.environ.get("TRADEX_TEST_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data" / "x_posts"
    if not any(folder.glob("*.jsonl.gz")):
        pytest.skip(f"no real posts in {folder}: set TRADEX_TEST_DATA to the folder that holds them")
    return folder
