"""How an object store is called: how long, how many at once, and where what is sent is made."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from tradex_ledger import keyed
from tradex_ledger.lake.s3 import S3Lake
from tradex_ledger.lake.s3_profile import profile
from tradex_ledger.lake.s3_store import SECONDS, endpoint, store, together, wait_for

MB = 1 << 20


@pytest.mark.parametrize(("size", "time"), [(0, "30s"), (30 * MB, "30s"), (31 * MB, "1m"), (500 * MB, "16m")])
def test_a_large_file_has_at_least_a_second_a_mebibyte(monkeypatch: pytest.MonkeyPatch, size: int, time: str):
    monkeypatch.delenv(SECONDS, raising=False)
    options = store("bucket", size).client_options
    assert options is not None
    assert options["timeout"] == time


@pytest.mark.parametrize(("size", "most"), [(0, 8), (16 * MB, 4), (1000 * MB, 1)])
def test_eight_are_under_way_at_once_and_of_large_ones_fewer(size: int, most: int):
    under_way: list[int] = []
    seen: list[int] = []

    async def work(number: int) -> int:
        under_way.append(number)
        seen.append(len(under_way))
        await asyncio.sleep(0.001)
        under_way.remove(number)
        return -number

    done = wait_for(together((size, partial(work, number)) for number in range(20)))
    assert done == [-number for number in range(20)]
    assert max(seen) == most


def test_the_first_that_fails_ends_the_others():
    ended: list[str] = []

    async def fail() -> None:
        await asyncio.sleep(0.001)
        raise OSError("broken")

    async def last() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("given up")
            raise

    with pytest.raises(OSError, match="broken"):
        wait_for(together([(0, last), (0, fail)]))
    assert ended == ["given up"]


def test_what_an_attempt_left_on_another_machine_goes_with_the_next_drive_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(keyed.CACHE_HOME, str(tmp_path))
    lake = S3Lake("s3://bucket/lake")
    lost, of_another = lake.attempt("bf-1.t"), lake.attempt("bf-2.t")
    both = [lake.attempt("bf-1.u") for _ in range(2)]
    assert [folder.exists() for folder in (lost, of_another, *both)] == [False, True, True, True]


def test_of_an_endpoint_scheme_and_host_are_told_and_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://key:hunter2@store.example:9000/hunter3")
    assert endpoint() == "https://store.example:9000"


def test_where_the_environment_names_credentials_none_of_a_profile_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    files = tmp_path / "credentials"
    files.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(files))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    assert (profile().region, profile().key_id, profile().secret) == ("eu-west-1", "a", "b")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "token")
    assert (profile().region, profile().key_id, profile().secret) == ("eu-west-1", None, None)
