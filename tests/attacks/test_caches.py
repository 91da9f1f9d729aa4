"""What lies in a cache is believed by its maker only, and only as it was made."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from tests import worlds
from tests.kit import small
from tests.kit.delivered import files_in
from tests.kit.rows import rows
from tradex_ledger import keyed
from tradex_ledger.audit.query import query
from tradex_ledger.cli.main import run
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.driving import keys
from tradex_ledger.driving.delivered import Delivered, Known, open_delivered
from tradex_ledger.driving.keys import open_keys
from tradex_ledger.lake.inputs import InputFile
from tradex_ledger.lake.open import open_lake
from tradex_ledger.lake.storage import check_size
from tradex_ledger.lake.verified import Reading, Verified
from tradex_ledger.ledger import segments as of_events
from tradex_ledger.ledger.select import open_store
from tradex_ledger.planning.scope import Scope
from tradex_ledger.sources.stage import FileCounts
from tradex_ledger.views import open_view, open_views, resolve
from tradex_ledger.workspace import Workspace

FLIPS, SEED = 60, 9162
EVENTS = 512  # a segment in here: two tiles
FULL = worlds.LONG // EVENTS
COUNT = 'select count(*), sum(e.rows)::bigint, min(e."at"), max(stream) from events e'


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


def test_caches_lie_in_a_workspace_that_is_the_users_own_and_else_at_home(home: Path, tmp_path: Path):
    ws = tmp_path / "ws"
    ws.mkdir()
    assert keyed.caches_of(ws, "ld-1").path("x") == ws / ".cache" / "ld-1" / "x"
    assert list(ws.iterdir()) == [], "to ask where they lie makes nothing"
    assert keyed.caches_of(ws, "ld-1").made("x") == ws / ".cache" / "ld-1" / "x"
    assert {path.stat().st_mode & 0o777 for path in ws.rglob("*")} == {0o700}
    if os.geteuid() == 0:
        os.chown(ws, 12345, 12345)
        elsewhere = keyed.caches_of(ws, "ld-1").made("x")
        assert elsewhere is not None and elsewhere.parents[2] == tmp_path / "caches"
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "caches", *elsewhere.parents[:2])} == {0o700}
        (tmp_path / "caches").chmod(0o777)
        assert keyed.caches_of(ws, "ld-1").made("x") is None


@pytest.mark.parametrize("ledger", ["..", "a/b", "", ".", "/etc", "a" * 65, "a\n"])
def test_an_id_that_is_no_name_of_a_folder_has_no_caches(home: Path, tmp_path: Path, ledger: str):
    assert keyed.caches_of(tmp_path, ledger).made() is None
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_the_way_leads_no_cache_elsewhere(home: Path, tmp_path: Path):
    ws, other = tmp_path / "ws", tmp_path / "other"
    ws.mkdir()
    other.mkdir()
    (ws / ".cache").symlink_to(other)
    assert keyed.caches_of(ws, "ld-1").made("x") is None
    assert list(other.iterdir()) == []


def test_what_an_older_release_left_beside_the_ledger_is_neither_read_nor_touched(
    home: Path, ws: Path, capsys: pytest.CaptureFixture[str]
):
    right = asked(ws, capsys)
    shutil.rmtree(ws / ".cache")
    old = [ws / f"ledger.db-{name}" for name in ("segments", "delivered", "keys")]
    for path in old:
        path.write_bytes(b"of an older release")
    assert asked(ws, capsys) == right
    assert [path.read_bytes() for path in old] == [b"of an older release"] * 3
    assert len(segments(small.caches(ws) / "segments")) == FULL


# -- segments


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with four full segments and a tail: whoever reads makes and takes them."""
    monkeypatch.setattr(of_events, "EVENTS", EVENTS)
    return Path(
        shutil.copytree(
            worlds.long(), tmp_path / "ws", ignore=shutil.ignore_patterns("bronze*", "silver*", "gold*", "posts")
        )
    )


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


def asked(ws: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What a query and the status say, and what is said beside them; nothing is kept of before but the segments."""
    shutil.rmtree(small.caches(ws) / "kept", ignore_errors=True)
    statuses = [run(["-C", str(ws), "query", COUNT]), run(["-C", str(ws), "status"])]
    assert statuses == [0, 0]
    captured = capsys.readouterr()
    return captured.out, captured.err


def edited(path: Path) -> bytes:
    """A segment of the same shape that tells of other rows."""
    with duckdb.connect() as connection:
        source, target = f"'{path}'", f"'{path}.edited'"
        connection.execute(f"copy (select * replace (9999 as rows) from {source}) to {target} (format parquet)")
    content = Path(f"{path}.edited").read_bytes()
    Path(f"{path}.edited").unlink()
    return content


def test_an_edited_segment_under_the_name_of_its_new_digest_is_made_again(
    home: Path, ws: Path, capsys: pytest.CaptureFixture[str]
):
    right = asked(ws, capsys)
    folder = small.caches(ws) / "segments"
    assert folder.stat().st_mode & 0o777 == 0o700
    before = {path.name: path.read_bytes() for path in segments(folder)}
    assert len(before) == FULL
    for path in segments(folder):
        content, (first, binding, _) = edited(path), path.stem.split("-")
        path.unlink()
        (folder / f"{first}-{binding}-{hashlib.sha256(content).hexdigest()}.parquet").write_bytes(content)
    assert asked(ws, capsys) == right
    assert {path.name: path.read_bytes() for path in segments(folder)} == before


def test_the_segments_of_another_user_are_not_believed(
    home: Path, ws: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    right = asked(ws, capsys)
    folder = small.caches(ws) / "segments"
    mine = {path.name for path in segments(folder)}
    for path in segments(folder):
        content = edited(path)
        with monkeypatch.context() as other:
            other.setenv(keyed.CONFIG_HOME, str(tmp_path / "evil"))
            bound = f"{path.stem.rpartition('-')[0]}-{hashlib.sha256(content).hexdigest()}".encode()
            tag = keyed.seal(bound, "segment")
        assert tag is not None
        path.with_name(f"{path.stem.rpartition('-')[0]}-{tag.hex()}.parquet").write_bytes(content)
        path.unlink()
    assert asked(ws, capsys) == right
    assert {path.name for path in segments(folder)} == mine


def test_whoever_may_not_write_into_the_workspace_has_segments_at_home(
    home: Path, ws: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    plain = asked(ws, capsys)
    shutil.rmtree(ws / ".cache")
    ws.chmod(0o555)
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "access", lambda path, mode: not (Path(path) == ws and mode & os.W_OK))
    before = sorted(ws.iterdir())
    assert asked(ws, capsys) == plain
    assert asked(ws, capsys) == plain
    assert sorted(ws.iterdir()) == before
    folder = small.caches(ws) / "segments"
    assert folder.parents[2] == tmp_path / "caches"
    assert (len(segments(folder)), folder.stat().st_mode & 0o777) == (FULL, 0o700)


def test_without_a_key_answers_are_computed_and_that_is_said_once(
    home: Path, ws: Path, capsys: pytest.CaptureFixture[str]
):
    right, usual = asked(ws, capsys)
    assert "warning" not in usual
    key = home / "cache.key"
    keyed._keys.clear()
    key.chmod(0o644)
    for path in segments(small.caches(ws) / "segments"):
        path.write_bytes(b"")
    for _ in range(2):
        answer, beside = asked(ws, capsys)
        assert answer == right
        said = [line for line in beside.splitlines() if line not in usual]
        assert len(said) == 2  # one a call
        assert all(line.startswith("warning: answers are computed without the caches") for line in said), said
        assert str(key) in said[0]


def test_pipes_and_links_in_the_place_of_a_segment_hold_nobody_up(
    home: Path, ws: Path, capsys: pytest.CaptureFixture[str]
):
    right = asked(ws, capsys)
    pipe, link, *_ = segments(small.caches(ws) / "segments")
    pipe.unlink()
    os.mkfifo(pipe)
    link.rename(ws / "elsewhere")
    link.symlink_to(ws / "elsewhere")
    assert asked(ws, capsys) == right


def flip(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    changed[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def longer(content: bytes, chance: random.Random) -> bytes:
    return content + content[: chance.randrange(1, 40)]


HARMS = (flip, flip, flip, cut, longer)


def tell(ledger: Path, upto: int) -> Any:
    with open_view(open_store(f"sqlite:///{ledger}", ledger.parent), upto, None).connection as connection:
        return connection.execute("select count(*), sum(hash(e)) from events e").fetchall()


@pytest.mark.parametrize("flips", [FLIPS, pytest.param(300, marks=pytest.mark.soak)])
def test_a_flipped_bit_in_a_segment_gives_no_other_answer(home: Path, ws: Path, flips: int):
    def answer() -> Any:
        return tell(ws / "ledger.db", 3 * EVENTS)

    right, chance = answer(), random.Random(SEED + flips)
    whole = {path: path.read_bytes() for path in segments(small.caches(ws) / "segments")}
    for number in range(flips):
        path = chance.choice(list(whole))
        path.write_bytes(HARMS[number % len(HARMS)](whole[path], chance))
        assert answer() == right
        assert {path: path.read_bytes() for path in segments(small.caches(ws) / "segments")} == whole


def test_segments_in_each_others_place_give_no_other_answer(home: Path, ws: Path, capsys: pytest.CaptureFixture[str]):
    right = asked(ws, capsys)
    first, *others = (path.read_bytes() for path in segments(small.caches(ws) / "segments"))
    for path, content in zip(segments(small.caches(ws) / "segments"), (*others, first), strict=True):
        path.write_bytes(content)
    assert asked(ws, capsys) == right
    names = [path.name for path in segments(small.caches(ws) / "segments")]
    paths = segments(small.caches(ws) / "segments")
    paths[0].rename(paths[0].with_name("kept"))
    paths[1].rename(paths[0].with_name(names[0][:13] + names[1][13:]))  # the second's binding at the first's range
    assert asked(ws, capsys) == right


# -- what is known of delivered files


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a workspace that has run, and the source beside it."""
    root = tmp_path_factory.mktemp("told")
    worlds.copied(root, days=4, until=None, thin=True)
    return root


@pytest.fixture
def run_once(told: Path, tmp_path: Path, home: Path) -> Iterator[Path]:
    ws = small.copied(told, tmp_path / "run")
    with small.reopen(ws) as workspace:
        workspace.incremental.run(last=small.day(4))
    yield ws


def posts(ws: Path) -> int:
    with small.reopen(ws) as workspace:
        answer = query(workspace.ledger.store, workspace.core.lake, "select count(*)::bigint from bronze_x_posts")
    return int(answer.rows[0][0])


def known_of(scope: Scope) -> Delivered:
    return open_delivered(scope, scope.intakes[0])


def all_held(workspace: Workspace, path: Path) -> Delivered:
    """A cache that claims that Bronze has all of all files."""
    ever = ((-(2**31), 2**31),)
    known = {}
    for file in files_in(Path(str(workspace.config.source).removeprefix("files:"))):
        digest = hashlib.sha256(file.path.read_bytes()).hexdigest()
        known[file.name] = Known(FileCounts(file.name, digest, 24, {19723: 24}, {}), ever, ever)
    return Delivered(path, known_of(workspace.core.scope()).binding, known)


@pytest.mark.parametrize("how", ["as before", "another key"])
def test_a_cache_that_claims_that_all_is_there_makes_no_run_leave_posts_out(
    told: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, run_once: Path, how: str
):
    ws = small.copied(told, tmp_path / "attacked")
    cache = small.caches(ws) / "delivered"
    with small.reopen(ws) as workspace:
        with monkeypatch.context() as other:
            other.setenv(keyed.CONFIG_HOME, str(tmp_path / "evil"))
            all_held(workspace, cache)._write(workspace.ledger)
            assert known_of(workspace.core.scope()).known, "the attack is one for who has the key"
        body = cache.read_bytes().partition(b"\n")[2]
        if how == "as before":
            cache.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        assert orjson.loads(body)["files"]
        assert known_of(workspace.core.scope()).known == {}
        workspace.incremental.run(last=small.day(4))
    assert posts(ws) == posts(run_once) > 0
    assert cache.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("flips", [FLIPS, pytest.param(300, marks=pytest.mark.soak)])
def test_a_flipped_bit_in_what_is_known_of_files_is_seen(run_once: Path, flips: int):
    cache, chance = small.caches(run_once) / "delivered", random.Random(SEED)
    whole = cache.read_bytes()
    with small.reopen(run_once) as workspace:
        scope = workspace.core.scope()
        right = known_of(scope).known
        assert right
        for number in range(flips):
            cache.write_bytes(HARMS[number % len(HARMS)](whole, chance))
            assert known_of(scope).known == {}
        cache.write_bytes(whole)
        assert known_of(scope).known == right


def bronze_files(workspace: Workspace) -> list[InputFile]:
    engine = workspace.ledger.store
    with open_views(engine, resolve(engine, None)) as connection:
        found = rows(connection, "partitions", "dataset = 'bronze_x_posts' order by partition")
    return [
        InputFile(day["partition"].toordinal(), LakeFile.of(f), workspace.core.lake)
        for day in found
        for f in day["files"]
    ]


@pytest.mark.parametrize("flips", [FLIPS, pytest.param(300, marks=pytest.mark.soak)])
def test_a_flipped_bit_in_the_index_of_keys_gives_no_other_keys(
    run_once: Path, monkeypatch: pytest.MonkeyPatch, flips: int
):
    folder, chance = small.caches(run_once) / "keys", random.Random(SEED)
    monkeypatch.setattr(keys, "_SPANS", 3)  # else a file of few posts is told by its spans alone
    (folder / "spans").unlink()

    def told(workspace: Workspace, files: list[InputFile]) -> list[Any]:
        index = open_keys(workspace.core.execution())
        return [(spans, index.numbers(file, "post_id")) for file, spans in index.known(files, "post_id")]

    with small.reopen(run_once) as workspace:
        files = bronze_files(workspace)
        right = told(workspace, files)
        whole = {path: path.read_bytes() for path in sorted(folder.iterdir())}
        assert len(whole) > 2  # the table of spans, and the numbers of files that need more
        for number in range(flips):
            path = chance.choice(list(whole))
            path.write_bytes(HARMS[number % len(HARMS)](whole[path], chance))
            assert told(workspace, files) == right
            path.write_bytes(whole[path])


@pytest.mark.parametrize("flips", [FLIPS, pytest.param(300, marks=pytest.mark.soak)])
def test_a_flipped_bit_in_what_was_verified_verifies_nothing(run_once: Path, home: Path, flips: int):
    later = datetime.now(UTC) + timedelta(hours=1)
    with small.reopen(run_once) as workspace:
        named = [file.file for file in bronze_files(workspace)]

    def holds() -> list[bool]:
        lake = open_lake(str(run_once / "lake"), clock=lambda: later)
        known = Verified(lake)
        return [known.holds(one, check_size(lake.near(one), one)) for one in named]

    with Reading(open_lake(str(run_once / "lake"), clock=lambda: later)) as reading:
        reading.check(named)
    assert all(holds())
    (cache,) = Path(os.environ[keyed.CACHE_HOME]).glob("*-verified")
    whole, chance = cache.read_bytes(), random.Random(SEED)
    for number in range(flips):
        cache.write_bytes(HARMS[number % len(HARMS)](whole, chance))
        assert not any(holds())


def test_an_older_cache_of_the_same_ledger_put_back_changes_nothing(run_once: Path, told: Path, tmp_path: Path):
    post = {"id": "1741941000000000001", "author_id": "9", "text": "$TSLA", "created_at": "2024-01-02T10:00:00.000Z"}

    def story(ws: Path, harm: Callable[[Path], object]) -> list[Any]:
        cache, late = small.caches(ws) / "delivered", ws.parent / "posts" / "late.jsonl"
        older = cache.read_bytes()
        found = []
        with small.reopen(ws) as workspace:
            for texts in (["one"], ["one", "two"], ["three"]):
                late.write_bytes(b"\n".join(orjson.dumps({**post, "text": text}) for text in texts))
                harm(cache) if harm is not put_back else cache.write_bytes(older)
                small.backfill(workspace, 1, 4)
                answer = query(
                    workspace.ledger.store, workspace.core.lake, "select text from bronze_x_posts order by all"
                )
                found.append(answer.rows)
        return found

    def put_back(_: Path) -> None:
        """The older one stands there again."""

    other = small.copied(run_once.parent, tmp_path / "other")
    assert story(run_once, put_back) == story(other, Path.unlink)


def test_what_another_ledger_knows_is_not_believed(run_once: Path, told: Path, tmp_path: Path):
    ws = small.copied(told, tmp_path / "other")
    with small.reopen(ws) as workspace:
        assert known_of(workspace.core.scope()).known == {}
        shutil.copy(small.caches(run_once) / "delivered", small.caches(ws) / "delivered")
        assert known_of(workspace.core.scope()).known == {}
        workspace.incremental.run(last=small.day(2))
        shutil.copy(small.caches(run_once) / "delivered", small.caches(ws) / "delivered")
        assert known_of(workspace.core.scope()).known == {}
