"""Networks break, stores are busy, and answers are lost: a file is placed once, and what is read are its very bytes."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from io import FileIO
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import BaseError

from tests.kit import s3
from tests.kit.s3_proxy import Fault, Proxy, proxied
from tradex_ledger import keyed
from tradex_ledger.config_places import s3_place
from tradex_ledger.domain.day import Day
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.lake.cache import open_cache
from tradex_ledger.lake.markers import Marker
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.s3 import S3Lake
from tradex_ledger.lake.s3_objects import TOKEN, Objects
from tradex_ledger.lake.s3_store import SECONDS, wait_for
from tradex_ledger.lake.storage import LakeFileError, StagedFile, sha256_of

FOLDER = "gold_metrics/date=2024-01-03"
CONTENT = bytes(range(256)) * 400


@pytest.fixture(params=s3.STORES)
def store(request: pytest.FixtureRequest) -> s3.Store:
    return s3.STORES[request.param]()


@pytest.fixture
def proxy(store: s3.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with proxied(store.endpoint) as made:
        store.use(monkeypatch, made.endpoint)
        monkeypatch.setenv(SECONDS, "10")
        monkeypatch.setenv(keyed.CACHE_HOME, str(tmp_path / "cache"))
        yield made


@pytest.fixture
def lake(proxy: Proxy) -> Lake:
    return S3Lake(s3.fresh_url())


def staged(lake: Lake, content: bytes = CONTENT) -> StagedFile:
    path = lake.new_staging("bf-1", "t") / "2024-01-03.parquet"
    path.write_bytes(content)
    return StagedFile(Day(738888), path, 1, len(content), sha256_of(path))


def place(lake: Lake, content: bytes = CONTENT) -> LakeFile:
    (file,) = lake.place({FOLDER: staged(lake, content)}, "bf-1")
    return file


def forget(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Another machine, which has nothing in its cache."""
    monkeypatch.setenv(keyed.CACHE_HOME, str(folder))


def be_quick(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Wait for no longer than a busy store needs, where nothing will come."""
    if kind.startswith("hang"):
        monkeypatch.setenv(SECONDS, "1")


PLACING = [("503", 2), ("500", 1), ("429", 1), ("reset", 1), ("lost", 1), ("hang", 1), ("hang-after", 1)]


@pytest.mark.parametrize(("kind", "times"), PLACING)
def test_a_placing_that_is_disturbed_is_done_once(
    proxy: Proxy, lake: Lake, monkeypatch: pytest.MonkeyPatch, kind: str, times: int
):
    be_quick(monkeypatch, kind)
    proxy.faults.append(Fault("PUT", kind, times))
    file = place(lake)
    assert [entry.path for entry in lake.files()] == [file.path] == [f"{FOLDER}/bf-1-1.parquet"]
    assert lake.fetch(file).read_bytes() == CONTENT
    assert proxy.faults[0].times == 0


@pytest.mark.parametrize("store", ["seaweedfs"], indirect=True)
def test_what_is_damaged_on_its_way_there_is_refused_and_sent_again(proxy: Proxy, lake: Lake):
    proxy.faults.append(Fault("PUT", "corrupt-up"))
    assert lake.fetch(place(lake)).read_bytes() == CONTENT
    assert [method for method, _ in proxy.seen].count("PUT") == 2


READING = [("503", 2), ("reset", 1), ("lost", 1), ("half", 1), ("hang", 1), ("corrupt", 1)]


@pytest.mark.parametrize(("kind", "times"), READING)
def test_what_is_read_are_the_very_bytes_however_they_came(
    proxy: Proxy, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, times: int
):
    file = place(lake)
    forget(monkeypatch, tmp_path / "other")
    be_quick(monkeypatch, kind)
    proxy.faults.append(Fault("GET", kind, times, "bf-1-1"))
    assert lake.near(file).read_bytes() == CONTENT
    assert proxy.faults[0].times == 0


def test_a_foreign_object_of_that_name_stays_and_the_file_gets_another(proxy: Proxy, lake: Lake, store: s3.Store):
    s3.change(store, lake.name, f"{FOLDER}/bf-1-1.parquet", CONTENT)  # even one of the same bytes
    proxy.faults.append(Fault("PUT", "lost", 1, "bf-1-2"))
    file = place(lake)
    assert file.path == f"{FOLDER}/bf-1-2.parquet"
    assert len(list(lake.files())) == 2


def test_an_object_of_other_bytes_is_not_the_one_that_was_placed_whatever_token_it_has(lake: Lake, store: s3.Store):
    obstore.put(store.client(), s3.key_of(lake.name, "a/b"), b"other", attributes={TOKEN: "token"})
    objects = Objects(lake.name, *s3_place(lake.name))
    assert wait_for(objects.put("a/b", b"bytes", "token")) is False
    assert wait_for(objects.put("a/b", b"other", "token")) is True


def test_bytes_that_stay_wrong_are_an_error_that_names_the_file_and_nothing_of_them_is_kept(
    proxy: Proxy, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = place(lake)
    forget(monkeypatch, tmp_path / "other")
    proxy.faults.append(Fault("GET", "corrupt", 99, "bf-1-1"))
    with pytest.raises(LakeFileError, match="other bytes") as caught:
        lake.near(file)
    assert caught.value.path == file.path
    assert [path.name for path in (tmp_path / "other" / "lake-files").iterdir()] == [".locks"]


DOING = {
    "placing": ("PUT", place),
    "looking": ("HEAD", lambda lake: lake.has(LakeFile("a/b", 1, 1, "0" * 64))),
    "listing": ("GET", lambda lake: list(lake.files())),
    "markers": ("GET", lambda lake: lake.markers()),
    "reading": ("GET", lambda lake: lake.near(LakeFile("a/b", 1, 1, "0" * 64))),
    "removing": ("DELETE", lambda lake: lake.remove("a/b")),
    "laying": ("PUT", lambda lake: lake.lay(Marker(0, 1, "ab" * 32, "ledger"))),
}


LASTING = [(doing, "403", "no-permission") for doing in DOING]
LASTING += [(doing, "hang", "lake-unreachable") for doing in ("placing", "listing", "reading")]


@pytest.mark.parametrize("store", ["moto"], indirect=True)
@pytest.mark.parametrize(("doing", "kind", "code"), LASTING)
def test_what_does_not_pass_is_told_with_its_mend_and_no_secret(
    proxy: Proxy, lake: Lake, monkeypatch: pytest.MonkeyPatch, doing: str, kind: str, code: str
):
    be_quick(monkeypatch, kind)
    method, do = DOING[doing]
    proxy.faults.append(Fault(method, kind, 99))
    with pytest.raises(EnvironmentFault) as caught:
        do(lake)
    said = f"{caught.value} {caught.value.mend}"
    assert caught.value.code == code
    assert caught.value.mend
    assert lake.name in said
    assert not re.search(f"{s3.KEY}|{s3.SECRET}|Signature|Credential=", said)
    assert not isinstance(caught.value.__cause__, BaseError)


@pytest.mark.parametrize("store", ["seaweedfs"], indirect=True)
def test_a_wrong_secret_is_refused_with_a_mend(lake: Lake, store: s3.Store, monkeypatch: pytest.MonkeyPatch):
    for name, value in ((s3.KEY, "wrong"), ("nobody", s3.SECRET)):
        store.use(monkeypatch, AWS_ACCESS_KEY_ID=name, AWS_SECRET_ACCESS_KEY=value)
        with pytest.raises(EnvironmentFault) as caught:
            lake.markers()
        assert caught.value.code == "lake-credentials"
        assert "AWS_SECRET_ACCESS_KEY" in caught.value.mend
        assert s3.SECRET not in str(caught.value)


@pytest.mark.parametrize("store", ["seaweedfs"], indirect=True)
def test_where_no_credentials_are_found_that_is_said(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(SECONDS, "1")
    with pytest.raises(EnvironmentFault, match="no credentials were found") as caught:
        lake.markers()
    assert caught.value.code == "lake-credentials"


def test_no_bucket_and_no_server_are_told_apart(store: s3.Store, monkeypatch: pytest.MonkeyPatch, proxy: Proxy):
    for url, where, code in (
        ("s3://no-such-bucket/lake", proxy.endpoint, "lake-bucket"),
        (s3.fresh_url(), "http://127.0.0.1:1", "lake-unreachable"),
    ):
        store.use(monkeypatch, where)
        with pytest.raises(EnvironmentFault) as caught:
            S3Lake(url).check_writable()
        assert caught.value.code == code


def test_a_store_that_overwrites_is_refused(lake: Lake, store: s3.Store, monkeypatch: pytest.MonkeyPatch):
    laid = Marker(0, 1, "ab" * 32, "ledger")
    lake.lay(laid)
    lake.check_writable()

    async def heedless(*arguments: object, mode: str, **more: object) -> None:
        return None

    monkeypatch.setattr(obstore, "put_async", heedless)
    S3Lake(lake.name, reading=True).check_writable()  # it asks for nothing
    with pytest.raises(EnvironmentFault) as caught:
        lake.check_writable()
    assert caught.value.code == "lake-overwrites"


def test_of_many_who_place_at_once_each_gets_a_name_of_its_own(lake: Lake, tmp_path: Path):
    def placed(number: int) -> LakeFile:
        path = tmp_path / f"{number}"
        path.write_bytes(bytes([number]))
        (file,) = lake.place({FOLDER: StagedFile(Day(738888), path, 1, 1, sha256_of(path))}, "bf-1")
        return file

    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(placed, range(8)))
    assert len({file.path for file in files}) == 8
    assert [lake.fetch(file).read_bytes() for file in files] == [bytes([number]) for number in range(8)]


def put(store: s3.Store, lake: Lake, path: str) -> None:
    """Make an object whose name the client would not take."""
    connection = HTTPConnection(store.endpoint.partition("://")[2])
    connection.request("PUT", f"/{s3.BUCKET}/{s3.key_of(lake.name, path)}", b"")
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize("store", ["moto"], indirect=True)
def test_what_stands_for_the_lakes_folder_where_other_tools_made_one_is_no_file_of_it(lake: Lake, store: s3.Store):
    put(store, lake, "")
    assert list(lake.files()) == []


@pytest.mark.parametrize("store", ["moto"], indirect=True)
@pytest.mark.parametrize(
    ("put_as", "named"),
    [("odd//name", "odd//name"), ("odd/%2E%2E/name", r"odd/\.\./name"), ("odd%01name", "odd\x01name")],
)
def test_an_object_that_nobody_can_ask_for_is_named(lake: Lake, store: s3.Store, proxy: Proxy, put_as: str, named: str):
    put(store, lake, put_as)
    with pytest.raises(EnvironmentFault, match=named) as caught:
        list(lake.files())
    assert "another name" in caught.value.mend


@pytest.mark.parametrize("store", ["moto"], indirect=True)
def test_who_may_see_no_more_than_the_own_prefix_needs_no_more(lake: Lake, proxy: Proxy):
    proxy.faults.append(Fault("GET", "403", 99, "prefix=.tradex-lake"))
    assert list(lake.neighbours(deep=True)) == []
    assert proxy.faults[0].times == 98


@pytest.mark.parametrize("store", ["moto"], indirect=True)
def test_where_the_disk_is_full_what_nobody_holds_goes_and_then_it_is_said(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file, unheld = place(lake), place(lake, b"unheld")
    forget(monkeypatch, tmp_path / "other")
    cached, fill = open_cache(), Objects.fill
    (tmp_path / "made").write_bytes(b"unheld")
    cached.give(tmp_path / "made", unheld, 0)
    full = [True]

    async def filled(objects: Objects, wanted: LakeFile, made: FileIO) -> None:
        if full[0]:
            full[0] = len(full) > 1
            raise OSError(errno.ENOSPC, "no space")
        await fill(objects, wanted, made)

    monkeypatch.setattr(Objects, "fill", filled)
    assert lake.near(file).read_bytes() == CONTENT
    assert [path.stem for path in (tmp_path / "other").rglob("*.parquet")] == [file.sha256]
    full[:] = [True, True]
    with pytest.raises(EnvironmentFault) as caught:
        lake.near(unheld)
    assert caught.value.code == "disk-full"


@pytest.mark.soak
def test_a_lake_of_many_objects_is_listed_page_by_page_and_a_large_file_goes_there_and_back(
    store: s3.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store.use(monkeypatch)
    monkeypatch.setenv(keyed.CACHE_HOME, str(tmp_path / "cache"))
    lake = S3Lake(s3.fresh_url())
    client, count = store.client(), 2_300
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: obstore.put(client, s3.key_of(lake.name, f"a/{number:05}"), b"1"), range(count)))
    assert len({entry.path for entry in lake.files()}) == count
    content = os.urandom(1 << 20) * 40
    file = place(lake, content)
    forget(monkeypatch, tmp_path / "other")
    assert sha256_of(lake.near(file)) == file.sha256
