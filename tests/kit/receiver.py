"""A receiver on this machine that takes what it is sent, or fails in a way that a test names."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple


class Got(NamedTuple):
    """A request that came in whole."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Of a webhook's message."""
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """What it got, in order. The next `answers` are given first, each once: a status, a status with headers, or "hang",
    "drop", "trickle"; after them it takes everything. `taken` is what it said yes to; `on_request` is called first.
    """

    url: str = ""
    got: list[Got] = field(default_factory=list)
    taken: list[Got] = field(default_factory=list)
    answers: list[int | str | tuple[int, dict[str, str]]] = field(default_factory=list)
    on_request: Callable[[Got], None] = lambda _: None
    ended: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """One connection of it."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        made = self.server.made
        body = self.rfile.read(int(self.headers["Content-Length"]))
        got = Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        made.got.append(got)
        made.on_request(got)
        answer = made.answers.pop(0) if made.answers else 200
        if isinstance(answer, str):
            getattr(self, f"_{answer}")()
            self.close_connection = True
            return
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        if 200 <= status < 300:
            made.taken.append(got)
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _hang(self) -> None:
        self.server.made.ended.wait(30)

    def _drop(self) -> None: ...

    def _trickle(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(100):
            try:
                self.wfile.write(b"X-A: a\r\n")
                self.wfile.flush()
            except OSError:
                return
            time.sleep(0.05)

    def log_message(self, *_: object) -> None: ...


class Server(ThreadingHTTPServer):
    """It listens for one."""

    daemon_threads = True
    made: Receiver


@contextmanager
def receiver(certificate: Path | None = None) -> Iterator[Receiver]:
    """One that listens for the length of the block; over TLS, with a file that holds a key and its certificate."""
    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secure.load_cert_chain(certificate)
        server.socket = secure.wrap_socket(server.socket, server_side=True)
    server.made = made = Receiver(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
