"""One message, one POST: TLS verified, no redirect followed, no proxy of the environment, an end to all waiting."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from tradex_ledger import __version__
from tradex_ledger.feeds.port import TAKEN, Answer

TIMEOUT_S = 10.0
"""For each step: the connection, each part of what is sent or read."""
WHOLE_S = 30.0
"""For all of it: who answers a byte every nine seconds is not waited for."""
_READ_MOST = 64 * 1024
_LONGEST_WAIT_S = 3_600.0
_SLOW_DOWN = (429, 503)


class Reply(NamedTuple):
    """What a receiver answered."""

    status: int
    retry_after: str | None
    date: str | None


class Posts:
    """A receiver at a URL. Its connection is kept from one message to the next, as long as it is good."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S, whole_s: float = WHOLE_S) -> None:
        self._url: SplitResult = urlsplit(url)
        self._timeout_s, self._whole_s = timeout_s, whole_s
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Hand a body over; any answer but a 2xx is a refusal."""
        try:
            return _judged(self._posted(body, {**headers, "User-Agent": f"tradex-ledger/{__version__}"}))
        except TimeoutError:
            self.close()
            return Answer(f"no answer within {self._timeout_s:g} s")
        except ssl.SSLCertVerificationError as error:
            self.close()
            return Answer(f"its certificate is not believed: {error.verify_message}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            return Answer(f"no connection ({type(error).__name__}: {getattr(error, 'strerror', None) or error})")

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _posted(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        if self._connection is None:
            self._connection = self._connected()
        kept = self._connection.sock is not None
        try:
            return self._asked(self._connection, body, headers)
        except (ConnectionError, http.client.RemoteDisconnected):
            if not kept:
                raise
        self.close()  # the receiver had ended a connection that was kept: that is no fault of it
        self._connection = self._connected()
        return self._asked(self._connection, body, headers)

    def _connected(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            secure = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=secure)
        return http.client.HTTPConnection(host, port, timeout=self._timeout_s)

    def _asked(self, connection: http.client.HTTPConnection, body: bytes, headers: Mapping[str, str]) -> Reply:
        path = self._url.path or "/"
        late = threading.Event()

        def cut_off() -> None:
            late.set()
            if (line := connection.sock) is not None:
                with suppress(OSError):
                    line.shutdown(2)

        timer = threading.Timer(self._whole_s, cut_off)
        timer.daemon = True
        timer.start()
        try:
            connection.request("POST", f"{path}?{self._url.query}" if self._url.query else path, body, dict(headers))
            answer = connection.getresponse()
            if len(answer.read(_READ_MOST)) == _READ_MOST:
                self.close()  # nobody waits for the rest of it
            if late.is_set():  # what was cut off looks like an end
                raise TimeoutError
            return Reply(answer.status, answer.getheader("Retry-After"), answer.getheader("Date"))
        except (OSError, http.client.HTTPException):
            if late.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()


def _judged(reply: Reply) -> Answer:
    if 200 <= reply.status < 300:
        return TAKEN
    if 300 <= reply.status < 400:
        return Answer(f"it answers {reply.status} and points elsewhere, which is not followed")
    wait = _seconds(reply) if reply.status in _SLOW_DOWN else None
    return Answer(f"it answers {reply.status}", wait, reply.status == 410)


def _seconds(reply: Reply) -> float | None:
    """How long it wants to be left alone, by its own clock where it names a time."""
    said = reply.retry_after
    if said is None:
        return None
    if said.isascii() and said.isdigit():
        return min(float(said), _LONGEST_WAIT_S)
    try:
        until, now = parsedate_to_datetime(said), parsedate_to_datetime(reply.date or "")
        return min(max((until - now).total_seconds(), 0.0), _LONGEST_WAIT_S)
    except (ValueError, TypeError):
        return None
