"""What lies in a cache is believed by its maker only, and only as it was made."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from tradex_ledger import keyed


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's configuration of this test's own."""
    monkeypatch.setenv(keyed.CONFIG_HOME, str(tmp_path / "settings"))
    monkeypatch.setenv(keyed.CACHE_HOME, str(tmp_path / "caches"))
    return tmp_path / "settings"


def test_a_key_is_made_at_first_need_and_nobody_else_can_read_it(home: Path):
    tag = keyed.seal(b"content", "kind")
    assert tag is not None and len(tag) == 32
    (key,) = home.iterdir()
    assert (key.stat().st_mode & 0o777, key.stat().st_size) == (0o600, 32)
    assert keyed.is_sealed(b"content", tag, "kind")
    for other in (keyed.is_sealed(b"other", tag, "kind"), keyed.is_sealed(b"content", tag, "other")):
        assert not other
    assert not keyed.is_sealed(b"content", tag[:-1], "kind")
    assert keyed.missed() == []


def test_a_tag_under_one_key_is_none_under_another(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tag = keyed.seal(b"content")
    assert tag is not None
    monkeypatch.setenv(keyed.CONFIG_HOME, str(tmp_path / "another"))
    assert not keyed.is_sealed(b"content", tag)


def spoil_mode(key: Path) -> None:
    key.write_bytes(bytes(32))
    key.chmod(0o640)


def spoil_link(key: Path) -> None:
    key.with_name("elsewhere").write_bytes(bytes(32))
    key.with_name("elsewhere").chmod(0o600)
    key.symlink_to("elsewhere")


def spoil_length(key: Path) -> None:
    key.write_bytes(b"")
    key.chmod(0o600)


def spoil_kind(key: Path) -> None:
    os.mkfifo(key, 0o600)


def spoil_folder(key: Path) -> None:
    key.parent.rmdir()
    key.parent.write_bytes(b"")


SPOILS = [spoil_mode, spoil_link, spoil_length, spoil_kind, spoil_folder]


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_key_that_others_may_know_is_none(home: Path, spoil):
    home.mkdir()
    spoil(home / "cache.key")
    assert keyed.seal(b"content") is None
    assert not keyed.is_sealed(b"content", bytes(32))
    (said,) = keyed.missed()
    assert str(home) in said
    assert keyed.missed() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_somebody_else_is_none(home: Path):
    home.mkdir()
    (home / "cache.key").write_bytes(bytes(32))
    (home / "cache.key").chmod(0o600)
    os.chown(home / "cache.key", 12345, 12345)
    assert keyed.seal(b"content") is None


def test_without_a_home_there_is_no_key(monkeypatch: pytest.MonkeyPatch):
    for name in (keyed.CONFIG_HOME, keyed.CACHE_HOME, "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    assert keyed.seal(b"content") is None
    assert keyed.cache_home() is None
    assert keyed.missed()


def sealed(_: int) -> bytes | None:
    return keyed.seal(b"content")


def test_of_many_that_need_one_at_once_all_have_the_same(home: Path):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert len(set(pool.map(sealed, range(16)))) == 1
    assert [path.name for path in home.iterdir()] == ["cache.key"]


def test_a_cache_lies_beside_what_is_the_users_own_and_else_at_home(home: Path, tmp_path: Path):
    ledger = tmp_path / "ledger.db"
    ledger.write_bytes(b"")
    assert keyed.cache_path(ledger, "-x") == tmp_path / "ledger.db-x"
    if os.geteuid() == 0:
        os.chown(ledger, 12345, 12345)
        elsewhere = keyed.cache_path(ledger, "-x")
        assert elsewhere is not None and elsewhere.parent == tmp_path / "caches"
        assert (tmp_path / "caches").stat().st_mode & 0o777 == 0o700
        (tmp_path / "caches").chmod(0o777)
        assert keyed.cache_path(ledger, "-x") is None
