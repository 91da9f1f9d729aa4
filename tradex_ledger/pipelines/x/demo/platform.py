"""A small platform on this machine: full-archive search, counts and usage over HTTP, with limits, faults, an invoice.

It answers as the platform's specification says, in either vocabulary, so that the source that calls can be tried
without a network, a token or money. What it holds can change while it is asked: posts come late, are edited, deleted.
"""

from __future__ import annotations

import base64
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from typing import TypeAlias

from tradex_ledger.outside import Json
from tradex_ledger.pipelines.x.demo.answering import Answering
from tradex_ledger.pipelines.x.demo.compliance import Jobs

Answer: TypeAlias = tuple[int, dict[str, Json]]
PROBLEMS = "https://api.x.com/2/problems"
PAGE_MAX, PAGE_MIN, PAGE_USUAL = 500, 10, 10
_COUNT_DAYS = 31


@dataclass(frozen=True, slots=True)
class Held:
    """A post as the platform holds it: the newest of its versions, whose ids (`history`) are oldest first."""

    history: tuple[str, ...]
    text: str
    created_at: datetime
    author_id: str | None = None
    lang: str | None = "en"
    likes: int = 0
    reposts: int = 0
    note: str | None = None
    reposted: str | None = None
    withheld_in: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The id of its newest version."""
        return self.history[-1]


@dataclass
class Platform:
    """What is held, how it is called, what goes wrong, and what was asked.

    `faults` befall the searches in their order: a status, `hang`, `cut` (half a body), `half` (the same, and `on_half`
    is called), `garbage`; None is none. A `forgotten` cursor is refused, once.
    """

    token: str = "simulated"
    words: str = "post"
    calls_allowed: int = 300
    window_s: float = 900.0
    faults: list[int | str | None] = field(default_factory=list)
    unavailable: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    posts: dict[str, Held] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    delivered: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    strangers: int = 0
    jobs: Jobs = field(default_factory=Jobs)
    hang_s: float = 60.0
    on_half: Callable[[], None] = lambda: None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _window: list[float] = field(default_factory=list)

    # -- what people do there

    def hold(self, posts: Iterable[Held]) -> None:
        """Take posts in, by the id of their first version."""
        with self._lock:
            self.posts.update({post.history[0]: post for post in posts})

    def edit(self, post_id: str, text: str, new_id: str) -> None:
        """Give a post another text, under another id."""
        with self._lock:
            post = self.posts[post_id]
            self.posts[post_id] = replace(post, history=(*post.history, new_id), text=text)

    def delete(self, post_id: str) -> None:
        """A post is gone, with all its versions."""
        with self._lock:
            del self.posts[post_id]

    # -- the invoice

    def billed(self) -> int:
        """Posts of the invoice: the same post is billed once a day (UTC), however often it was delivered."""
        return sum(map(len, self.delivered.values()))

    def sent(self) -> int:
        """Posts as they went out, doubles included."""
        return sum(count for day in self.delivered.values() for count in day.values())

    # -- answers

    def limit(self) -> dict[str, str] | None:
        """The headers of the limit for one more search, which counts; None: the limit is reached."""
        with self._lock:
            now = time.time()
            self._window = [at for at in self._window if at > now - self.window_s]
            if len(self._window) >= self.calls_allowed:
                return None
            self._window.append(now)
            return self.headers(self.calls_allowed - len(self._window))

    def headers(self, remaining: int) -> dict[str, str]:
        """How many calls are left, and when the oldest one counts no more."""
        reset = (self._window[0] if self._window else time.time()) + self.window_s
        return {
            "x-rate-limit-limit": str(self.calls_allowed),
            "x-rate-limit-remaining": str(remaining),
            "x-rate-limit-reset": str(int(reset + 1)),
        }

    def search(self, asked: dict[str, str]) -> Answer:
        """A page of posts, newest first."""
        problem = self._problem(asked)
        if problem is not None:
            return 400, problem
        size = int(asked.get("max_results", PAGE_USUAL))
        after = _untoken(asked["next_token"]) if "next_token" in asked else None
        with self._lock:
            found = [post for post in self._between(asked) if after is None or _place(post) < after]
            page, more = found[:size], len(found) > size
            for post in page:
                self.delivered[f"{datetime.now(UTC):%Y-%m-%d}"][post.id] += 1
        gone = [post for post in page if post.id in self.unavailable]
        data: list[Json] = [self._post(post) for post in page if post not in gone]
        meta: dict[str, Json] = {"result_count": len(data)}
        if data:
            meta |= {"newest_id": page[0].id, "oldest_id": page[-1].id}
        if more:
            meta["next_token"] = _token(_place(page[-1]))
        errors: list[Json] = [_unavailable(post) for post in gone]
        return 200, {**({"data": data} if data else {}), **({"errors": errors} if errors else {}), "meta": meta}

    def count(self, asked: dict[str, str]) -> Answer:
        """How many posts each day has, thirty-one days a page."""
        problem = self._problem(asked)
        if problem is not None:
            return 400, problem
        first, until = _times(asked)
        first = datetime.fromisoformat(_untoken(asked["next_token"])[0]) if "next_token" in asked else first
        end = min(until, first + timedelta(days=_COUNT_DAYS))
        with self._lock:
            found = [post.created_at for post in self._between(asked) if first <= post.created_at < end]
        days, name = Counter(moment.date() for moment in found), self.words
        data: list[Json] = []
        start = first
        while start < end:
            stop = min(end, start + timedelta(days=1))
            data.append({"start": _text(start), "end": _text(stop), f"{name}_count": days[start.date()]})
            start = stop
        meta: dict[str, Json] = {f"total_{name}_count": len(found)}
        if end < until:
            meta["next_token"] = _token((end.isoformat(), ""))
        return 200, {"data": data, "meta": meta}

    def usage(self, asked: dict[str, str]) -> Answer:
        """The posts of the invoice, day by day."""
        if not asked.get("days", "7").isdigit():
            return 400, _invalid("days", asked["days"])
        days: list[Json] = [
            {"date": f"{day}T00:00:00.000Z", "usage": str(len(posts))} for day, posts in sorted(self.delivered.items())
        ]
        used: dict[str, Json] = {"project_id": "1", "usage": days}
        return 200, {"data": {"project_id": "1", "project_cap": "3000000", "daily_project_usage": used}}

    def _between(self, asked: dict[str, str]) -> list[Held]:
        first, until = _times(asked)
        found = [post for post in self.posts.values() if first <= post.created_at < until]
        return sorted(found, key=_place, reverse=True)

    def _problem(self, asked: dict[str, str]) -> dict[str, Json] | None:
        other = "tweet.fields" if self.words == "post" else "post.fields"
        size = asked.get("max_results", str(PAGE_USUAL))
        if other in asked:
            return _invalid(other, asked[other])
        if asked.get("next_token") in self.forgotten:
            self.forgotten.discard(asked["next_token"])
            return _invalid("next_token", asked["next_token"])
        if not (size.isdigit() and PAGE_MIN <= int(size) <= PAGE_MAX):
            return _invalid("max_results", size)
        return None if asked.get("query") else _invalid("query", "")

    def _post(self, post: Held) -> dict[str, Json]:
        word, passed = self.words, "repost" if self.words == "post" else "retweet"
        counts = {"reply_count": 0, "quote_count": 0, "bookmark_count": 0, "impression_count": 0}
        made: dict[str, Json] = {
            "id": post.id,
            "text": post.text,
            "created_at": _text(post.created_at),
            "public_metrics": {f"{passed}_count": post.reposts, "like_count": post.likes, **counts},
            f"edit_history_{word}_ids": list(post.history),
        }
        known = {"author_id": post.author_id, "lang": post.lang}
        made |= {name: value for name, value in known.items() if value is not None}
        if post.note is not None:
            made[f"note_{word}"] = {"text": post.note}
        if post.reposted is not None:
            made[f"referenced_{word}s"] = [{"type": "retweeted", "id": post.reposted}]
        if post.withheld_in:
            made["withheld"] = {"copyright": False, "country_codes": list(post.withheld_in), "scope": word}
        return made


@contextmanager
def served(platform: Platform) -> Iterator[str]:
    """Serve it on this machine for the length of the block; gives the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering.of(platform))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _times(asked: dict[str, str]) -> tuple[datetime, datetime]:
    """Unless they are said, the last thirty days."""
    now = datetime.now(UTC)
    start, end = (asked.get(name) for name in ("start_time", "end_time"))
    return (
        datetime.fromisoformat(start) if start else now - timedelta(days=30),
        datetime.fromisoformat(end) if end else now - timedelta(seconds=30),
    )


def _place(post: Held) -> tuple[str, str]:
    return post.created_at.isoformat(), post.history[0]


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _token(place: tuple[str, str]) -> str:
    return base64.b32hexencode(" ".join(place).encode()).decode().rstrip("=").lower()


def _untoken(token: str) -> tuple[str, str]:
    padded = token.upper() + "=" * (-len(token) % 8)
    first, _, second = base64.b32hexdecode(padded).decode().partition(" ")
    return first, second


def _invalid(name: str, value: str) -> dict[str, Json]:
    detail = f"The query parameter [{name}] is not one that is known, or its value is out of bounds"
    return {
        "type": f"{PROBLEMS}/invalid-request",
        "title": "Invalid Request",
        "detail": detail,
        "parameter": name,
        "value": value,
    }


def _unavailable(post: Held) -> dict[str, Json]:
    return {
        "type": f"{PROBLEMS}/resource-unavailable",
        "title": "Resource Unavailable",
        "detail": f"The post {post.id} cannot be shown",
        "parameter": "id",
        "resource_id": post.id,
        "resource_type": "post",
    }
