"""Requests over HTTP to the small platform of the demo: who asks, limits, faults, and the answer as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl, urlsplit

import orjson

from tradex_ledger.outside import Json
from tradex_ledger.pipelines.x.demo.compliance import JOBS

if TYPE_CHECKING:
    from tradex_ledger.pipelines.x.demo.platform import Platform

SEARCH, COUNT, USAGE = "/2/tweets/search/all", "/2/tweets/counts/all", "/2/usage/tweets"


class Answering(BaseHTTPRequestHandler):
    """Answers one connection. Nothing is logged."""

    protocol_version = "HTTP/1.1"
    platform: ClassVar[Platform]

    @classmethod
    def of(cls, platform: Platform) -> type[Answering]:
        """A class of handlers for one platform."""
        return type("Answering", (cls,), {"platform": platform})

    def do_PUT(self) -> None:
        """An upload. It has no token: who sends one tells it to a stranger."""
        job = self.path.rpartition("/")[2]
        self.platform.strangers += "Authorization" in self.headers
        self.platform.jobs.uploaded[job] = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._raw(200, b"", {})

    def do_POST(self) -> None:
        """A new compliance job."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self._let_in():
            self._send(200, self.platform.jobs.create(self._address()))

    def do_GET(self) -> None:
        """Answer, as far as nothing befalls the call."""
        platform, parts = self.platform, urlsplit(self.path)
        asked = dict(parse_qsl(parts.query, keep_blank_values=True))
        last = parts.path.rpartition("/")[2]
        if parts.path.startswith("/download/"):
            platform.strangers += "Authorization" in self.headers
            return self._raw(200, platform.jobs.notices(last, platform.posts), {})
        if not self._let_in():
            return None
        if parts.path.startswith(JOBS) and (job := platform.jobs.told(last, self._address())) is not None:
            return self._send(200, job)
        platform.asked[parts.path] += 1
        answers: dict[str, Callable[[dict[str, str]], tuple[int, dict[str, Json]]]] = {
            SEARCH: platform.search,
            COUNT: platform.count,
            USAGE: platform.usage,
        }
        if parts.path not in answers:
            return self._send(404, {"code": 404, "message": "Not found"})
        headers: dict[str, str] = {}
        if parts.path == SEARCH:
            fault = platform.faults.pop(0) if platform.faults else None
            if fault is not None and self._befallen(fault):
                return None
            left = platform.limit()
            if left is None:
                return self._send(429, {"code": 88, "message": "Too Many Requests"}, platform.headers(0))
            headers = left
            if fault in ("cut", "half"):
                self._send(200, platform.search(asked)[1], headers, cut=True)
                return platform.on_half() if fault == "half" else None
        status, document = answers[parts.path](asked)
        return self._send(status, document, headers)

    def _let_in(self) -> bool:
        """Whether the token is the right one; who has another is told so."""
        if self.headers.get("Authorization") == f"Bearer {self.platform.token}":
            return True
        self.platform.strangers += 1
        self._send(401, {"title": "Unauthorized", "type": "about:blank", "detail": "Unauthorized"})
        return False

    def _address(self) -> str:
        return f"http://{self.headers.get('Host')}"

    def _befallen(self, fault: int | str) -> bool:
        """Whether a fault took the place of the answer."""
        if isinstance(fault, int):
            self._send(fault, {"code": fault, "message": "Over capacity"})
        elif fault == "hang":
            time.sleep(self.platform.hang_s)
            self.close_connection = True
        elif fault == "garbage":
            self._raw(200, b"<html>It works!</html>", {})
        else:
            return False
        return True

    def _send(
        self, status: int, document: dict[str, Json], headers: dict[str, str] | None = None, *, cut: bool = False
    ) -> None:
        self._raw(status, orjson.dumps(document), headers or {}, cut=cut)

    def _raw(self, status: int, body: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a demo says what it does by itself."""
