"""Settings and definitions of another user are data until somebody says to trust them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tradex_ledger import trust
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE
from tradex_ledger.keyed import CONFIG_HOME
from tradex_ledger.locate import NoWorkspaceError, find_workspace
from tradex_ledger.trust import UntrustedError, check_trusted
from tradex_ledger.workspace import Workspace

OTHER, THIRD = 12345, 12346
Tradex = Callable[..., tuple[int, str, str]]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with definitions of its own, a run, and a backfill that waits."""
    root = tmp_path_factory.mktemp("trust")
    with small.reopen(worlds.copied(root, days=2, posts_per_day=3, until=3, pipeline=True)) as workspace:
        small.request(workspace, 1, 2)
    return root


@pytest.fixture
def ws(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, for a user whose configuration is empty."""
    monkeypatch.setenv(CONFIG_HOME, str(tmp_path / "config"))
    monkeypatch.delenv("SUDO_UID", raising=False)
    return small.copied(made, tmp_path / "copy")


@pytest.fixture
def tradex(capsys: pytest.CaptureFixture[str], ws: Path) -> Iterator[Tradex]:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(["-C", str(ws), "--as", "ana", *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    yield call


def give(path: Path, owner: int = OTHER) -> None:
    for each in (path, *path.rglob("*")):
        os.chown(each, owner, -1, follow_symlinks=False)


def waiting(tradex: Tradex) -> str:
    return str(json.loads(tradex("backfill", "list", "--json")[1])["rows"][0]["id"])


READING = (
    ["status"],
    ["query", "select count(*) from silver_social_events"],
    ["audit", "log"],
    ["backfill", "list"],
    ["dataset", "list"],
    ["state", "show"],
    ["engine", "list"],
    ["lake", "gc"],
    ["lake", "prune", "gold_signals"],
    ["alerts"],
)
DAYS = ("--from", "2024-01-01", "--to", "2024-01-02", "--no-override-state", "--reason", "an outage of the source")
ACTING = (
    ["run"],
    ["worker", "--once"],
    ["backfill", "request", "temporal", "bronze_x_posts", *DAYS, "--dry-run"],
    ["backfill", "request", "temporal", "bronze_x_posts", *DAYS],
    ["backfill", "propose"],
    ["backfill", "approve", "bf-"],
    ["backfill", "run", "bf-"],
    ["dataset", "bump", "--changed", "--reason", "nothing in particular"],
    ["dataset", "deprecate", "gold_signals", "1", "--reason", "nothing in particular"],
    ["dataset", "lineage", "gold_signals"],
    ["lake", "gc", "--delete", "--reason", "nothing in particular"],
    ["alerts", "--deliver"],
    ["engine", "accept", "--reason", "nothing in particular", "gold_signals"],
)


@as_root
def test_of_another_users_workspace_ledger_and_lake_are_read_and_nothing_that_it_defines_runs(
    ws: Path, tradex: Tradex, monkeypatch: pytest.MonkeyPatch
):
    give(ws)
    ran: list[object] = []
    for place in ("workspace.core", "workspace.opened"):
        monkeypatch.setattr(f"tradex_ledger.{place}.load_pipeline", lambda *given: ran.append(given))
    run_id = waiting(tradex)
    for command in (*READING, ["backfill", "show", run_id], ["backfill", "show", run_id, "--json"]):
        status, _, err = tradex(*command)
        assert status == (1 if command[0] == "alerts" else 0), (command, err)  # what waits is a finding
    before = tradex("audit", "log", "--json")[1]
    for command in ACTING:
        status, _, err = tradex(*command)
        assert (status, "tradex trust" in err) == (3, True), (command, err)
    assert tradex("audit", "log", "--json")[1] == before
    assert not ran


@as_root
def test_what_is_trusted_works_until_it_is_taken_back_or_somebody_else_puts_files_there(ws: Path, tradex: Tradex):
    give(ws)
    assert tradex("run", "--to", "2024-01-02")[0] == 3
    status, out, _ = tradex("trust", str(ws))
    assert (status, f"uid {OTHER}" in out) == (0, True)
    assert tradex("backfill", "propose")[0] in (0, 1)
    assert json.loads(tradex("trust", "--json")[1]) == [{"folder": str(ws), "owner": f"uid {OTHER}"}]
    os.chown(ws / "pipeline" / "gold_signals.sql", THIRD, -1)
    status, _, err = tradex("dataset", "lineage", "gold_signals")
    assert (status, f"gold_signals.sql belongs to uid {THIRD}" in err) == (3, True)
    assert tradex("trust", str(ws))[0] == 0
    assert tradex("dataset", "lineage", "gold_signals")[0] == 0
    assert tradex("trust", str(ws), "--remove")[0] == 0
    assert tradex("dataset", "lineage", "gold_signals")[0] == 3
    assert "was not trusted" in tradex("trust", str(ws), "--remove")[1]


@as_root
@pytest.mark.parametrize("part", [".", FILE, "pipeline", "pipeline/gold_signals.sql", "pipeline/lexicon.csv"])
def test_one_file_of_another_user_is_enough(ws: Path, tradex: Tradex, part: str):
    os.chown(ws / part, OTHER, -1)
    status, _, err = tradex("dataset", "lineage", "gold_signals")
    assert (status, f"belongs to uid {OTHER}" in err) == (3, True)


@as_root
@pytest.mark.parametrize("what", [FILE, "pipeline", "pipeline/gold_signals.sql"])
def test_a_link_to_something_of_another_user_is_another_users(ws: Path, tmp_path: Path, tradex: Tradex, what: str):
    elsewhere = tmp_path / "elsewhere"
    (ws / what).rename(elsewhere)
    (ws / what).symlink_to(elsewhere)
    assert tradex("dataset", "lineage", "gold_signals")[0] == 0
    give(elsewhere)
    assert tradex("dataset", "lineage", "gold_signals")[0] == 3


@as_root
def test_definitions_elsewhere_are_trusted_by_their_own_name(ws: Path, tmp_path: Path, tradex: Tradex):
    theirs = tmp_path / "theirs"
    shutil.move(ws / "pipeline", theirs)
    settings = ws / FILE
    settings.write_text(settings.read_text().replace('pipeline = "pipeline"', f'pipeline = "{theirs}"'))
    give(theirs)
    tradex("trust", str(ws))
    status, _, err = tradex("dataset", "lineage", "gold_signals")
    assert (status, f"tradex trust {theirs}" in err) == (3, True)
    tradex("trust", str(theirs))
    assert tradex("dataset", "lineage", "gold_signals")[0] == 0


@as_root
def test_nothing_is_made_in_a_folder_of_another_user(ws: Path, tmp_path: Path, tradex: Tradex):
    folder = tmp_path / "theirs"
    folder.mkdir()
    give(folder)
    source = f"files:{tmp_path / 'copy' / 'posts'}"
    assert tradex("init", str(folder), "--source", source)[0] == 3
    assert not list(folder.iterdir())
    assert tradex("init", str(tmp_path / "mine"), "--source", source, "--pipeline", str(folder))[0] == 3
    assert tradex("trust", str(folder))[0] == 0
    assert tradex("init", str(folder), "--source", source)[0] == 0
    assert tradex("-C", str(folder), "dataset", "lineage", "gold_signals")[0] == 0


@as_root
def test_a_list_that_others_could_have_written_does_not_count(ws: Path, tmp_path: Path, tradex: Tradex):
    give(ws)
    listed = tmp_path / "config" / trust.LIST
    listed.parent.mkdir()
    listed.write_text(f"{OTHER} {ws}\n")
    assert tradex("dataset", "lineage", "gold_signals")[0] == 0
    for spoil in (lambda: listed.chmod(0o666), lambda: os.chown(listed, OTHER, -1)):
        spoil()
        status, _, err = tradex("dataset", "lineage", "gold_signals")
        assert (status, "only you can write" in err) == (3, True)
        assert tradex("trust", str(ws))[0] == 6
        assert tradex("status")[0] == 0
        listed.chmod(0o600)


@as_root
def test_a_line_of_the_list_is_one_folder_of_one_owner(ws: Path, tmp_path: Path, tradex: Tradex):
    give(ws)
    (tmp_path / "config").mkdir()
    for line in (f"{THIRD} {ws}", f"{OTHER} {ws.parent}", f"{OTHER} {ws}/", "*", f"{OTHER}", f"٣ {ws}", str(ws)):
        (tmp_path / "config" / trust.LIST).write_text(f"{line}\n")
        assert tradex("dataset", "lineage", "gold_signals")[0] == (0 if line.endswith("/") else 3), line
    odd = tmp_path / f"x\n{OTHER} {ws}"
    odd.mkdir(parents=True)
    with pytest.raises(trust.NoTrustListError, match="line break"):
        trust.trust(odd)


@as_root
def test_as_with_git_root_under_sudo_owns_what_the_user_behind_it_owns(ws: Path, monkeypatch: pytest.MonkeyPatch):
    give(ws)
    with pytest.raises(UntrustedError):
        check_trusted(ws, ws / "pipeline")
    monkeypatch.setenv("SUDO_UID", str(OTHER))
    check_trusted(ws, ws / "pipeline")
    monkeypatch.setenv("SUDO_UID", str(THIRD))
    with pytest.raises(UntrustedError):
        check_trusted(ws, ws / "pipeline")


AS_ANOTHER = """
import os, sys
from tradex_ledger.cli.main import run

user, home, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
asked = ["-C", folder, "dataset", "lineage", "gold_signals"]
assert run(asked) == 0 and run(["trust", folder]) == 0  # so that everything is imported
os.environ.update(TRADEX_CONFIG_HOME=home, SUDO_UID="0")
os.setgroups([])
os.setgid(user)
os.setuid(user)
sys.exit([run(asked), run(["trust", folder]), run(asked)] != [3, 0, 0])
"""


@as_root
def test_roots_workspace_is_not_everybodys_as_with_git(ws: Path, tmp_path: Path):
    for folder in (ws, *ws.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)  # of pytest's own: others are to get in
    home = tmp_path / "home"
    home.mkdir()
    give(home)
    command = [sys.executable, "-c", AS_ANOTHER, str(OTHER), str(home / "tradex"), str(ws)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "belongs to root (uid 0)" in done.stderr) == (0, True), done.stderr
    assert (home / "tradex" / trust.LIST).stat().st_mode & 0o777 == 0o600


def test_another_user_than_the_owner_is_refused(ws: Path, monkeypatch: pytest.MonkeyPatch):
    """For those who are not root: the user is another one, and not the files."""
    monkeypatch.setattr("tradex_ledger.trust.os.geteuid", lambda: OTHER)
    with pytest.raises(UntrustedError, match=f"not to uid {OTHER}"):
        Workspace.open(ws, actor="ana")
    with Workspace.open(ws, actor="ana", reading=True) as workspace:
        assert not workspace.core.is_trusted
        for ask in (lambda: workspace.core.pipeline, lambda: workspace.core.settings, workspace.core.execution):
            with pytest.raises(UntrustedError):
                ask()


@as_root
def test_of_many_who_trust_at_once_all_are_heard(ws: Path, tmp_path: Path):
    folders = [tmp_path / f"theirs-{number}" for number in range(12)]
    for folder in folders:
        folder.mkdir()
        give(folder)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(trust.trust, folders))
    assert {folder for folder, _ in trust.trusted_folders()} == set(folders)


# -- where a workspace is looked for


@as_root
def test_the_search_for_a_workspace_ends_where_the_owner_changes(tmp_path: Path):
    (tmp_path / FILE).write_text("")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_workspace(below) == tmp_path
    for folder in (below, below.parent):
        os.chown(folder, OTHER, -1)
    with pytest.raises(NoWorkspaceError, match="another owner"):
        find_workspace(below)
    assert find_workspace(tmp_path) == tmp_path


def test_the_search_for_a_workspace_ends_where_the_file_system_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / FILE).write_text("")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    real = Path.stat

    def stat(path: Path, **options: Any) -> os.stat_result:
        found = list(real(path, **options))
        found[2] += "a" in path.parts[len(tmp_path.parts) :]
        return os.stat_result(found)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(NoWorkspaceError, match="file system"):
        find_workspace(below)


@as_root
@pytest.mark.parametrize("breaks", ["\r", "\u2028", "\x85", "\x0b", "\x1e"])
def test_a_name_that_would_be_two_lines_is_trusted_alone(ws: Path, tmp_path: Path, tradex: Tradex, breaks: str):
    give(ws)
    # What is trusted is called like a line of the list that names the workspace beside it.
    bait = Path(f"{tmp_path}/bait{breaks}{OTHER} {ws}")
    bait.mkdir(parents=True)
    (bait / "x.sql").write_text("select 1", encoding="utf-8")
    give(tmp_path / f"bait{breaks}{OTHER} ")
    assert run(["trust", str(bait)]) == 0
    with pytest.raises(UntrustedError):
        check_trusted(ws, ws / "pipeline")
    status, _, error = tradex("run")
    assert (status, "belongs to uid" in error) == (3, True)
    assert [path for path, _ in trust.trusted_folders()] == [bait]


def test_an_owner_of_very_many_digits_is_none(
    ws: Path, tmp_path: Path, tradex: Tradex, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "config").mkdir(mode=0o700)
    (tmp_path / "config" / trust.LIST).write_text(f"{'9' * 5_000} /srv\n", encoding="utf-8")
    (tmp_path / "config" / trust.LIST).chmod(0o600)
    monkeypatch.setenv("SUDO_UID", "9" * 5_000)
    assert trust.trusted_folders() == []
    assert tradex("dataset", "bump", "--changed", "--reason", "other words, other moods")[0] in (0, 3)
