"""Reading writes nothing, and needs no right to."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.tree import CLI, ROOT
from tests.ledger.asking_process import Tree, tree
from tradex_ledger.audit.look import Look
from tradex_ledger.cli.main import run
from tradex_ledger.config import open_config
from tradex_ledger.keyed import CONFIG_HOME
from tradex_ledger.ledger import looking, segments
from tradex_ledger.ledger.faults import StoreFault
from tradex_ledger.ledger.looking import look, looked
from tradex_ledger.ledger.select import SQLiteFile, open_store
from tradex_ledger.ledger.store import open_engine, read, writing
from tradex_ledger.trust import LIST
from tradex_ledger.views import open_views, resolve
from tradex_ledger.workspace import Workspace

NOBODY = 65534
ASKS = ROOT / "tests" / "ledger" / "asking_process.py"
KILLED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("pragma journal_mode = wal")
for n in range(3):
    connection.execute("insert into tracking values (?, 1)", (f"killed {n}",))
os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[Path, str]]:
    """A workspace with a run and a backfill, where another user can get at it; and the id of the backfill."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with small.reopen(worlds.copied(folder, days=4, until=5)) as workspace:
            done = small.backfill(workspace, 1, 2)
        open_up(folder)
        yield folder / "ws", done.id


@pytest.fixture
def ws(made: tuple[Path, str]) -> Iterator[Path]:
    """A copy of it."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        shutil.copytree(made[0], Path(name, "ws"))
        yield Path(name, "ws")


def open_up(folder: Path) -> None:
    """Let everybody read it, and only its owner write."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


DRY_RUN = [
    *("backfill", "request", "temporal", "bronze_x_posts", "--from=2024-01-01", "--to=2024-01-02"),
    *("--no-override-state", "--reason", "the outage of 1 January, INC-4211", "--dry-run"),
]


def commands(backfill: str) -> list[list[str]]:
    """Every command that only reads."""
    return [
        ["status"],
        ["query", "select count(*) from gold_metrics"],
        ["query", "select count(*) from gold_signals", "--as-of", "20"],
        ["audit", "log"],
        ["audit", "history", backfill],
        ["audit", "history", "gold_signals"],
        ["audit", "diff", "gold_signals", "--versions", "1", "1"],
        ["backfill", "list"],
        ["backfill", "show", backfill],
        ["dataset", "list"],
        ["dataset", "show", "gold_signals", "--partitions"],
        ["dataset", "lineage", "gold_signals"],
        ["state", "show"],
        ["state", "history"],
        ["alerts"],
        ["lake", "gc"],
        ["lake", "prune", "gold_signals"],
        DRY_RUN,
        [*DRY_RUN, "--split"],
    ]


def writers(backfill: str) -> list[list[str]]:
    """Commands that write, one of each way."""
    return [
        ["run", "--to", "2024-01-05"],
        ["dataset", "protect", "gold_signals", "--from=2024-01-01", "--to=2024-01-02", "--reason=legal hold, case 7"],
        ["backfill", "revert", backfill, "--reason", "the redelivery was broken, INC-4290"],
        ["worker", "--once"],
        ["lake", "gc", "--delete", "--reason", "left by a crash, INC-4310"],
    ]


def asked(folder: Path, arguments: list[str], *before: str) -> subprocess.CompletedProcess[str]:
    """Run a command from a folder that nobody may write to, perhaps as somebody else."""
    return _process(folder, [*before, sys.executable, "-B", str(CLI), "-C", str(folder), *arguments], trusts=before)


def all_asked(folder: Path, commands: list[list[str]], *before: str) -> list[Answered]:
    """Run several commands likewise, in one process: to start costs most of it. What each answered, and left."""
    ended = _process(folder, [*before, sys.executable, "-B", str(ASKS), str(folder)], json.dumps(commands), before)
    assert ended.returncode == 0, ended.stderr
    return [Answered(*answer) for answer in json.loads(ended.stdout)]


def _process(
    folder: Path, command: list[str], said: str = "", trusts: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TRADEX_ACTOR": "eve", "HOME": "/"}
    if trusts:
        environment[CONFIG_HOME] = str(trusting(folder))
    return subprocess.run(command, input=said, cwd="/", env=environment, capture_output=True, text=True, check=False)


class Answered(NamedTuple):
    """What a command of several came to, and the tree of the folder right after it."""

    returncode: int
    stdout: str
    stderr: str
    left: Tree


def trusting(folder: Path) -> Path:
    """The configuration of somebody who trusts the workspace, which is root's: what is asked here is another matter."""
    home = folder.parent / "config-of-nobody"
    home.mkdir(exist_ok=True)
    (home / LIST).write_text(f"0 {folder}\n", encoding="utf-8")
    for path in (home, home / LIST):
        os.chown(path, NOBODY, NOBODY)
    return home


def as_nobody() -> list[str]:
    """What stands before a command to run it as somebody without rights; skips where that cannot be done."""
    before, why = _nobody()
    return before or pytest.skip(why)


@cache
def _nobody() -> tuple[list[str], str]:
    found = shutil.which("setpriv")
    if os.geteuid() != 0 or found is None:
        return [], "only root can be somebody else, with setpriv of util-linux"
    before = [found, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if subprocess.run([*before, sys.executable, str(CLI), "--version"], capture_output=True, check=False).returncode:
        return [], "somebody without rights cannot run the checkout or its Python"
    return before, ""


def kill_a_writer(ws: Path) -> None:
    """Leave what a writer leaves that was killed: pages in `-wal`, and a `-shm`."""
    subprocess.run([sys.executable, "-c", KILLED, str(ws / "ledger.db")], check=False)
    assert (ws / "ledger.db-wal").stat().st_size > 0
    open_up(ws)


def tracked(ledger: Path) -> int:
    """How many rows a read of the file finds, those in the journal included."""
    found: int = looked(ledger, lambda connection: connection.execute("select count(*) from tracking").fetchone())[0]
    return found


def test_who_may_write_leaves_everything_as_it_was(made: tuple[Path, str], ws: Path):
    before = tree(ws)
    for arguments in commands(made[1]):
        for more in ([], ["--json"]):
            assert run(["-C", str(ws), *arguments, *more]) in (0, 1), arguments
            assert tree(ws) == before, arguments


def test_what_a_killed_writer_left_is_read_and_stays(made: tuple[Path, str], ws: Path):
    kill_a_writer(ws)
    before = tree(ws)
    assert tracked(ws / "ledger.db") == 3
    for arguments in commands(made[1]):
        assert run(["-C", str(ws), *arguments]) in (0, 1), arguments
        assert tree(ws) == before, arguments


def test_a_backup_with_its_journal_but_no_index_is_read_from_a_copy(made: tuple[Path, str], ws: Path):
    kill_a_writer(ws)
    (ws / "ledger.db-shm").unlink()
    before = tree(ws)
    assert tracked(ws / "ledger.db") == 3
    for arguments in commands(made[1]):
        assert run(["-C", str(ws), *arguments]) in (0, 1), arguments
        assert tree(ws) == before, arguments
    copies = [folder.name for _, folder in looking._copies.values()]
    assert len(copies) == 1
    # What is written to it afterwards is seen, and the copy of before goes.
    with closing(sqlite3.connect(ws / "ledger.db", isolation_level=None)) as connection:
        connection.execute("insert into tracking values ('later', 1)")
        connection.execute("pragma wal_checkpoint")
    assert tracked(ws / "ledger.db") == 4
    looking._drop_copies()
    assert not any(Path(copy).exists() for copy in copies)


def test_a_ledger_is_read_while_a_writer_is_at_work(made: tuple[Path, str], ws: Path):
    with small.reopen(ws) as workspace:
        workspace.incremental.run(last=small.day(5))
        position = workspace.ledger.position()
        names = set(tree(ws))
        assert "ledger.db-wal" in names
        answered = asked(ws, ["status"])
        assert f"as of position {position}" in answered.stderr
        for arguments in commands(made[1]):
            assert run(["-C", str(ws), *arguments]) in (0, 1), arguments
        assert set(tree(ws)) == names
        workspace.datasets.get("gold_signals")
        assert workspace.incremental.run(last=small.day(6)).status == "SUCCESS"


def test_no_read_is_torn_by_writers_that_come_and_go(ws: Path):
    ledger, stop, seen = ws / "ledger.db", threading.Event(), []
    script = (
        "import sqlite3, sys, time\n"
        "for n in range(60):\n"
        "    time.sleep(0.005)\n"
        "    c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "    c.execute('pragma journal_mode = wal')\n"
        "    c.execute('begin immediate')\n"
        "    c.executemany('insert into tracking values (?, 1)', [(f'{n} {i}',) for i in range(100)])\n"
        "    c.execute('commit')\n"
        "    c.close()\n"
    )

    def watch() -> None:
        while not stop.is_set():
            seen.append(tracked(ledger))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        subprocess.run([sys.executable, "-c", script, str(ledger)], check=True)
    finally:
        stop.set()
        watcher.join()
    assert tracked(ledger) == 6000
    assert len(set(seen)) > 2
    assert [count for count in seen if count % 100] == []
    assert seen == sorted(seen)


def test_a_read_without_locks_is_done_again_when_the_file_changed(ws: Path):
    asked_for: list[int] = []

    def ask(connection: looking.Look) -> int:
        count: int = connection.execute("select count(*) from tracking").fetchone()[0]
        if not asked_for:
            with closing(sqlite3.connect(ws / "ledger.db", isolation_level=None)) as other:
                other.execute("insert into tracking values ('meanwhile', 1)")
        asked_for.append(count)
        return count

    assert looked(ws / "ledger.db", ask) == 1
    assert asked_for == [0, 1]
    engine = open_engine(f"sqlite:///{ws / 'ledger.db'}", reading=True)
    asked_for.clear()

    def ask_engine(connection: object) -> int:
        count: int = connection.exec_driver_sql("select count(*) from tracking").scalar()  # type: ignore[attr-defined]  # a connection of SQLAlchemy's
        if not asked_for:
            with closing(sqlite3.connect(ws / "ledger.db", isolation_level=None)) as other:
                other.execute("insert into tracking values ('once more', 1)")
        asked_for.append(count)
        return count

    assert read(engine, ask_engine) == 2
    assert asked_for == [1, 2]


def test_a_hot_journal_is_rolled_back_in_the_copy_only(tmp_path: Path):
    script = (
        "import os, sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('pragma cache_size = 1')\n"
        "c.execute('create table t (a)')\n"
        "c.execute('insert into t values (1)')\n"
        "c.execute('begin')\n"
        "c.executemany('insert into t values (?)', [(str(n) * 500,) for n in range(3000)])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    file = tmp_path / "x.db"
    subprocess.run([sys.executable, "-c", script, str(file)], check=False)
    assert (tmp_path / "x.db-journal").stat().st_size > 0
    before = tree(tmp_path)
    assert looked(file, lambda connection: connection.execute("select count(*) from t").fetchone()) == (1,)
    assert tree(tmp_path) == before


def test_a_reading_connection_cannot_write(ws: Path):
    with closing(look(ws / "ledger.db")) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("insert into tracking values ('x', 1)")
    with Workspace.open(ws, actor="eve", reading=True) as workspace, pytest.raises(StoreFault) as caught:
        workspace.datasets.register()
        with writing(workspace.ledger.engine):
            raise AssertionError
    assert caught.value.code == "store-not-writable"


def test_segments_are_made_in_ones_own_workspace_only(ws: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(segments, "EVENTS", 256)

    def read_all() -> bool:
        store = open_store(f"sqlite:///{ws / 'ledger.db'}", ws)
        open_views(store, resolve(store, None)).close()
        return (ws / ".cache").is_dir()

    with small.reopen(ws) as workspace:
        while workspace.ledger.position() < 300:
            small.backfill(workspace, 1, 2)
    shutil.rmtree(ws / ".cache")
    with monkeypatch.context() as somebody:
        somebody.setattr("os.geteuid", lambda: 4711)
        assert not read_all()
    ws.chmod(0o555)
    if os.geteuid() != 0:
        assert not read_all()
    ws.chmod(0o755)
    assert read_all()


# -- without the right


def test_a_second_user_reads_and_leaves_everything_as_it_was(made: tuple[Path, str], ws: Path):
    before, nobody = tree(ws), as_nobody()
    assert asked(ws, ["status"], *nobody).returncode == 0
    assert tree(ws) == before
    everything = commands(made[1])
    for arguments, answered in zip(everything, all_asked(ws, everything, *nobody), strict=True):
        assert (answered.returncode in (0, 1), "Traceback" in answered.stderr) == (True, False), answered.stderr
        assert (
            answered.stdout
            or arguments[:1] == ["alerts"]
            or arguments[:2] == ["audit", "diff"]
            or "no plan" in answered.stderr
        )
        assert answered.left == before, arguments
    assert tree(ws) == before


@pytest.mark.parametrize("index", [True, False])
def test_a_second_user_reads_what_a_killed_writer_left(made: tuple[Path, str], ws: Path, index: bool):
    kill_a_writer(ws)
    if not index:
        (ws / "ledger.db-shm").unlink()
    before, nobody = tree(ws), as_nobody()
    asked_for = [["status"], ["audit", "log"], ["query", "select count(*) from gold_metrics"]]
    for answered in all_asked(ws, asked_for, *nobody):
        assert (answered.returncode, answered.left == before) == (0, True), answered.stderr
    assert tree(ws) == before


def test_a_second_user_reads_while_a_writer_is_at_work(made: tuple[Path, str], ws: Path):
    nobody = as_nobody()
    with small.reopen(ws) as workspace:
        workspace.incremental.run(last=small.day(5))
        position = workspace.ledger.position()
        answers = all_asked(ws, [["status"], ["audit", "log"], ["dataset", "list"]], *nobody)
        assert [answered.returncode for answered in answers] == [0, 0, 0]
        assert f"as of position {position}" in answers[0].stderr
        assert workspace.incremental.run(last=small.day(6)).status == "SUCCESS"


def test_who_may_not_write_is_told_so_before_any_work(made: tuple[Path, str], ws: Path):
    before, nobody = tree(ws), as_nobody()
    everything = writers(made[1])
    for arguments, answered in zip(everything, all_asked(ws, everything, *nobody), strict=True):
        assert (answered.returncode, answered.left == before) == (6, True), (arguments, answered.stderr)
        assert answered.stderr.splitlines()[-2].startswith("error: ")
        assert answered.stderr.splitlines()[-1].startswith("mend: ")
    assert tree(ws) == before


@pytest.mark.parametrize(
    "take",
    [
        lambda ws: ws.chmod(0o700),
        lambda ws: ws.chmod(0o744),
        lambda ws: (ws / "tradex.toml").chmod(0o600),
        lambda ws: (ws / "ledger.db").chmod(0o600),
    ],
)
def test_who_may_not_read_is_told_so_in_a_line(made: tuple[Path, str], ws: Path, take: Callable[[Path], None]):
    take(ws)
    nobody = as_nobody()
    asked_for = [["status"], ["query", "select 1"], ["audit", "log"], ["run"], ["status", "--json"]]
    for answered in all_asked(ws, asked_for, *nobody):
        assert answered.returncode == 6, answered.stderr
        assert [line.partition(":")[0] for line in answered.stderr.splitlines()] == ["error", "mend"]


def test_a_lake_that_may_not_be_read_is_said_in_a_line(made: tuple[Path, str], ws: Path):
    nobody = as_nobody()
    for path in (ws / "lake" / "gold_metrics").rglob("*.parquet"):
        path.chmod(0o600)
    answered = asked(ws, ["query", "select * from gold_metrics"], *nobody)
    assert (answered.returncode, "ermission denied" in answered.stderr) == (6, True)
    (ws / "lake").chmod(0o700)
    diff = ["audit", "diff", "gold_metrics", "--between", "1", "2024-12-31"]
    *answers, status = all_asked(ws, [["query", "select * from gold_metrics"], diff, ["status"]], *nobody)
    for one in answers:
        assert (one.returncode, "Traceback" in one.stderr) == (6, False), one.stderr
    assert status.returncode == 0


def test_without_the_right_to_write_for_who_is_not_root(made: tuple[Path, str], ws: Path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    for path in (*ws.rglob("*"), ws):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = tree(ws)
    try:
        for arguments in commands(made[1]):
            assert run(["-C", str(ws), *arguments]) in (0, 1)
        for arguments in writers(made[1]):
            assert run(["-C", str(ws), *arguments]) == 6
        assert tree(ws) == before
    finally:
        for path in (ws, *ws.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_the_python_api_reads_as_well(ws: Path):
    before = tree(ws)
    with Workspace.open(ws, reading=True) as workspace:
        assert Look(workspace.ledger.store, workspace.config, workspace.core.lake).runs()
        workspace.alerts.all()
    store = open_store(open_config(ws).ledger_url)
    assert isinstance(store, SQLiteFile)
    assert tree(ws) == before
