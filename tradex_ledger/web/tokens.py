"""What binds a form to who was shown it, to its run, and to the hour: nobody else's page can send it."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from tradex_ledger.domain.person import person

_HOUR = timedelta(hours=1)


def token(secret: bytes, actor: str, run_id: str, now: datetime) -> str:
    """The token of a form that is shown now."""
    said = f"{person(actor)}\n{run_id}\n{now:%Y-%m-%dT%H}"
    return hmac.new(secret, said.encode(), hashlib.sha256).hexdigest()


def is_token(secret: bytes, given: str, actor: str, run_id: str, now: datetime) -> bool:
    """Whether a form was shown to that person for that run in this hour, or in the one before."""
    known = [token(secret, actor, run_id, moment) for moment in (now, now - _HOUR)]
    return any(hmac.compare_digest(one.encode(), given.encode()) for one in known)


def session(key: str) -> str:
    """What a browser keeps in place of the key: the key itself is in no cookie."""
    return hmac.new(key.encode(), b"session", hashlib.sha256).hexdigest()


def is_same(given: str, known: str) -> bool:
    """Whether two texts are one, told in a time that says nothing of where they differ."""
    return hmac.compare_digest(given.encode(), known.encode())
