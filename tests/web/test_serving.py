"""A site as a process: what it listens on, what it tells who listens, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.examples import blocks, commands, words
from tests.kit.tree import CLI, ROOT
from tradex_ledger.cli.main import run as cli
from tradex_ledger.domain.day import Day
from tradex_ledger.web import serve as serving

BOUND_S = 20
PAGE = [words(command) for block in blocks("docs/page.md", "sh") for command in commands(block.text)]
"""What the page's own page says to type: alone, on a port of one's own, behind a proxy."""


class Site:
    """`tradex serve` in a workspace."""

    def __init__(self, folder: Path, *options: str, program: tuple[str, ...] = (str(CLI),)) -> None:
        command = [sys.executable, *program, "-C", str(folder), "--as", "maria", "serve", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """End it; how it ended, and what it said."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=BOUND_S)
        return self.process.returncode, said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return worlds.copied(tmp_path)


@pytest.fixture
def site(folder: Path) -> Iterator[Site]:
    found = Site(folder, *PAGE[0][2:])
    yield found
    found.process.kill()
    found.process.communicate()


def signed_in(site: Site) -> tuple[HTTPConnection, dict[str, str]]:
    host, _, key = site.address.removeprefix("http://").partition("/")
    connection = HTTPConnection(host, timeout=BOUND_S)
    connection.request("GET", f"/{key}")
    answer = connection.getresponse()
    answer.read()
    return connection, {"Cookie": (answer.getheader("set-cookie") or "").partition(";")[0]}


def test_it_listens_on_this_machine_only(site: Site):
    assert site.address.startswith("http://127.0.0.1:")
    port = int(site.address.split(":")[2].partition("/")[0])
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.settimeout(1)
        other.connect(("127.0.0.2", port))


def test_what_is_sent_waits_for_no_answer_to_what_was_sent_before():
    """Else each page takes 40 ms more, whatever it is."""
    found: list[int] = []

    async def asked() -> None:
        def heard(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(heard, sock=at):
            reader, writer = await asyncio.open_connection(*at.getsockname())
            await reader.read()
            writer.close()

    with contextlib.closing(serving._listening(serving.Served())) as at:
        asyncio.run(asked())
    assert found and found[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_with_streams_open(site: Site, number: int):
    streams = []
    for _ in range(3):
        connection, cookie = signed_in(site)
        connection.request("GET", "/live?after=0", headers=cookie)
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.readline().startswith(b"event: position")
        streams.append((connection, answer))
    begun = time.monotonic()
    status, said = site.end(number)
    assert time.monotonic() - begun < 5
    assert status == 128 + number
    assert "interrupted" in said
    assert "Traceback" not in said
    for connection, answer in streams:
        answer.close()
        connection.close()


def test_it_ends_by_a_signal_that_a_shell_has_its_jobs_ignore(folder: Path):
    """As uvicorn has it: a job in the background is ended so by who knows its number."""
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    begin = "from tradex_ledger.cli.signals import start; start()"
    site = Site(folder, *PAGE[0][2:], program=("-c", ignoring + begin))
    connection, _ = signed_in(site)
    site.end()
    connection.close()


SLOW_END = """
import asyncio, time
end = asyncio.BaseEventLoop.shutdown_asyncgens

def slow(loop):
    ended = end(loop)
    time.sleep(0.5)
    return ended

asyncio.BaseEventLoop.shutdown_asyncgens = slow
from tradex_ledger.cli.signals import start
start()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_signal_that_ends_it_is_not_heard_again_while_the_loop_is_taken_down(folder: Path, number: int):
    """The call hears of a signal until it is over; that was raised in the middle of the loop's own end."""
    site = Site(folder, *PAGE[0][2:], program=("-c", SLOW_END))
    connection, cookie = signed_in(site)
    connection.request("GET", "/runs", headers=cookie)
    assert connection.getresponse().status == 200
    status, said = site.end(number)
    assert (status, said.count("\n")) == (128 + number, 1), said
    assert said.startswith("interrupted (")
    connection.close()


def test_who_is_slow_is_in_nobodys_way(site: Site):
    """Requests that never end: of strangers, and the form of somebody who was let in."""
    connection, cookie = signed_in(site)
    host, port = connection.host, connection.port
    form = f"POST /runs/bf-1/reject HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookie['Cookie']}\r\n"
    form += f"Origin: http://{host}:{port}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    form += "Content-Length: 900\r\n\r\ntoken="
    slow = [socket.create_connection((host, port)) for _ in range(60)]
    for number, one in enumerate(slow):
        one.sendall(form.encode() if number == 0 else b"GET / HTTP/1.1\r\nHost: 127"[: number + 1])
    connection.request("GET", "/runs", headers=cookie)
    assert connection.getresponse().status == 200
    begun = time.monotonic()
    status, said = site.end()
    assert time.monotonic() - begun < BOUND_S
    assert status == 128 + signal.SIGINT
    assert "Traceback" not in said
    connection.close()
    for one in slow:
        one.close()


def test_a_form_that_does_not_come_is_refused_wherever_it_was_to_go(site: Site):
    signed, cookie = signed_in(site)
    signed.close()
    slow = [HTTPConnection(signed.host, signed.port, timeout=BOUND_S) for _ in range(2)]
    for one, place in zip(slow, ("/runs/bf-1/reject", "/look"), strict=True):
        one.putrequest("POST", place)
        for name, value in (*cookie.items(), ("Origin", f"http://{one.host}:{one.port}"), ("Content-Length", "900")):
            one.putheader(name, value)
        one.putheader("Content-Type", "application/x-www-form-urlencoded")
        one.endheaders(b"token=")
    for one in slow:
        answer = one.getresponse()
        assert (answer.status, b"seconds to come" in answer.read()) == (403, True)
        one.close()


def test_who_listens_is_told_of_each_new_position(site: Site, folder: Path):
    connection, cookie = signed_in(site)
    connection.request("GET", "/live?after=0", headers=cookie)
    answer = connection.getresponse()
    first = [answer.readline() for _ in range(3)][1]
    with small.reopen(folder) as workspace:
        small.request(workspace)
        newest = workspace.ledger.position()
    line = b""
    while not line.startswith(b"data:"):
        line = answer.readline()
    assert int(first.split()[1]) < int(line.split()[1]) <= newest
    answer.close()
    connection.close()


def test_a_header_on_a_port_is_refused_without_a_secret(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert cli(["-C", str(folder), "serve", "--user-header", "X-Forwarded-User"]) == 2
    assert "any process of this machine" in capsys.readouterr().err
    assert cli(["-C", str(folder), "serve", "--socket", "x.sock"]) == 2


def test_behind_a_socket_the_header_is_believed(folder: Path, tmp_path: Path):
    place = tmp_path / "s"
    _alone, _port, behind = PAGE
    site = Site(folder, *(str(place) if word.startswith("/run/") else word for word in behind[2:]))
    try:
        assert stat.S_IMODE(place.stat().st_mode) == 0o660
        assert site.address == f"unix:{place}"

        def asked(*headers: str) -> str:
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(str(place))
                one.sendall("\r\n".join(["GET / HTTP/1.1", "Connection: close", *headers, "", ""]).encode())
                return b"".join(iter(lambda: one.recv(65_536), b"")).decode()

        assert ">chen<" in asked("Host: ledger.example", "X-Forwarded-User: chen")
        assert "read-only" in asked("Host: ledger.example")
        assert asked("Host: other.example", "X-Forwarded-User: chen").startswith("HTTP/1.1 421")
    finally:
        site.end()
    assert not place.exists()


def test_a_port_that_is_taken_is_told(folder: Path, capsys: pytest.CaptureFixture[str]):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert cli(["-C", str(folder), *(port if word == "8080" else word for word in PAGE[1][1:])]) == 6
    assert "cannot listen on" in capsys.readouterr().err


def test_a_page_that_is_pinned_stays_as_it_is(folder: Path):
    """Byte for byte, after a thousand more events, a backfill and new logic among them."""
    from tests.kit.visits import Visit
    from tradex_ledger.web.at import at_of

    visit = Visit.to(folder)
    with small.reopen(folder) as workspace:
        waiting = small.request(workspace)
    at = at_of(visit.site.store, None)
    run = next(one.id for one in visit.site.look.runs() if one.run.run_kind == "incremental")
    paths = ("/", "/runs", f"/runs/{run}", f"/runs/{run}?rows=yes", f"/runs/{waiting}", "/datasets", "/log", "/log/7",
             "/datasets/gold_signals", "/datasets/gold_signals/2024-01-05", "/datasets/bronze_x_posts/2024-01-05",
             "/tables", "/tables/runs", "/tables/calendar", "/tables/runs.csv", "/tables/runs.json")  # fmt: skip
    pinned = [f"{path}{'&' if '?' in path else '?'}at={at.token}" for path in paths]
    before = {path: visit.get(path).content for path in pinned}
    with small.reopen(folder) as workspace:
        workspace.backfills.approve(waiting)
        workspace.runs.drive(waiting)
        dataset = workspace.datasets.get("gold_metrics")
        policy = workspace.core.policy
        for number in range(1000):
            day = Day(small.day(1).toordinal() - number - 1)
            dataset.protect(day, day, reason="legal hold, LEG-7", by="ana", policy=policy)
        workspace.ledger.append(dataset)
        assert workspace.ledger.position() > at.position + 1000
    visit.close()
    again = Visit.to(folder)  # nothing of it is kept from before
    for path, content in before.items():
        found = again.get(path)
        assert found.status_code == 200, path
        assert found.content == content, path
    again.close()


def test_it_needs_no_place_of_its_own(folder: Path):
    """What it serves lies in the package: it can be started from anywhere."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = "from tradex_ledger.web.frame import folder; print((folder('static') / 'tradex.js').exists())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd="/", env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"
