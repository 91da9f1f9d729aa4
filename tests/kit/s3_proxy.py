"""A proxy before an object store that does what networks and busy stores do: once, for the next request that fits."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>"
_RESET = struct.pack("ii", 1, 0)
_SECONDS = 30


@dataclass(slots=True)
class Fault:
    """What befalls the next requests of a method whose path has `where` in it.

    Kinds: `503`, `500`, `403` and so on: that status, unforwarded; `reset`: the connection breaks when half of the
    request was read; `hang`: no answer, unforwarded; `hang-after`: none, once it was done; `lost`: done, and the
    connection breaks; `half`: the connection breaks within the answer; `corrupt`: a bit of the answer is another
    one; `corrupt-up`: of what was sent.
    """

    method: str
    kind: str
    times: int = 1
    where: str = ""


@dataclass(slots=True)
class Proxy:
    """It runs: where, what befalls whom, and which requests it saw, as (method, path)."""

    endpoint: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def fault_for(self, method: str, path: str) -> str:
        """What befalls a request; empty: nothing."""
        with self.guard:
            self.seen.append((method, path))
            for fault in self.faults:
                if fault.times and fault.method == method and fault.where in path:
                    fault.times -= 1
                    return fault.kind
        return ""


class _Server(ThreadingHTTPServer):
    """Listens for clients of a proxy."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = endpoint.partition("://")[2]
        self.proxy = Proxy(f"http://127.0.0.1:{self.server_address[1]}")

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is what is asked for."""

    def shutdown_request(self, request: object) -> None:
        """No polite end: a reset is to be one."""
        assert isinstance(request, socket.socket)
        request.close()


class _Handler(BaseHTTPRequestHandler):
    """One request after the other of a connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Server

    def handle_any(self) -> None:
        proxy, length = self.server.proxy, int(self.headers.get("Content-Length") or 0)
        kind = proxy.fault_for(self.command, self.path)
        body = self.rfile.read(length // 2 if kind == "reset" else length)
        if kind == "hang":
            proxy.ended.wait(_SECONDS)
        if kind in ("reset", "hang"):
            self.break_off()
        elif kind.isdigit():
            self.answer(int(kind), {}, SLOW_DOWN)
        else:
            self.answer_as(kind, *self.forward(_changed(body) if kind == "corrupt-up" else body))

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any

    def answer_as(self, kind: str, status: int, headers: dict[str, str], content: bytes) -> None:
        if kind == "hang-after":
            self.server.proxy.ended.wait(_SECONDS)
        if kind in ("lost", "hang-after"):
            self.break_off()
            return
        self.answer(status, headers, _changed(content) if kind == "corrupt" else content, half=kind == "half")

    def forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection(self.server.target, timeout=_SECONDS)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def answer(self, status: int, headers: dict[str, str], content: bytes, *, half: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        of_head = headers.get("Content-Length", "0")
        self.send_header("Content-Length", of_head if self.command == "HEAD" else str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if half else content)
        if half:
            self.break_off()

    def break_off(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def _changed(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@contextmanager
def proxied(endpoint: str) -> Iterator[Proxy]:
    """A proxy before what is at an endpoint."""
    server = _Server(endpoint)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.proxy.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
