"""What tests of feeds ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.feeds import told
from tests.kit.receiver import Receiver, receiver
from tradex_ledger.feeds import send


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


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as ever, and nobody waits for them."""
    monkeypatch.setattr(send, "PAUSES_S", tuple(0.001 for _ in send.PAUSES_S))
