"""The client of an object store: where a lake lies there, how it is reached, and how calls are waited for.

Endpoint, region and credentials are what the environment says, as for all that speaks to S3: `AWS_ENDPOINT_URL`
(or `…_S3`), `AWS_REGION`, `AWS_ACCESS_KEY_ID` and its companions, a web identity, a container's or a machine's role,
else a profile (`s3_profile.py`). They are looked at anew for each call, and written nowhere.

Calls run on a loop in a thread of their own: so eight of them at once need no threads, whoever waits can be
interrupted, and callers may have a loop of their own. A request has as many seconds as its bytes need.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from obstore.store import S3Store

from tradex_ledger.lake.s3_errors import S3Fault
from tradex_ledger.lake.s3_profile import Profile, profile

if TYPE_CHECKING:
    from obstore.store import S3Config

SECONDS = "TRADEX_S3_SECONDS"
DEFAULT_SECONDS = 30
CONNECT_SECONDS = 5
AT_ONCE = 8
RETRIES = 6
_BYTES_A_SECOND = 1 << 20
_BYTES_A_PLACE = 16 << 20
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")

T = TypeVar("T")


def endpoint() -> str:
    """Where requests go, for people: no more than scheme and host."""
    given = _endpoint(profile())
    if given is None:
        return f"S3 in {_region(profile())}"
    scheme, _, rest = given.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('/')[0]}"


def store(bucket: str, size: int = 0) -> S3Store:
    """A client of a bucket whose requests have the time that so many bytes need. Raises `S3Fault`."""
    given = os.environ.get(SECONDS) or str(DEFAULT_SECONDS)
    if not _NUMBER.fullmatch(given):
        raise S3Fault(f"{SECONDS} is {given!r}, no number of seconds", mend=f"{SECONDS}={DEFAULT_SECONDS}, say")
    seconds = int(given)
    while seconds < size // _BYTES_A_SECOND:
        seconds *= 2
    said = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    return _store(os.getpid(), bucket, seconds, profile(), said)


@cache
def _store(_pid: int, bucket: str, seconds: int, own: Profile, _said: tuple[tuple[str, str], ...]) -> S3Store:
    given = _endpoint(own)
    config: S3Config = {"checksum_algorithm": "SHA256", "disable_bulk_delete": True, "region": _region(own)}
    if given is not None:
        config["endpoint"] = given
    if own.key_id and own.secret:
        config["access_key_id"], config["secret_access_key"] = own.key_id, own.secret
        if own.token:
            config["session_token"] = own.token
    return S3Store(
        bucket,
        config=config,
        client_options={
            "timeout": timedelta(seconds=seconds),
            "connect_timeout": timedelta(seconds=min(seconds, CONNECT_SECONDS)),
            "allow_http": given is not None and given.startswith("http://"),
        },
        retry_config={
            "max_retries": RETRIES,
            "retry_timeout": timedelta(seconds=3 * seconds),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
        },
    )


def _endpoint(own: Profile) -> str | None:
    return next((value for name in _ENDPOINTS if (value := os.environ.get(name))), None) or own.endpoint


def _region(own: Profile) -> str:
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return named or own.region or "us-east-1"


def wait_for(work: Coroutine[None, None, T]) -> T:
    """What comes of some calls. Whoever is interrupted gives them up."""
    future = asyncio.run_coroutine_threadsafe(work, _loop(os.getpid()))
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def together(works: Iterable[tuple[int, Callable[[], Coroutine[None, None, T]]]]) -> list[T]:
    """What comes of works, each with the bytes that it holds in memory: eight at once, of large ones fewer.

    The first that fails ends them all.
    """
    room, turn = asyncio.Semaphore(AT_ONCE), asyncio.Lock()

    async def done(size: int, work: Callable[[], Coroutine[None, None, T]]) -> T:
        places = min(AT_ONCE, 1 + size // _BYTES_A_PLACE)
        async with turn:  # one that needs many places gets them, though others need only one
            for _ in range(places):
                await room.acquire()
        try:
            return await work()
        finally:
            for _ in range(places):
                room.release()

    tasks = [asyncio.ensure_future(done(size, work)) for size, work in works]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


@cache
def _loop(_pid: int) -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="tradex-s3", daemon=True).start()
    return loop
