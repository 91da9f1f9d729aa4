"""Calls of the X API: paced, waited for, tried again. It needs the extra `x`.

The limit of calls is told by the platform's own clock: how long to wait is the difference of two of its headers. What
fails for a moment (a 5xx, a time-out, a broken line) is tried again after pauses that double.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx2

from tradex_ledger import __version__
from tradex_ledger.domain.day import Day, start_of
from tradex_ledger.errors import EnvironmentFault, UsageError
from tradex_ledger.sources.called import Counted, CursorRefused, Page, Span, Told, Used
from tradex_ledger.sources.x_api.answers import (
    NEW,
    OLD,
    StrangeAnswerError,
    Vocabulary,
    count_of,
    has_times,
    job_of,
    page_of,
    problem_of,
    usage_of,
)

PLATFORM = "https://api.x.com"
_SEARCH, _COUNTS, _USAGE = "/2/tweets/search/all", "/2/tweets/counts/all", "/2/usage/tweets"
_JOBS = "/2/compliance/jobs"
_JOB_TRIES = 20
_PACE_S = 1.0  # the platform takes one search a second
_PAUSES_S = (0.5, 1, 2, 4, 8, 16)
_WAIT_MAX_S = 3_600
_WAIT_UNTOLD_S = 60
_LIMIT_RETRIES = 10
_TIMEOUT = httpx2.Timeout(30, connect=10)


class Retracted(NamedTuple):
    """What a job of the platform came to: its id, and the notices, one a line."""

    job: str
    notices: bytes


class UnreachableError(EnvironmentFault):
    """The platform did not answer, or only with faults of its own, for about half a minute."""

    code = "source-unreachable"

    def __init__(self, why: str, tries: int) -> None:
        super().__init__(
            f"the X API could not be asked: {why}, {tries} times",
            mend="try again later: what was delivered is kept, and the same command goes on behind it",
            transient=True,
        )


class DeniedError(EnvironmentFault):
    """The platform lets this token not in, or not there."""

    code = "source-denied"

    def __init__(self, status: int, why: str) -> None:
        super().__init__(
            f"the X API does not let us in ({status}): {why}",
            mend="see whether X_BEARER_TOKEN is right and may search the archive, and whether there is credit left; "
            "then run again: it goes on where it stopped",
        )


class QuestionError(UsageError):
    """The platform does not take the question."""

    code = "source-refuses"

    def __init__(self, status: int, why: str) -> None:
        super().__init__(
            f"the X API refuses the question ({status}): {why}",
            mend="correct the query of the source (x-api:QUERY in tradex.toml)",
        )


@contextmanager
def opened(query: str, token: str, url: str | None) -> Iterator[XClient]:
    """A conversation that ends with the block. `url` is another address than the platform's."""
    headers = {"Authorization": f"Bearer {token}", "User-Agent": f"tradex-ledger/{__version__}"}
    with (
        httpx2.Client(base_url=url or PLATFORM, headers=headers, timeout=_TIMEOUT) as http,
        httpx2.Client(timeout=_TIMEOUT) as bare,
    ):
        yield XClient(http, bare, query, pace=0.0 if url else _PACE_S)


class XClient:
    """A conversation about one query. It remembers which vocabulary is understood, and when it called last."""

    def __init__(self, http: httpx2.Client, bare: httpx2.Client, query: str, *, pace: float) -> None:
        self._http, self._bare, self._query, self._pace = http, bare, query, pace
        self._words: Vocabulary = NEW
        self._called = -pace
        self.calls = 0

    def __repr__(self) -> str:
        return f"<XClient {self._query!r}>"

    def page(self, span: Span, cursor: str | None, most: int, told: Told) -> Page:
        """A page of the search, newest posts first."""
        before = self.calls
        body = self._page(span, cursor, most, told)
        if not has_times(body):
            self._words = OLD if self._words is NEW else NEW
            body = self._page(span, cursor, most, told)
            if not has_times(body):
                raise StrangeAnswerError("its posts have no created_at")
        return Page(body, *page_of(body), self.calls - before)

    def _page(self, span: Span, cursor: str | None, most: int, told: Told) -> bytes:
        asked = {**self._asked(span), "max_results": str(most), **({"next_token": cursor} if cursor else {})}
        try:
            return self._call(_SEARCH, {**asked, self._words.fields_parameter: self._words.fields}, told)
        except QuestionError as error:
            if cursor and "next_token" in error.message:
                raise CursorRefused from error
            if self._words.fields_parameter not in error.message:
                raise
            self._words = OLD if self._words is NEW else NEW
            return self._call(_SEARCH, {**asked, self._words.fields_parameter: self._words.fields}, told)

    def count(self, span: Span, told: Told) -> Counted:
        """How many posts a search would find."""
        before, rows, cursor, given = self.calls, 0, None, set[str]()
        while True:
            asked = {**self._asked(span), "granularity": "day", **({"next_token": cursor} if cursor else {})}
            found, cursor = count_of(self._call(_COUNTS, asked, told))
            rows += found
            if cursor is None:
                return Counted(rows, self.calls - before)
            if cursor in given:
                raise StrangeAnswerError("its counts lead back to a page that was counted")
            given.add(cursor)

    def used(self, days: int, told: Told) -> list[Used]:
        """The posts of each of the last days, as the platform counts them for its invoice."""
        asked = {"days": str(days), "usage.fields": "daily_project_usage"}
        return [Used(*entry) for entry in usage_of(self._call(_USAGE, asked, told))]

    def retracted(self, ids: Sequence[str], told: Told) -> Retracted:
        """Those of some posts that are to be shown no more: a job of the platform, waited for. It costs nothing."""
        made = job_of(self._call(_JOBS, {"type": "tweets", "name": "tradex-ledger"}, told, method="POST"))
        self._carry("PUT", made.upload_url, "\n".join(ids).encode(), told)
        for number in range(_JOB_TRIES):
            found = job_of(self._call(f"{_JOBS}/{made.id}", {}, told))
            if found.status == "complete":
                return Retracted(made.id, self._carry("GET", made.download_url, None, told))
            if found.status in ("failed", "expired"):
                raise UnreachableError(f"its job {made.id} has {found.status}", 1)
            _wait(min(30.0, 0.5 * 2**number), "wait for a compliance job of the X API (seconds)", told)
        raise UnreachableError(f"its job {made.id} was not done", _JOB_TRIES)

    def _carry(self, method: str, url: str, content: bytes | None, told: Told) -> bytes:
        """What is uploaded and downloaded goes to another address, which gets no token."""
        headers = {"Content-Type": "text/plain"} if content is not None else {}
        return self._until_good(lambda: self._bare.request(method, url, content=content, headers=headers), told)

    def read(self, body: bytes) -> tuple[int, str | None]:
        """Of a page that was kept, how many posts it is of, and the cursor of the next."""
        return page_of(body)

    def _asked(self, span: Span) -> dict[str, str]:
        return {"query": self._query, "start_time": _time(span.first), "end_time": _time(span.until)}

    def _call(self, path: str, asked: Mapping[str, str], told: Told, *, method: str = "GET") -> bytes:
        """The body of the answer, once there is one. Raises what `Asking` says."""

        def once() -> httpx2.Response:
            _sleep(self._called + self._pace - time.monotonic())
            self._called = time.monotonic()
            self.calls += 1
            if method == "POST":
                return self._http.post(path, json=dict(asked))
            return self._http.get(path, params=dict(asked))

        return self._until_good(once, told)

    def _until_good(self, once: Callable[[], httpx2.Response], told: Told) -> bytes:
        """The body of a good answer: limits are waited for, what fails for a moment is tried again."""
        limited = 0
        pauses = iter(_PAUSES_S)
        while True:
            answer = _tried(once)
            if isinstance(answer, httpx2.Response) and answer.status_code == 429:
                limited += 1
                if limited > _LIMIT_RETRIES:
                    raise UnreachableError("its limit of calls was reached", limited)
                _wait(_until_reset(answer), "wait for the limit of the X API (seconds)", told)
                continue
            why = answer if isinstance(answer, str) else _fault(answer)
            if isinstance(answer, httpx2.Response) and why is None:
                return answer.content
            pause = next(pauses, None)
            if pause is None:
                raise UnreachableError(why or "", len(_PAUSES_S) + 1)
            _wait(pause, f"the X API failed ({why}): wait (seconds)", told)


def _tried(once: Callable[[], httpx2.Response]) -> httpx2.Response | str:
    """One call: the answer, or why there is none."""
    try:
        return once()
    except httpx2.TimeoutException:
        return "no answer in time"
    except httpx2.DecodingError:
        return "an answer that cannot be unpacked"
    except httpx2.TransportError as error:
        return f"no connection ({type(error).__name__})"
    except (httpx2.InvalidURL, UnicodeError):  # one that the platform gave: ours are looked at before
        raise StrangeAnswerError("an address that is none") from None


def _fault(answer: httpx2.Response) -> str | None:
    """Why an answer is to be asked for again; None: it is good. Raises: `DeniedError`, `QuestionError`."""
    status = answer.status_code
    if status >= 500 or status == 408:
        return str(status)
    if status in (401, 402, 403):
        raise DeniedError(status, problem_of(answer.content))
    if status >= 400:
        raise QuestionError(status, problem_of(answer.content))
    return None if status == 200 else str(status)


def _until_reset(answer: httpx2.Response) -> float:
    """Seconds until the limit is lifted, by the platform's clock."""
    try:
        now = parsedate_to_datetime(answer.headers["date"]).timestamp()
        left = float(answer.headers["x-rate-limit-reset"]) - now
    except (KeyError, ValueError):
        return _WAIT_UNTOLD_S
    if math.isnan(left):
        return _WAIT_UNTOLD_S
    return min(max(left, 0.0) + 1, _WAIT_MAX_S)  # both are whole seconds


def _wait(seconds: float, what: str, told: Told) -> None:
    """Wait, and tell each second how far that is."""
    whole = max(1, round(seconds))
    for second in range(whole):
        told(what, second, whole)
        _sleep(seconds / whole)
    told(what, whole, whole)


def _sleep(seconds: float) -> None:
    if seconds > 0:
        time.sleep(seconds)


def _time(day: Day) -> str:
    """The start of a day as the platform takes it: whole seconds."""
    return f"{start_of(day)[:19]}Z"
