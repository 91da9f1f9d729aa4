"""`files:s3://BUCKET/PREFIX`: posts that are delivered to a bucket are read as those of a folder, whatever befalls
them on their way."""

from __future__ import annotations

import shutil
from pathlib import Path

import obstore
import pytest

from tests import worlds
from tests.kit import s3, small
from tests.kit.s3_proxy import Fault, proxied
from tradex_ledger import keyed
from tradex_ledger.audit.query import query
from tradex_ledger.config import FILE, open_config
from tradex_ledger.config_errors import NoS3PlaceError
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.request import Request
from tradex_ledger.errors import TradexError
from tradex_ledger.lake.s3_errors import CredentialsError, NoBucketError, UnreachableError
from tradex_ledger.lake.s3_store import SECONDS
from tradex_ledger.paths import UrlAsPathError
from tradex_ledger.sources.files import SUFFIX, FilesPlace
from tradex_ledger.sources.places import open_place
from tradex_ledger.sources.s3_files import MOVED, S3FilesPlace
from tradex_ledger.workspace import Workspace

SUFFIXES = (".jsonl", ".jsonl.gz")


@pytest.fixture(params=sorted(s3.STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> s3.Store:
    made = s3.STORES[request.param]()
    made.use(monkeypatch)
    monkeypatch.setenv(keyed.CACHE_HOME, str(tmp_path / "cache"))
    return made


@pytest.fixture
def url() -> str:
    return s3.fresh_url()


def deliver(store: s3.Store, url: str, folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            s3.change(store, url, path.relative_to(folder).as_posix(), path.read_bytes())


def place_of(url: str, base: Path) -> S3FilesPlace:
    place = open_place(f"files:{url}", base)
    assert isinstance(place, S3FilesPlace)
    return place


def create(home: Path, name: str, source: str) -> Workspace:
    pipeline = str(home / "pipeline")
    Workspace.create(home / name, source=source, pipeline=pipeline, start=small.day(1), actor="ana").close()
    settings = home / name / FILE
    settings.write_text(settings.read_text().replace("[workspace]", "[workspace]\nworkers = 1", 1))
    return small.reopen(home / name)


def contents(workspace: Workspace) -> list[object]:
    store, lake = workspace.ledger.store, workspace.core.lake
    posts = "select * exclude (run_id, ingested_at) from bronze_x_posts order by all"
    return [query(store, lake, sql).rows for sql in (posts, "select * from silver_social_events order by all")]


def test_what_is_delivered_to_a_bucket_is_read_as_that_of_a_folder(store: s3.Store, url: str, tmp_path: Path):
    small.deliver(tmp_path / "posts", days=3, posts_per_day=4)
    worlds.define(tmp_path / "pipeline", without=worlds.GOLD_OF_GOLD)
    deliver(store, url, tmp_path / "posts")
    found = []
    for name, source in (("near", f"files:{tmp_path / 'posts'}"), ("far", f"files:{url}")):
        with create(tmp_path, name, source) as workspace:
            workspace.incremental.run(last=small.day(3))
            found.append(contents(workspace))
    assert found[0] == found[1] and all(found[0])
    with small.reopen(tmp_path / "far") as workspace:
        assert open_config(tmp_path / "far").source == f"files:{url}"
        s3.change(store, url, "late/more.jsonl", small.LATE.encode())
        (proposed,) = [one for one in workspace.backfills.propose() if one.dataset == "bronze_x_posts"]
        assert (proposed.first, proposed.last) == (day_of(small.day(3)),) * 2
        wanted = Request(
            kind="temporal",
            dataset="bronze_x_posts",
            first=small.day(3),
            last=small.day(3),
            override_state=False,
            reason=small.REASON,
        )
        backfill = workspace.backfills.request(wanted)
        workspace.backfills.approve(backfill.id)
        assert workspace.runs.drive(backfill.id).status == "SUCCESS"
        rows = query(workspace.ledger.store, workspace.core.lake, "select source from bronze_x_posts order by 1").rows
        assert [row for row in rows if "more.jsonl" in str(row)]


def test_each_object_is_brought_once_and_again_when_it_is_another(store: s3.Store, url: str, tmp_path: Path):
    s3.change(store, url, "a.jsonl", b"one\n")
    s3.change(store, url, "deep/b & c é.JSONL", b"two\n")
    s3.change(store, url, "notes.pdf", b"%PDF")
    place = place_of(url, tmp_path)
    with proxied(store.endpoint) as proxy, pytest.MonkeyPatch.context() as patch:
        store.use(patch, proxy.endpoint)
        first = place.look(SUFFIXES)
        assert [(file.name, file.path.read_bytes(), file.bytes) for file in first.files] == [
            ("a.jsonl", b"one\n", 4),
            ("deep/b & c é.JSONL", b"two\n", 4),
        ]
        assert first.passed_over == [("notes.pdf", SUFFIX)]
        asked = len([path for method, path in proxy.seen if method == "GET" and ".jsonl" in path.lower()])
        assert place.look(SUFFIXES) == first
        assert len([path for method, path in proxy.seen if method == "GET" and ".jsonl" in path.lower()]) == asked
        s3.change(store, url, "a.jsonl", b"1\n2\n")
        second = place.look(SUFFIXES)
        assert [file.path.read_bytes() for file in second.files] == [b"1\n2\n", b"two\n"]
        obstore.delete(store.client(), s3.key_of(url, "a.jsonl"))
        assert [file.name for file in place.look(SUFFIXES).files] == ["deep/b & c é.JSONL"]
        shutil.rmtree(place.kept)
        assert [file.path.read_bytes() for file in place.look(SUFFIXES).files] == [b"two\n"]
    assert not [path for path in place.kept.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("kind", ["corrupt", "503", "reset"])
def test_what_is_damaged_on_its_way_is_brought_again(
    kind: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store, content = s3.moto(), small.LATE.encode() * 500
    store.use(monkeypatch)
    s3.change(store, url, "a.jsonl", content)
    with proxied(store.endpoint) as proxy:
        store.use(monkeypatch, proxy.endpoint)
        proxy.faults.append(Fault("GET", kind, where="a.jsonl"))
        (file,) = place_of(url, tmp_path).look(SUFFIXES).files
        assert file.path.read_bytes() == content
        assert not proxy.faults[0].times


def test_what_is_taken_away_while_it_is_looked_at_is_passed_over_and_said(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = s3.moto()
    store.use(monkeypatch)
    for name in ("a.jsonl", "b.jsonl"):
        s3.change(store, url, name, b"one\n")
    with proxied(store.endpoint) as proxy:
        store.use(monkeypatch, proxy.endpoint)
        proxy.faults.append(Fault("GET", "404", where="a.jsonl"))
        found = place_of(url, tmp_path).look(SUFFIXES)
        assert [file.name for file in found.files] == ["b.jsonl"]
        assert found.passed_over == [("a.jsonl", MOVED)]
        assert [file.name for file in place_of(url, tmp_path).look(SUFFIXES).files] == ["a.jsonl", "b.jsonl"]


def test_what_never_comes_whole_is_refused_and_leaves_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = s3.moto()
    store.use(monkeypatch)
    s3.change(store, url, "a.jsonl", bytes(range(256)) * 64)
    place = place_of(url, tmp_path)
    with proxied(store.endpoint) as proxy:
        store.use(monkeypatch, proxy.endpoint)
        proxy.faults.append(Fault("GET", "half", times=99, where="a.jsonl"))
        with pytest.raises(TradexError, match="the source s3://"):
            place.look(SUFFIXES)
    assert not [*place.kept.iterdir()]


def test_it_is_said_what_is_wrong_and_of_the_source(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = s3.seaweed()
    store.use(monkeypatch)
    for odd in ("s3://", "s3://b", "s3://bucket/../other", "s3://key:secret@bucket/x"):
        with pytest.raises(NoS3PlaceError, match="the source's URL") as caught:
            open_place(f"files:{odd}", tmp_path)
        assert "secret" not in caught.value.message.removeprefix(
            "the source's URL (not repeated: it may hold a secret)"
        )
    with pytest.raises(UrlAsPathError):
        open_place("files:gs://bucket/x", tmp_path)
    with pytest.raises(NoBucketError, match="the source s3://no-such-bucket/x has no bucket") as none:
        place_of("s3://no-such-bucket/x", tmp_path).look(SUFFIXES)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(CredentialsError, match="the source s3://") as denied:
        place_of(url, tmp_path).look(SUFFIXES)
    store.use(monkeypatch, "http://127.0.0.1:9", **{SECONDS: "1"})
    with pytest.raises(UnreachableError, match="the source s3://") as away:
        place_of(url, tmp_path).look(SUFFIXES)
    codes = [caught.value.code, *(one.value.code for one in (none, denied, away))]
    assert codes == ["usage", "source-folder-unreadable", "source-denied", "source-unreachable"]


def test_a_place_is_meant_however_it_is_written(tmp_path: Path):
    place = place_of("s3://bucket/a/b", tmp_path)
    for text, is_meant in {
        "files:s3://bucket/a/b": True,
        "files:s3://bucket//a/b/": True,
        "files:s3://bucket/a": False,
        "files:s3://bucket/a/b/c": False,
        "files:a/b": False,
        "x-api:s3://bucket/a/b": False,
        "files:s3://": False,
    }.items():
        assert place.is_meant(text) == is_meant, text
    assert not FilesPlace(tmp_path).is_meant("files:s3://bucket/a/b")
    assert place.describe() == "files:s3://bucket/a/b"
