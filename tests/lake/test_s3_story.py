"""A workspace whose lake is in S3: whose it is, what crashes leave, what is taken away, and how its faults are told."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import s3, small
from tests.kit.faults import Crash
from tests.kit.s3_proxy import Fault, proxied
from tests.kit.tree import ROOT
from tradex_ledger import extras, keyed
from tradex_ledger.audit.query import query
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE
from tradex_ledger.domain.incremental import NothingToRunError
from tradex_ledger.errors import EnvironmentFault, TradexError
from tradex_ledger.lake.identity_errors import LakeIdentityError, NestedLakeError, OtherLedgerError
from tradex_ledger.lake.open import open_lake
from tradex_ledger.lake.s3 import S3Lake
from tradex_ledger.lake.s3_objects import Objects
from tradex_ledger.lake.s3_profile import profile
from tradex_ledger.lake.s3_store import SECONDS
from tradex_ledger.upkeep.gc import find_unreferenced
from tradex_ledger.workspace import Workspace

DATASETS = ("silver_social_events", "gold_metrics", *worlds.GOLD_OF_GOLD)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with posts; files of lakes are brought to it."""
    s3.moto().use(monkeypatch)
    monkeypatch.setenv(keyed.CACHE_HOME, str(tmp_path / "cache"))
    small.deliver(tmp_path / "posts", days=3, posts_per_day=4)
    worlds.define(tmp_path / "pipeline", without=worlds.GOLD_OF_GOLD)
    return tmp_path


def create(home: Path, name: str, lake: str) -> Workspace:
    """A workspace that works in this very process; what is built of Gold is laid in a store as Gold is."""
    source, pipeline = f"files:{home / 'posts'}", str(home / "pipeline")
    Workspace.create(home / name, source=source, lake=lake, pipeline=pipeline, start=small.day(1), actor="ana").close()
    settings = home / name / FILE
    settings.write_text(settings.read_text().replace("[workspace]", "[workspace]\nworkers = 1", 1))
    return small.reopen(home / name)


def rows(workspace: Workspace) -> dict[str, list[Any]]:
    store, names = workspace.ledger.store, workspace.core.pipeline.definitions.keys() & {*DATASETS}
    return {name: query(store, workspace.core.lake, f"select * from {name} order by all").rows for name in names}


def test_a_lake_belongs_to_one_ledger_and_none_lies_in_another(home: Path):
    above = s3.fresh_url()
    url = f"{above}/own"
    create(home, "one", url).close()
    for other, error in ((url, OtherLedgerError), (f"{url}/inside", NestedLakeError), (above, NestedLakeError)):
        with pytest.raises(LakeIdentityError) as caught:
            create(home, "two", other)
        assert isinstance(caught.value, error)
        assert caught.value.mend
    assert not (home / "two").exists()


class Dying:
    """Dies at the n-th placing (from 1) whose path begins so, before it or once it is done; what comes after has no
    effect."""

    def __init__(self, kind: str, at: int, *, persisted: bool) -> None:
        self.kind, self.left, self.persisted = kind, at, persisted
        self.put = Objects.put

    async def __call__(self, objects: Objects, path: str, content: bytes, token: str) -> bool:
        if self.left <= 0:
            raise Crash("dead already")
        self.left -= path.startswith(self.kind)
        if self.left == 0 and not self.persisted:
            raise Crash(path)
        done = await self.put(objects, path, content, token)
        if self.left == 0:
            raise Crash(path)
        return done


def kill_and_resume(
    home: Path, monkeypatch: pytest.MonkeyPatch, kind: str = "", at: int = 1, *, persisted: bool
) -> bool:
    """Die at a placing, look, and run again; the rows are those of a run that nobody disturbed. False: none so late."""
    name, died = f"{kind}{at}-{persisted}", True
    with create(home, name, s3.fresh_url()) as workspace, monkeypatch.context() as patch:
        patch.setattr(Objects, "put", partialmethod(Dying(kind, at, persisted=persisted)))
        try:
            workspace.incremental.run(last=small.day(2))
            died = False
        except Crash:
            seen = rows(workspace)
            assert all(seen.values()) or not any(seen.values()), "a part of the run is visible"
    with small.reopen(home / name) as workspace:
        with suppress(NothingToRunError):
            workspace.incremental.run(last=small.day(2))
        assert rows(workspace) == undisturbed(home)
        lake, ledger = workspace.core.lake, workspace.ledger
        left = {item.what.path for item in find_unreferenced(ledger, lake)}
        named = {path for (path,) in query(ledger.store, lake, "select path from lake_files").rows}
        assert {entry.path for entry in lake.files()} == left | named
        assert lake.markers()
    return died


def undisturbed(home: Path) -> dict[str, list[Any]]:
    """The rows of the run in a folder."""
    if (home / "undisturbed").exists():
        with small.reopen(home / "undisturbed") as workspace:
            return rows(workspace)
    with create(home, "undisturbed", "lake") as workspace:
        workspace.incremental.run(last=small.day(2))
        return rows(workspace)


def test_a_run_that_dies_right_before_or_after_a_placing_resumes_to_the_same_rows(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    # The first marker is asked for before the run begins, the second is laid after its save.
    for kind, at, persisted in (("gold_metrics/", 1, True), (".tradex-lake/", 2, False)):
        assert kill_and_resume(home, monkeypatch, kind, at, persisted=persisted)


@pytest.mark.soak
def test_a_run_that_dies_at_any_placing_resumes_to_the_same_rows(home: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.rmtree(home / "pipeline")
    worlds.define(home / "pipeline")
    for persisted in (False, True):
        at = 1
        while kill_and_resume(home, monkeypatch, at=at, persisted=persisted):
            at += 1
        assert at > 10


def test_what_a_dead_run_left_goes_with_gc_and_what_is_foreign_stays(home: Path, monkeypatch: pytest.MonkeyPatch):
    url = s3.fresh_url()
    with create(home, "ws", url) as workspace:
        run = workspace.incremental.run(last=small.day(3))
        left = f"gold_metrics/date=2024-01-03/{run.id}-9.parquet"
        for path in (left, "somebody/elses.txt", ".staging/odd"):
            s3.change(s3.moto(), url, path, b"left")
        found = {item.what.path: item.what.kept for item in find_unreferenced(workspace.ledger, workspace.core.lake)}
        assert found.keys() == {left, "somebody/elses.txt", ".staging/odd"}
        assert found[left] is not None, "its time lies in the future of this clock"
    with Workspace.open(home / "ws", actor="ana") as workspace:
        monkeypatch.setattr("tradex_ledger.upkeep.gc.TTL_SECONDS", -1)
        before = {entry.path for entry in workspace.core.lake.files()}
        workspace.lake.gc(reason="left by the crash of 3 Feb, INC-4310")
        assert {entry.path for entry in workspace.core.lake.files()} == before - {left}


def test_superseded_files_are_pruned_by_two_and_the_past_says_so(home: Path):
    with create(home, "ws", s3.fresh_url()) as workspace:
        workspace.incremental.run(last=small.day(3))
        (home / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
        small.backfill(workspace, 3, 3)
        before = {entry.path for entry in workspace.core.lake.files()}
        digest, listed = workspace.lake.plan_prune(
            "silver_social_events", reason="superseded by the late post, INC-4211"
        )
    with small.reopen(home / "ws", "maria") as maria:
        gone = maria.lake.prune("silver_social_events", digest)
        assert gone == [one.file.path for one in listed]
        assert {entry.path for entry in maria.core.lake.files()} == before - set(gone)
        assert maria.lake.losses().wrong == []


def test_who_has_a_lake_in_a_folder_imports_no_client_of_stores():
    code = "import sys; from tradex_ledger.lake.open import open_lake; open_lake('/lake'); "
    code += "sys.exit(bool({'obstore', 'asyncio'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_shell_makes_a_lake_reads_it_and_keeps_every_secret(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def said(*arguments: str | Path) -> tuple[int, str]:
        status = run([str(word) for word in arguments])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    ws, ask = home / "ws", ("query", "select count(*) as n from gold_metrics")
    status, text = said("init", ws, "--lake", f"{s3.fresh_url()}/", "--source", f"files:{home / 'posts'}")
    assert status == 0, text
    assert said("-C", ws, "run", "--to", "2024-01-02")[0] == 0
    monkeypatch.setenv(keyed.CACHE_HOME, str(home / "other"))
    status, text = said("-C", ws, *ask)
    assert (status, int(text.splitlines()[1]) > 0) == (0, True)
    assert said("-C", ws, *ask, "--as-of", "20")[1].splitlines()[1] == "0"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv(SECONDS, "1")
    monkeypatch.setenv(keyed.CACHE_HOME, str(home / "third"))
    for command, expected in ((("status",), 0), (("run", "--to", "2024-01-03"), 6), (ask, 6)):
        status, text = said("-C", ws, *command)
        assert status == expected, text
        assert ("http://127.0.0.1:1 answers" in text) == (expected == 6), text
    files = [path for path in ws.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if any(secret.encode() in path.read_bytes() for secret in (s3.KEY, s3.SECRET))]


def test_who_waits_for_a_store_that_hangs_can_be_interrupted(home: Path):
    with create(home, "ws", s3.fresh_url()) as workspace:
        workspace.incremental.run(last=small.day(2))
    with proxied(s3.moto().endpoint) as proxy:
        proxy.faults.append(Fault("GET", "hang", 99, "gold_metrics"))
        start = "from tradex_ledger.cli.signals import start; start()"
        environment = {**os.environ, "AWS_ENDPOINT_URL": proxy.endpoint, keyed.CACHE_HOME: str(home / "other")}
        waiting = subprocess.Popen(
            [sys.executable, "-c", start, "-C", str(home / "ws"), "query", "from gold_metrics"],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        until = time.monotonic() + 30
        while proxy.faults[0].times == 99:
            assert time.monotonic() < until
            time.sleep(0.05)
        waiting.send_signal(signal.SIGINT)
        since = time.monotonic()
        text, _ = waiting.communicate(timeout=60)
        assert (waiting.returncode, "Traceback" in text) == (130, False), text
        assert time.monotonic() - since < 10


@pytest.mark.parametrize(
    "url", ["s3://key:hunter2@bucket/lake", "s3://bucket/lake?hunter2=1", "s3://bucket/a/../hunter2", "s3:///hunter2"]
)
def test_a_url_that_is_no_bucket_and_prefix_is_refused_and_not_repeated(home: Path, url: str):
    with pytest.raises(TradexError) as caught:
        create(home, "ws", url)
    assert caught.value.code == "lake-url"
    assert "hunter2" not in f"{caught.value} {caught.value.mend}"
    assert not (home / "ws").exists()


def test_one_place_has_one_name():
    assert {S3Lake(url).name for url in ("s3://bucket/a/b", "s3://bucket//a//b/")} == {"s3://bucket/a/b"}
    assert S3Lake("s3://bucket/").name == "s3://bucket"


@pytest.mark.parametrize("given", ["ten", "0", "-1", "1e3", "9" * 99])
def test_a_time_that_is_no_number_of_seconds_is_told_and_not_passed_over(monkeypatch: pytest.MonkeyPatch, given: str):
    monkeypatch.setenv(SECONDS, given)
    with pytest.raises(EnvironmentFault, match="no number of seconds") as caught:
        S3Lake("s3://bucket/lake").markers()
    assert caught.value.mend == f"{SECONDS}=30, say"


def test_without_its_packages_the_mend_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(extras.NEEDED, "s3", ("no_such_package",))
    with pytest.raises(TradexError) as caught:
        open_lake("s3://bucket/lake")
    assert (caught.value.code, caught.value.mend) == ("missing-extra", "pip install 'tradex-ledger[s3]'")


def test_files_that_travel_unencrypted_are_told_of(monkeypatch: pytest.MonkeyPatch):
    lake = S3Lake("s3://bucket/lake")
    for endpoint, told in (("http://store.example:8333", 1), ("https://store.example", 0), ("http://127.0.0.1:1", 0)):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        assert len(list(lake.exposed())) == told


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a profile, and nothing in the environment."""
    s3.seaweed().use(monkeypatch, AWS_PROFILE="desk")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name)
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text(f"[profile desk]\nendpoint_url = {s3.seaweed().endpoint}\nregion = us-east-1\n")
    credentials.write_text(f"[desk]\naws_access_key_id = {s3.KEY}\naws_secret_access_key = outdated\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    return credentials


def test_keys_of_a_profile_are_taken_and_can_be_changed_meanwhile(aws: Path):
    lake = S3Lake(s3.fresh_url())
    with pytest.raises(EnvironmentFault) as caught:
        lake.markers()
    assert caught.value.code == "lake-credentials"
    aws.write_text(aws.read_text().replace("outdated", s3.SECRET))
    assert lake.markers() == []
    assert s3.SECRET not in repr(profile())
