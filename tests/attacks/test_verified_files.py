"""A file of the lake is what its event says: flipped bits, forged caches, files that change while they are read."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit import signing, small
from tests.kit.lake import partitions
from tradex_ledger import keyed
from tradex_ledger.audit import query as query_module
from tradex_ledger.audit.query import query
from tradex_ledger.audit.values import values_of
from tradex_ledger.cli.main import run
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.lake import inputs, verified
from tradex_ledger.lake.open import open_lake
from tradex_ledger.lake.storage import LakeFileError, check_file, check_size
from tradex_ledger.lake.verified import KEPT_SECONDS, NOT_VERIFIED, Reading
from tradex_ledger.workspace import Workspace

NO_POST = '{"id":"x"}\n{"created_at":"2024-01-03T10:00:00.000Z","text":"no id"}\n'
SEED, FLIPS = 7438, 40
AGES_AGO = 10**18


@pytest.fixture(autouse=True)
def _of_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in (keyed.CONFIG_HOME, keyed.CACHE_HOME):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("verified")
    small.deliver(root / "posts")
    (root / "posts" / "2024-01-03-odd.jsonl").write_text(NO_POST, encoding="utf-8")
    with small.create(root / "ws", f"files:{root / 'posts'}") as workspace:
        workspace.incremental.run(last=small.day(5))
        (root / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
        small.backfill(workspace, 3, 3)
        workspace.incremental.run(last=small.day(7))
    return root


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return small.copied(made, tmp_path / "copy")


def files_of(folder: Path, dataset: str) -> list[Path]:
    return sorted((folder / "lake" / dataset).rglob("*.parquet"))


def flip(file: Path, place: int, bit: int) -> None:
    """One other bit; size and time of change as they were."""
    before = file.stat()
    content = bytearray(file.read_bytes())
    content[place] ^= 1 << bit
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


class Hashes:
    """Counts the files that are hashed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []

        def counted(path: Path, file: LakeFile) -> Any:
            self.names.append(file.path)
            return check_file(path, file)

        monkeypatch.setattr(inputs, "check_file", counted)

    def of(self, action: Callable[[], Any]) -> int:
        self.names.clear()
        action()
        return len(self.names)


def flips_in_the_lake(folder: Path, capsys: pytest.CaptureFixture[str], seed: int, flips: int) -> dict[str, int]:
    """Flip one bit at a time, in the files of every dataset by turns; what answered otherwise with exit 0 is a
    finding. Returns what came of them."""
    datasets = sorted(path.name for path in (folder / "lake").iterdir() if not path.name.startswith("."))
    assert {name.partition("_")[0] for name in datasets} == {"bronze", "silver", "gold"}
    assert any(name.endswith("__rejected") for name in datasets)

    def ask(sql: str) -> tuple[int, str, str]:
        status = run(["-C", str(folder), "--as", "ana", "--json", "query", sql])
        return (status, *capsys.readouterr())

    statements = ["select * from {} order by all", "select count(*) from {}", "describe {}"]
    right = {(name, sql): ask(sql.format(name)) for name in datasets for sql in statements}
    assert all(status == 0 for status, *_ in right.values())
    chance, came = random.Random(seed), {"the same answer": 0, "refused, the file named": 0}
    for number in range(flips):
        name = datasets[number % len(datasets)]
        sql = statements[(number // len(datasets)) % len(statements)]
        file = chance.choice(files_of(folder, name))
        whole = file.read_bytes()
        place, bit = chance.randrange(len(whole)), chance.randrange(8)
        flip(file, place, bit)
        shutil.rmtree(os.environ[keyed.CACHE_HOME], ignore_errors=True)  # whatever was verified has expired
        status, out, err = ask(sql.format(name))
        if (status, out) == right[name, sql][:2]:
            came["the same answer"] += 1
        else:
            assert status == 6 and file.relative_to(folder / "lake").as_posix() in err + out, (file, place, bit, out)
            came["refused, the file named"] += 1
        file.write_bytes(whole)
    return came


def test_a_flipped_bit_in_the_lake_gives_no_other_answer(folder: Path, capsys: pytest.CaptureFixture[str]):
    came = flips_in_the_lake(folder, capsys, SEED, FLIPS)
    assert sum(came.values()) == FLIPS and came["refused, the file named"] > FLIPS // 2


def test_a_file_is_hashed_once_and_again_after_seven_days_or_when_its_stamp_is_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    now = datetime.now(UTC) + timedelta(hours=1)
    hashes = Hashes(monkeypatch)

    def ask(later: timedelta = timedelta()) -> int:
        with Workspace.open(folder, actor="ana", clock=lambda: now + later, reading=True) as workspace:
            return hashes.of(lambda: query(workspace.ledger.store, workspace.core.lake, "select * from gold_metrics"))

    n_files = ask()
    assert n_files > 5
    assert ask() == 0
    assert ask(timedelta(seconds=KEPT_SECONDS - 1)) == 0
    assert ask(timedelta(seconds=KEPT_SECONDS)) == n_files
    assert ask(-timedelta(days=1)) == n_files  # found right in the future: it is not known
    file = files_of(folder, "gold_metrics")[0]
    os.utime(file, ns=(AGES_AGO, AGES_AGO))
    assert ask(timedelta(seconds=KEPT_SECONDS)) == 1
    shutil.copy2(file, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)
    assert ask(timedelta(seconds=KEPT_SECONDS)) == 1


def test_what_was_changed_only_just_now_is_believed_once(folder: Path, monkeypatch: pytest.MonkeyPatch):
    hashes = Hashes(monkeypatch)
    changed = files_of(folder, "gold_metrics")[0].stat().st_ctime_ns // 10**9
    at = [datetime.fromtimestamp(changed + 1, UTC)]
    for _ in range(2):
        lake = open_lake(str(folder / "lake"), clock=lambda: at[0])
        with small.reopen(folder) as workspace:
            assert hashes.of(lambda: query(workspace.ledger.store, lake, "select * from gold_metrics")) > 5  # noqa: B023


@pytest.mark.parametrize("forged", ["a tag of nobody", "another user's key", "another kind of cache", "cut"])
def test_a_forged_cache_is_not_believed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], forged: str
):
    later = datetime.now(UTC) + timedelta(hours=1)
    file = files_of(folder, "gold_metrics")[0]
    flip(file, file.stat().st_size // 2, 0)
    event = min(named(folder, "gold_metrics"), key=lambda file: file.path)
    lake = open_lake(str(folder / "lake"), clock=lambda: later)
    known = verified.Verified(lake)
    home = os.environ[keyed.CONFIG_HOME]
    if forged == "another user's key":
        monkeypatch.setenv(keyed.CONFIG_HOME, str(tmp_path / "elsewhere"))
    known.add(event, check_size(lake.near(event), event))
    if forged == "another kind of cache":
        monkeypatch.setattr(verified, "_LABEL", "delivered files")
    known.keep()
    monkeypatch.undo()
    monkeypatch.setenv(keyed.CONFIG_HOME, home)
    monkeypatch.setenv(keyed.CACHE_HOME, str(tmp_path / keyed.CACHE_HOME))
    (cache,) = Path(os.environ[keyed.CACHE_HOME]).glob("*-verified")
    content = bytearray(cache.read_bytes())
    if forged == "a tag of nobody":
        content[:64] = b"0" * 64
    elif forged == "cut":
        del content[-1:]
    cache.write_bytes(content)
    with pytest.raises(LakeFileError, match="other bytes"), Reading(open_lake(str(folder / "lake"))) as reading:
        reading.check([event])


def named(folder: Path, dataset: str) -> list[LakeFile]:
    with small.reopen(folder) as workspace:
        files = [file for row in partitions(workspace) if row["dataset"] == dataset for file in row["files"]]
    return [LakeFile.of(file) for file in files]


def test_without_a_key_or_a_folder_nothing_is_remembered_and_that_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    hashes = Hashes(monkeypatch)
    ask = ["-C", str(folder), "query", "select count(*) from gold_metrics"]
    for file in files_of(folder, "gold_metrics"):
        os.utime(file)
    later = verified.SETTLED_NS
    monkeypatch.setattr(verified, "SETTLED_NS", -later)
    for name, said in ((keyed.CACHE_HOME, "is not remembered"), (keyed.CONFIG_HOME, "without the caches of this user")):
        with monkeypatch.context() as patch:
            (tmp_path / "a file").write_text("", encoding="utf-8")
            patch.setenv(name, str(tmp_path / "a file"))
            patch.setattr(keyed, "_keys", {})
            for _ in range(2):
                assert hashes.of(lambda: run(ask)) > 5
                assert said in capsys.readouterr().err
    assert hashes.of(lambda: run(ask)) > 5
    assert hashes.of(lambda: run(ask)) == 0


def test_a_file_that_changes_between_check_and_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def meanwhile(*of: Any) -> Any:
        file = files_of(folder, "gold_metrics")[0]
        other = file.with_suffix(".new")
        shutil.copy2(file, other)
        other.replace(file)
        return values_of(*of)

    monkeypatch.setattr(query_module, "values_of", meanwhile)
    with small.reopen(folder) as workspace, pytest.raises(EnvironmentFault, match=r"gold_metrics/.*while it was read"):
        query(workspace.ledger.store, workspace.core.lake, "select count(*) from gold_metrics")


def test_without_verification_the_answer_says_so(folder: Path, capsys: pytest.CaptureFixture[str]):
    file = files_of(folder, "silver_social_events")[0]
    flip(file, file.stat().st_size - 1, 5)  # the very last byte is part of the format's mark
    ask = ["-C", str(folder), "query", "select count(*) from silver_social_events"]
    assert run(ask) == 6
    assert file.name in capsys.readouterr().err
    assert run(["-C", str(folder), "query", "select count(*) from gold_signals", "--no-verify", "--json"]) == 0
    out, err = capsys.readouterr()
    assert NOT_VERIFIED in out and NOT_VERIFIED in err
    assert run(["-C", str(folder), "query", "select count(*) from runs", "--no-verify"]) == 0
    assert NOT_VERIFIED not in capsys.readouterr().err  # nothing of the lake was read


@pytest.mark.parametrize("what", ["a folder", "a pipe", "a link to nowhere"])
def test_what_stands_in_a_files_place_is_named(folder: Path, capsys: pytest.CaptureFixture[str], what: str):
    file = files_of(folder, "gold_signals")[0]
    file.unlink()
    if what == "a folder":
        file.mkdir()
    elif what == "a pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("nowhere")
    assert run(["-C", str(folder), "query", "select * from gold_signals"]) == 6
    assert file.relative_to(folder / "lake").as_posix() in capsys.readouterr().err


@pytest.mark.parametrize("dataset", ["bronze_x_posts", "bronze_x_posts__rejected", "silver_social_events"])
def test_what_writes_goes_by_no_cache(folder: Path, monkeypatch: pytest.MonkeyPatch, dataset: str):
    """Everything is held to be verified: a backfill over a flipped file is refused all the same."""
    monkeypatch.setattr(verified.Verified, "holds", lambda *_: True)
    (file,) = [path for path in files_of(folder, dataset) if "2024-01-03" in str(path)][:1]
    flip(file, file.stat().st_size // 2, 3)
    with small.reopen(folder) as workspace:
        run_id = small.request(workspace, 3, 3, kind="forced", ticket="INC-1")
        with small.reopen(folder, actor="maria") as maria:
            signing.approve(maria, run_id)
        if dataset.startswith("silver"):
            workspace.runs.drive(run_id)  # built anew from Bronze; what is there is hashed, found other, and replaced
            assert workspace.runs.drive(run_id).candidates[dataset][day_of("2024-01-03")].is_written
        else:
            with pytest.raises(LakeFileError, match=dataset):
                workspace.runs.drive(run_id)


def test_late_posts_are_not_told_from_damaged_bronze(folder: Path):
    file = files_of(folder, "bronze_x_posts")[2]
    flip(file, file.stat().st_size // 2, 3)
    with small.reopen(folder) as workspace, pytest.raises(EnvironmentFault, match="bronze_x_posts/"):
        workspace.backfills.propose()


def test_a_comparison_reads_no_damaged_file(folder: Path, capsys: pytest.CaptureFixture[str]):
    with small.reopen(folder) as workspace:
        later = small.LATE.replace("000001", "000077").replace("late", "later").replace('"9"', '"10"')
        (folder.parent / "posts" / "2024-01-10-later.jsonl").write_text(later, encoding="utf-8")
        run_id = small.request(workspace, 3, 3, review=True)
        workspace.backfills.approve(run_id)
        assert workspace.runs.drive(run_id).status == "HELD"
    ask = ["-C", str(folder), "audit", "diff", "--candidate", run_id]
    assert run(ask) == 1
    (file,) = [path for path in files_of(folder, "gold_metrics") if run_id in path.name][:1]
    flip(file, file.stat().st_size // 2, 1)
    capsys.readouterr()
    assert run(ask) == 6
    assert file.name in capsys.readouterr().err
    run([*ask, "--no-verify"])
    assert NOT_VERIFIED in capsys.readouterr().err


@pytest.mark.soak
def test_a_thousand_flipped_bits_in_the_lake(folder: Path, capsys: pytest.CaptureFixture[str]):
    came = flips_in_the_lake(folder, capsys, SEED + 1, 1000)
    with capsys.disabled():
        print(f"\n1000 flipped bits in the lake: {came}; other answers with exit 0: 0")
