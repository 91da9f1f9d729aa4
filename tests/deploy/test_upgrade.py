"""`upgrade.sh`: the program is replaced under a deployment that runs, nothing is lost, and half an upgrade goes on."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.deploy import wheels
from tests.deploy.living import until
from tests.deploy.scripts import ADMIN, ADMINS, LOGIN, LOGINS, Place, guarded, passwords, place
from tests.kit import small
from tests.kit.check import check_everything, read_record
from tests.kit.stores import point
from tradex_ledger import __version__
from tradex_ledger.config import FILE

OLDER = "9513ec6"
"""The first commit whose ledger in PostgreSQL has roles."""
REASON = "the words of moods were mended, INC-4500"
DAYS = 20
SPAN = ("silver_social_events", "--from", "2024-01-01", "--to", f"2024-01-{DAYS:02}", "--no-override-state")


@pytest.fixture
def at(tmp_path: Path) -> Place:
    return place(tmp_path)


def played(at: Place, *, fails: int = 0) -> Place:
    """A place whose programs only write down what they are asked, and fail at the call of that number."""
    file = shlex.quote(str(at.folder / "heard"))
    for name in ("python", "tradex", "systemctl"):
        program = at.folder / "bin" / name
        program.write_text(
            f"""#!/bin/sh
echo {name} "$@" >>{file}
[ "$(wc -l <{file})" != {fails} ] || exit 9
case "$*" in *--version) echo tradex 0.0.9 ;; *"ledger backup"*) for made; do :; done; : >"$made" ;; esac
""",
            encoding="utf-8",
        )
        program.chmod(0o755)
    return at.but(PYTHON=str(at.folder / "bin" / "python"), TRADEX=str(at.folder / "bin" / "tradex"))


def heard(at: Place) -> list[str]:
    file = at.folder / "heard"
    found = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return [re.sub(r"tradex -C \S+ --as ana ", "tradex ", line) for line in found]


def upgrade(at: Place, ws: Path, *more: str | Path, status: int | None = 0) -> str:
    words = ("-C", ws, "--backup", at.folder / "before.gz", "--as", "ana", *more)
    return at.script("upgrade.sh", "--package", at.folder / "new.whl", *words, status=status)


STEPS = (
    "tradex --version",
    "tradex ledger backup {0}/before.gz",
    "systemctl stop tradex-run.timer tradex-run.service tradex-worker.service",
    "python -m pip --disable-pip-version-check install --quiet {0}/new.whl",
    "tradex --version",
    "tradex ledger show",
    "tradex status",
    "tradex ledger grants",
    "systemctl start tradex-worker.service tradex-run.timer",
)


def settings(at: Place) -> Path:
    (at.folder / "ws").mkdir(exist_ok=True)
    (at.folder / "ws" / FILE).write_text('[workspace]\nledger = "postgresql://db/tradex"\n')
    return at.folder / "ws"


def test_the_steps_come_in_their_order_and_a_second_call_does_no_harm(at: Place):
    ws, steps = settings(at), [step.format(at.folder) for step in STEPS]
    upgrade(played(at), ws, "--owner", ADMIN)
    assert heard(at) == steps
    upgrade(played(at), ws, "--owner", ADMIN)
    assert heard(at) == steps[2:]  # what was there before the first call is kept


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_a_step_that_fails_is_the_last_and_says_how_to_go_on_and_back(at: Place, step: int):
    ws, steps = settings(at), [step.format(at.folder) for step in STEPS]
    said = upgrade(played(at, fails=step + 1), ws, "--owner", ADMIN, status=9)
    assert heard(at) == steps[: step + 1]
    if step >= steps.index(STEPS[2]):  # before that, everything runs as it did
        assert "workers are stopped. Call the same again to go on; to go back:" in said
        assert "before (tradex 0.0.9)" in said
    upgrade(played(at), ws, "--owner", ADMIN)
    assert heard(at)[-1] == steps[-1]


@pytest.mark.parametrize("left", ["--package", "--backup", "--as"])
def test_what_it_is_not_told_it_asks_for(at: Place, left: str):
    given = {"-C": str(settings(at)), "--package": "x", "--backup": str(at.folder / "b"), "--as": "ana"}
    words = [part for name, value in given.items() if name != left for part in (name, value)]
    assert left in played(at).script("upgrade.sh", *words, status=2)
    assert heard(at) == []


@pytest.mark.soak
def test_a_deployment_that_runs_is_upgraded_and_loses_nothing(at: Place):
    """From the wheel of an older commit, with a worker in the middle of a backfill, on PostgreSQL."""
    old = wheels.of_commit(at.folder, OLDER, "0.0.9")
    new = wheels.of_tree(at.folder, __version__)
    python = wheels.environment(at.folder / "venv")
    at = at.but(
        PYTHON=str(python), TRADEX=str(python.with_name("tradex")), PIP_OPTIONS="--no-index --no-deps", PYTHONPATH=""
    )
    at.call([str(python), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(old)])
    at.environment["PATH"] = f"{python.parent}{os.pathsep}{at.environment['PATH']}"
    assert "0.0.9" in at.tradex("--version")
    small.deliver(at.folder / "posts", days=DAYS)
    ws = at.folder / "ws"
    with guarded() as database:
        at.environment.update(PGUSER=LOGIN, PGPASSFILE=str(passwords(at, **{ADMIN: ADMINS, LOGIN: LOGINS})))
        owner = at.but(PGUSER=ADMIN)
        owner.tradex("--as", "ana", "init", ws, "--source", f"files:{at.folder / 'posts'}", "--ledger", database.url())
        small.propose_policy(ws, window_partitions=1)
        owner.tradex("-C", ws, "--as", "ana", "policy", "set", "--reason", REASON)
        owner.tradex("-C", ws, "ledger", "grants")
        database.say(f"grant tradex_writer to {LOGIN}")
        at.tradex("-C", ws, "--as", "ana", "run", "--until", f"2024-01-{DAYS + 1}")  # the old one has no --to
        made = at.answer(
            "-C", ws, "--as", "ana", "backfill", "request", "forced", *SPAN, "--ticket", "INC-4500", "--reason", REASON
        )["run_id"]
        at.tradex("-C", ws, "--as", "ben", "backfill", "approve", made)
        words = [str(python.with_name("tradex")), "-C", str(ws), "--as", "worker", "worker", "--poll-seconds", "0.3"]
        driver = subprocess.Popen(words, env={**os.environ, **at.environment}, start_new_session=True)
        threading.Thread(target=driver.wait).start()  # it leaves no zombie for the script to wait for
        built = f"select count(*) from events where stream = '{made}' and topic = 'run.partition_rebuilt'"
        until(lambda: database.say(built, "tradex")[0][0] > 2)
        driver.send_signal(signal.SIGSTOP)  # while the backup is made: it is in the middle when it is to end
        end = f"kill -TERM {driver.pid}; kill -CONT {driver.pid}"
        stop = f"{end}; while kill -0 {driver.pid} 2>/dev/null; do sleep 0.1; done"
        start = f"echo started >{at.folder}/started"
        more = ("--owner", ADMIN, "--stop", stop, "--start", start)
        said = at.script(
            "upgrade.sh", "-C", ws, "--package", new, "--backup", at.folder / "before.gz", "--as", "ana", *more
        )
        assert f"tradex 0.0.9 is replaced by tradex {__version__}" in said
        assert (at.folder / "started").exists()
        assert driver.returncode == 128 + signal.SIGTERM
        point(ws, database.server.url("tradex"))
        with small.reopen(ws) as workspace:
            before = read_record(workspace).rows
        assert database.say(built, "tradex")[0][0] < DAYS
        point(ws, database.url())
        at.tradex("-C", ws, "--as", "worker", "worker", "--once")
        assert at.answer("-C", ws, "backfill", "show", made)["status"] == "SUCCESS"
        point(ws, database.server.url("tradex"))
        with small.reopen(ws) as workspace:
            assert check_everything(workspace).rows[: len(before)] == before
