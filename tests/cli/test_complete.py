"""What a shell offers for a word: what there is by name; fast, without a trace, and in silence where there is none."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.loaded import run_all
from tests.kit.stores import POSTGRES, living
from tests.kit.tree import CLI
from tradex_ledger.audit import names

Offered = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = worlds.copied(tmp_path_factory.mktemp("complete"))
    with small.reopen(folder) as workspace:
        return folder, small.request(workspace)


def completed(folder: Path, words: str, shell: str = "bash", **environment: str) -> subprocess.CompletedProcess[str]:
    """What is offered for the last of some words."""
    every = words.split(" ")
    known = {name: value for name, value in os.environ.items() if not name.startswith("TRADEX")}
    asked = {"_TRADEX_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(every) - 1)}
    return subprocess.run(
        [sys.executable, str(CLI)],
        cwd=folder,
        env={**known, **asked, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def offered(folder: Path, words: str) -> list[str]:
    done = completed(folder, words)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.rglob("*"))}


def test_what_there_is_by_name_is_offered(world: tuple[Path, str], tmp_path: Path):
    folder, run_id = world
    for words, found in (
        (f"tradex backfill show {run_id[:5]}", [run_id]),
        ("tradex backfill cancel bf-", [run_id]),
        ("tradex audit why gold_b", ["gold_baselines"]),
        ("tradex audit history gold_s", ["gold_signals"]),
        ("tradex dataset show gold_m", ["gold_metrics"]),
        ("tradex dataset deprecate gold_metrics ", ["1"]),
        ("tradex audit diff gold_signals --versions ", ["1"]),
        ("tradex audit log --dataset silver", ["silver_social_events"]),
        ("tradex audit log --topic backfill.app", ["backfill.approved"]),
        ("tradex audit log --until yes", ["yesterday"]),
        ("tradex audit log --run bf-", [run_id]),
        (f"tradex status --as-of {run_id[:6]}", [run_id]),
        ("tradex projection list run_l", ["run_layers"]),
        ("tradex backfill request temporal br", ["bronze", "bronze_x_posts"]),
        ("tradex dataset show nothing_like_it", []),
    ):
        assert [word for word in offered(folder, words) if "__" not in word] == found, words
    by_option = completed(tmp_path, f"tradex -C {folder} backfill show bf-").stdout
    by_environment = completed(tmp_path, "tradex backfill show bf-", TRADEX_WORKSPACE=str(folder)).stdout
    assert by_option == by_environment == f"plain,{run_id}\n"


def test_a_shell_that_shows_it_is_told_what_each_is(world: tuple[Path, str]):
    folder, run_id = world
    words = "tradex backfill show bf-"
    fish = completed(folder, words, "fish", COMP_CWORD="bf-").stdout
    assert fish == f"plain,{run_id}\ttemporal backfill of bronze_x_posts 2024-01-04..2024-01-05\n"
    assert "temporal backfill of" in completed(folder, words, "zsh").stdout


def test_it_leaves_no_trace_and_loads_nothing_heavy(world: tuple[Path, str], tmp_path: Path):
    folder, _ = world
    before = everything(folder)
    calls = (
        "backfill show bf-",
        "audit why gold",
        "audit log --topic ",
        "projection list ",
        "dataset deprecate gold_m ",
    )
    for call in calls:
        words = f"tradex -C {folder} {call}"
        environment = {
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
            "XDG_CACHE_HOME": str(tmp_path),
        }
        heavy = ("duckdb", "pyarrow", "rich", "sqlalchemy", "eventsourcing")
        run_all([()], 0, heavy, _TRADEX_COMPLETE="bash_complete", **environment)
    assert everything(folder) == before
    assert not list(tmp_path.iterdir())


def test_where_there_is_nothing_to_offer_there_is_no_word_of_it(world: tuple[Path, str], tmp_path: Path):
    folder = tmp_path / "ws"
    words = "tradex backfill show bf-"
    assert offered(tmp_path, words) == []
    shutil.copytree(world[0], folder)
    (folder / "ledger.db").write_bytes(b"no database" * 1000)
    assert offered(folder, words) == []
    (folder / "ledger.db").unlink()
    assert offered(folder, words) == []
    (folder / "tradex.toml").write_text("[workspace", encoding="utf-8")
    assert offered(folder, words) == []
    assert offered(tmp_path, "tradex -C /nowhere/at/all audit why ") == []


def elsewhere(folder: Path, to: Path, url: str) -> Path:
    """A workspace like that one whose ledger is to be found at a URL."""
    copy = Path(shutil.copytree(folder, to))
    settings = copy / "tradex.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("sqlite:///ledger.db", url), encoding="utf-8")
    assert url in settings.read_text(encoding="utf-8")
    return copy


def test_a_server_is_asked_as_a_file_is(world: tuple[Path, str], tmp_path: Path):
    first, run_id = world
    copy = Path(shutil.copytree(first, tmp_path / "ws"))
    with living(copy, POSTGRES[0], tmp_path) as folder:
        for words, found in (
            (f"tradex backfill show {run_id[:5]}", [run_id]),
            ("tradex audit why gold_b", ["gold_baselines"]),
            ("tradex audit diff gold_signals --versions ", ["1"]),
            ("tradex backfill request temporal br", ["bronze", "bronze_x_posts"]),
        ):
            assert [word for word in offered(folder, words) if "__" not in word] == found, words
        for call in ("backfill show bf-", "dataset deprecate gold_m "):
            words = f"tradex -C {folder} {call}"
            environment = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
            heavy = ("duckdb", "pyarrow", "rich", "sqlalchemy", "eventsourcing")
            run_all([()], 0, heavy, _TRADEX_COMPLETE="bash_complete", **environment)
    assert offered(folder, "tradex backfill show bf-") == []  # the database is gone


@pytest.fixture
def deaf() -> Iterator[str]:
    """The URL of a server that takes a call, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"postgresql://nobody@127.0.0.1:{listening.getsockname()[1]}/ledger"


def test_a_server_that_does_not_answer_is_not_waited_for(world: tuple[Path, str], tmp_path: Path, deaf: str):
    urls = (deaf, "postgresql://nobody@192.0.2.1/ledger", "postgresql://nobody@127.0.0.1:9/ledger")
    for number, url in enumerate(urls):
        folder = elsewhere(world[0], tmp_path / str(number), url)
        started = time.monotonic()
        assert names.runs(folder) == []
        assert time.monotonic() - started < names.WAIT_S + 2
        assert offered(folder, "tradex backfill show bf-") == []
    assert json.dumps(offered(folder, "tradex projection list run_l")) == '["run_layers"]'
