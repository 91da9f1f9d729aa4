"""Serving a site: a socket of our own, and an end that waits for nobody's stream."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from tradex_ledger.audit.look import Look
from tradex_ledger.clock import login_name, new_token, utc_now
from tradex_ledger.domain.person import check_actor
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.web.app import make_app
from tradex_ledger.web.site import Alone, Many, Site

if TYPE_CHECKING:
    from tradex_ledger.workspace import Workspace

HERE = "127.0.0.1"
_LONGEST_END = 5
"""Seconds that an answer under way is given when the server is told to end."""


class ListenError(EnvironmentFault):
    """Nothing can be served there."""

    code = "listen"

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"cannot listen on {place}: {why}", mend="name another: --port NUMBER, or --socket FILE")


@dataclass(frozen=True, slots=True)
class Served:
    """How a site is served: on a `port` of this machine (0: any that is free) or on a Unix `socket`, for who started
    it, or for whom the `user_header` of a proxy names (with a `secret`, if one is shared). `hosts` are other names that
    it is asked by."""

    port: int = 0
    socket: Path | None = None
    user_header: str | None = None
    secret: str | None = None
    hosts: tuple[str, ...] = ()


class _Server(uvicorn.Server):
    """Tells the streams when it is to end: they would go on, and it would wait for them.

    A signal is heard once. uvicorn's own would be raised again behind its end, and a second one cuts the process off.
    It is heard until the loop is taken down, too: uvicorn hears it until its own end alone, and what is raised then is
    raised in the middle of that.
    """

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal comes."""
        others = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            super().run(sockets)
        finally:
            for number, handler in others.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: see `run`."""
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Come to an end."""
        del sig, frame
        self._stopping()
        self.should_exit = True


def serve(look: Look, actor: str | None, served: Served, say: Callable[[str], None]) -> None:
    """Serve a workspace until somebody interrupts it, for an actor (None: by the login name); `say` is told the address
    first.

    Raises: `ListenError`, and what `check_actor` raises.
    """
    who = check_actor(login_name() if actor is None else actor)
    with contextlib.closing(_listening(served)) as at, ExitStack() as stack:
        site = site_of(look, who, served, _hosts(at, served), _opener(look.config.folder, who, stack))
        site.live.position = site.store.position()
        say(_address(at, site))
        config = uvicorn.Config(
            make_app(site),
            # Not whatever else happens to be installed: uvloop hears signals in our place, httptools has no bound.
            loop="asyncio",
            http="h11",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_LONGEST_END,
            h11_max_incomplete_event_size=65_536,
        )
        try:
            _Server(config, site.live.stopping.set).run(sockets=[at])
        finally:
            if served.socket is not None:
                served.socket.unlink(missing_ok=True)


def site_of(look: Look, actor: str, served: Served, hosts: frozenset[str], opened: Callable[[], Workspace]) -> Site:
    """The site of a workspace, with a key and a secret of its own."""
    folder, alone = look.config.folder, Alone(new_token() + new_token(), actor)
    return Site(
        look=look,
        opened=opened,
        who=alone if served.user_header is None else Many(served.user_header, served.secret),
        hosts=hosts,
        secret=(new_token() + new_token()).encode(),
        clock=utc_now,
        open_as=lambda name: _workspace(folder, name),
    )


def _workspace(folder: Path, actor: str, *, reading: bool = False) -> Workspace:
    from tradex_ledger.workspace import Workspace

    return Workspace.open(folder, actor=actor, reading=reading)


def _opener(folder: Path, actor: str, stack: ExitStack) -> Callable[[], Workspace]:
    """What opens the workspace, once: to load it takes longer than the first page, which needs nothing of it."""
    lock = Lock()
    found: list[Workspace] = []

    def opened() -> Workspace:
        with lock:
            if not found:
                found.append(stack.enter_context(_workspace(folder, actor, reading=True)))
            return found[0]

    return opened


def _listening(served: Served) -> socket.socket:
    place = str(served.socket) if served.socket is not None else f"{HERE}:{served.port}"
    # By its protocol asyncio knows that what it sends need not wait for more: else each page waits 40 ms for the answer
    # to its head (Nagle's algorithm, and acknowledgements that come late).
    family, protocol = (socket.AF_UNIX, 0) if served.socket is not None else (socket.AF_INET, socket.IPPROTO_TCP)
    found = socket.socket(family, socket.SOCK_STREAM, protocol)
    try:
        if served.socket is None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((HERE, served.port))
        else:
            _clear(served.socket)
            found.bind(place)
            served.socket.chmod(0o660)  # of this user and its group: whoever opens it may say any name
        found.listen(128)
    except OSError as error:
        found.close()
        raise ListenError(place, error.strerror or str(error)) from error
    return found


def _clear(place: Path) -> None:
    """Take away the socket of a server that is gone without a word: nobody answers at it."""
    if not place.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as other:
        if other.connect_ex(str(place)) == errno.ECONNREFUSED:
            place.unlink(missing_ok=True)


def _hosts(at: socket.socket, served: Served) -> frozenset[str]:
    named = {name.lower() for name in served.hosts}
    if served.socket is not None:
        return frozenset(named or {"localhost"})
    port = at.getsockname()[1]
    return frozenset(named | {f"{name}:{port}" for name in (HERE, "localhost")})


def _address(at: socket.socket, site: Site) -> str:
    if at.family == socket.AF_UNIX:
        return f"unix:{at.getsockname()}"
    key = f"?key={site.who.key}" if isinstance(site.who, Alone) else ""
    return f"http://{HERE}:{at.getsockname()[1]}/{key}"
