"""What tests of feeds ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.feeds import told
from tests.kit.receiver import Receiver, receiver


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    return told.copied(tmp_path)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, to be looked at only."""
    return told.copied(tmp_path_factory.mktemp("seen"))


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(told.VARIABLE, told.SECRET)
