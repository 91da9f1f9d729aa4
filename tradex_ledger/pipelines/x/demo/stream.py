"""One made-up day of posts about stocks, as the platform would deliver it, faults included.

Everything follows from the seed and the day: a day's posts are the same whatever range they are asked for in.
"""

from __future__ import annotations

import string
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Literal, NamedTuple

import orjson

from tradex_ledger.domain.day import day_of
from tradex_ledger.errors import UsageError
from tradex_ledger.outside import Json
from tradex_ledger.pipelines.x.demo import vocabulary as words

Kind = Literal["post", "duplicate", "edit", "copy", "spike", "broken"]

_DUPLICATES, _EDITS, _SPAM, _RETWEETS, _LATE = 0.06, 0.02, 0.01, 0.15, 0.04
_WEEKEND = 0.35
_SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
_DAY_SECONDS = 86_400
_EARLIEST = date(2010, 11, 5)
_LETTERS = string.ascii_letters + string.digits
# Tables and not strftime: %a and %b write the names of the machine's locale.
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Delivery(NamedTuple):
    """One line, the day it was (or is to be) delivered and the day its post was created."""

    delivery_day: date
    created_day: date
    kind: Kind
    line: bytes


class _Draft(NamedTuple):
    """A post before it is put into the form of an API version; `second` counts from the start of its day."""

    second: int
    author: int
    text: str
    is_retweet: bool


def spikes(seed: int, day: date) -> list[str]:
    """The tickers that everybody talks about on a day: two a month, from the 15th on, for two days each."""
    random = Random(seed * 1_000_000 + day.year * 100 + day.month)
    tickers = random.sample(words.SPIKE_TICKERS, 2)
    starts = [random.randint(15, 20), random.randint(22, 26)]
    return [ticker for ticker, start in zip(tickers, starts, strict=True) if 0 <= day.day - start <= 1]


def day_of_posts(seed: int, day: date, posts_per_day: int) -> list[Delivery]:
    """All that was created on one day, with its duplicates, edits, copies and broken lines.

    Raises:
        UsageError: the day is before the platform's ids began to hold their time.
    """
    if day < _EARLIEST:
        raise UsageError(f"Made-up posts begin on {_EARLIEST}, not on {day}.", mend="Take a later first day.")
    return _Day(seed, day).deliveries(posts_per_day)


class _Day:
    """The posts of one day in the making: each call draws from the day's own random numbers."""

    def __init__(self, seed: int, day: date) -> None:
        self.day = day
        self.random = Random(seed * 10_000_000 + day_of(day))
        self.start_s = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        self.spikes = spikes(seed, day)
        self.ids = 0
        self.found: list[Delivery] = []

    def deliveries(self, posts_per_day: int) -> list[Delivery]:
        rhythm = _WEEKEND if self.day.weekday() >= 5 else 1.0
        for _ in range(max(1, round(posts_per_day * rhythm * self.random.uniform(0.9, 1.1)))):
            self._one(self._draft(), "post")
        for ticker in self.spikes:
            for _ in range(max(8, posts_per_day // 6)):
                phrase = self.random.choice(words.SPIKE_PHRASES)
                self._one(self._draft(phrase, ticker), "spike")
        if self.random.random() < 0.25:
            for _ in range(1 + posts_per_day // 2000):
                self.found.append(self._deliver(self.day, "broken", self._broken()))
        return self.found

    def _one(self, draft: _Draft, kind: Kind) -> None:
        """One post and what often comes with it."""
        chance = self.random.random()
        edited = kind == "post" and not draft.is_retweet and chance < _EDITS / (1 - _RETWEETS)
        first_id = self._id(draft.second)
        as_v2 = edited or self.random.random() < 0.5
        line = self._v2(draft, [first_id]) if as_v2 else self._v1(draft, first_id)
        self.found.append(self._deliver(self.day, kind, line))
        if edited:
            self._edit(draft, first_id)
        elif kind == "post" and chance > 1 - _SPAM:
            self._spam(draft)
        if self.random.random() < _DUPLICATES:
            self.found.append(self._deliver(self.day, "duplicate", line))

    def _edit(self, draft: _Draft, first_id: int) -> None:
        later = draft._replace(
            second=draft.second + self.random.randint(60, 1800),
            text=draft.text + self.random.choice(words.AFTERTHOUGHTS),
        )
        made = self.day + timedelta(later.second // _DAY_SECONDS)
        line = self._v2(later, [first_id, self._id(later.second)])
        self.found.append(self._deliver(made, "edit", line))

    def _spam(self, draft: _Draft) -> None:
        """The same words by the same author again and again; only the link differs."""
        ticker = self._tickers(1)[0]
        text = self.random.choice(words.SPAM_PHRASES).format(f"${ticker}", n=self.random.randint(2, 9))
        for _ in range(self.random.randint(2, 4)):
            second = min(draft.second + self.random.randint(30, 3000), _DAY_SECONDS - 1)
            copy = _Draft(second, draft.author, f"{text} {self._link()}", False)
            self.found.append(self._deliver(self.day, "copy", self._v2(copy, [self._id(second)])))

    def _deliver(self, earliest: date, kind: Kind, line: bytes) -> Delivery:
        late = self.random.randint(1, 3) if self.random.random() < _LATE else 0
        return Delivery(earliest + timedelta(late), self.day, kind, line)

    def _draft(self, phrase: str | None = None, ticker: str | None = None) -> _Draft:
        random = self.random
        index = int(random.random() * len(words.PHRASES))
        tickers = [ticker] if ticker else self._tickers(words.CASHTAGS_IN[index])
        cashtags = [f"${name}" for name in tickers]
        text = (phrase or words.PHRASES[index]).format(*cashtags, n=1 + int(random.random() * 12))
        if random.random() < 0.4:
            text = f"{text} {self._link()}"
        is_retweet = random.random() < _RETWEETS
        if is_retweet:
            text = f"RT @{words.author(int(random.random() * 20))[1]}: {text}"
        # Squared: a few authors write most posts. Twice uniform: most posts around the middle of the day.
        author = int(random.random() ** 2 * words.AUTHOR_COUNT)
        second = int((random.random() + random.random()) / 2 * _DAY_SECONDS)
        return _Draft(second, author, text, is_retweet)

    def _tickers(self, count: int) -> list[str]:
        found: dict[str, None] = {}
        while len(found) < count:
            found[self.random.choices(words.TICKERS, cum_weights=words.TICKER_WEIGHTS)[0]] = None
        return list(found)

    def _link(self) -> str:
        return "https://t.co/" + "".join(self.random.choices(_LETTERS, k=10))

    def _id(self, second: int) -> int:
        """A snowflake: the time above 22 bits, in which the posts of the day are numbered."""
        self.ids += 1
        return (((self.start_s + second) * 1000 - _SNOWFLAKE_EPOCH_MS) << 22) | self.ids

    def _counts(self) -> tuple[int, int]:
        likes = min(int(self.random.paretovariate(1.1)) - 1, 50_000)
        return likes, int(likes * self.random.random() / 2)

    def _v1(self, draft: _Draft, post_id: int) -> bytes:
        user_id, name = words.author(draft.author)
        at = self._time(draft)
        likes, retweets = self._counts()
        post: dict[str, Json] = {
            "created_at": f"{_WEEKDAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at:%d %H:%M:%S +0000 %Y}",
            "id": post_id,
            "id_str": str(post_id),
            "text": draft.text,
            "truncated": False,
            "user": {"id": int(user_id), "id_str": user_id, "screen_name": name, "lang": "en"},
            "retweet_count": retweets,
            "favorite_count": likes,
            "lang": "en",
        }
        if draft.is_retweet:
            origin = post_id - (3_600_000 << 22)
            post |= {"retweeted_status": {"id_str": str(origin), "text": draft.text.partition(": ")[2]}}
        return orjson.dumps(post)

    def _v2(self, draft: _Draft, history: list[int]) -> bytes:
        likes, retweets = self._counts()
        post: dict[str, Json] = {
            "id": str(history[-1]),
            "text": draft.text,
            "created_at": f"{self._time(draft):%Y-%m-%dT%H:%M:%S.000Z}",
            "author_id": words.author(draft.author)[0],
            "lang": "en",
            "public_metrics": {"retweet_count": retweets, "reply_count": 0, "like_count": likes},
            "edit_history_tweet_ids": list(map(str, history)),
        }
        if draft.is_retweet:
            origin = history[0] - (3_600_000 << 22)
            post |= {"referenced_tweets": [{"type": "retweeted", "id": str(origin)}]}
        return orjson.dumps({"data": post} if self.random.random() < 0.3 else post)

    def _time(self, draft: _Draft) -> datetime:
        return datetime.fromtimestamp(self.start_s + draft.second, UTC)

    def _broken(self) -> bytes:
        draft = self._draft()
        line = self._v2(draft, [self._id(draft.second)])
        return self.random.choice(
            [
                line[: len(line) // 2],
                b"<html><head><title>502 Bad Gateway</title></head></html>",
                line.replace(b'"created_at"', b'"created"'),
                line.replace(b'"text"', b'"body"'),
                line.replace(b"$", b"\xff", 1),
                b'{"title":"Too Many Requests","status":429}',
            ]
        )
