"""What binds a form to who was shown it, to its run, and to the hour: nobody else's page can send it.

No two pages show the same text of it: pages are compressed, and how long one becomes must tell nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from tradex_ledger.domain.person import person

_HOUR = timedelta(hours=1)


def token(secret: bytes, actor: str, run_id: str, now: datetime, salt: str) -> str:
    """The token of a form that is shown now; the salt is another each time."""
    said = f"{salt}\n{person(actor)}\n{run_id}\n{now:%Y-%m-%dT%H}"
    return f"{salt}.{hmac.new(secret, said.encode(), hashlib.sha256).hexdigest()}"


def is_token(secret: bytes, given: str, actor: str, run_id: str, now: datetime) -> bool:
    """Whether a form was shown to that person for that run in this hour, or in the one before."""
    salt = given.partition(".")[0]
    known = [token(secret, actor, run_id, moment, salt) for moment in (now, now - _HOUR)]
    return any(is_same(given, one) for one in known)


def session(key: str) -> str:
    """What a browser keeps in place of the key: the key itself is in no cookie."""
    return hmac.new(key.encode(), b"session", hashlib.sha256).hexdigest()


def is_same(given: str, known: str) -> bool:
    """Whether two texts are one, told in a time that says nothing of where they differ."""
    return hmac.compare_digest(given.encode(), known.encode())
