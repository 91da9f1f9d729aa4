"""Webhooks, signed as Standard Webhooks has it (https://www.standardwebhooks.com): id, time and body under one HMAC."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256

from tradex_ledger.feeds.cloudevents import CONTENT_TYPE
from tradex_ledger.feeds.http import Posts
from tradex_ledger.feeds.port import Answer, Holds, Message


class Webhook:
    """A receiver of signed messages. With several secrets each signs: a receiver changes from one to the next."""

    def __init__(self, posts: Posts, secrets: Sequence[bytes], clock: Callable[[], datetime]) -> None:
        self._posts, self._secrets, self._clock = posts, secrets, clock

    def deliver(self, message: Message) -> Answer:
        """The time is that of the attempt: receivers refuse what is old."""
        moment = str(int(self._clock().timestamp()))
        signed = f"{message.id}.{moment}.".encode() + message.body
        headers = {
            "Content-Type": CONTENT_TYPE,
            "webhook-id": message.id,
            "webhook-timestamp": moment,
            "webhook-signature": " ".join(signature(secret, signed) for secret in self._secrets),
        }
        return self._posts.post(message.body, headers)

    def holds(self) -> Holds | None:
        """Nobody asks a receiver."""
        return None

    def close(self) -> None:
        """End the connection."""
        self._posts.close()


class Receiver:
    """A receiver of OpenLineage events over HTTP, with its token if it has one."""

    def __init__(self, posts: Posts, token: str | None) -> None:
        self._posts = posts
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def deliver(self, message: Message) -> Answer:
        """The same bytes at each attempt."""
        return self._posts.post(message.body, self._headers)

    def holds(self) -> Holds | None:
        """Nobody asks a receiver."""
        return None

    def close(self) -> None:
        """End the connection."""
        self._posts.close()


def signature(secret: bytes, signed: bytes) -> str:
    """Of what is signed, by one secret."""
    return f"v1,{b64encode(hmac.digest(secret, signed, sha256)).decode()}"
