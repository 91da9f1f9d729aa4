"""A request that is too large for one backfill, in parts that are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tradex_ledger.domain.policy import TooLargeError
from tradex_ledger.domain.request import Request
from tradex_ledger.planning.plan import halves

P = TypeVar("P")


def split(plan: Callable[[Request], P], whole: Request) -> list[P]:
    """What `plan` makes of the parts of a request, in their order: halves of halves, down to what the policy allows.

    Raises: `TooLargeError` for one day that is too large by itself, and what `plan` raises.
    """
    made, parts = list[P](), [whole]
    while parts:
        part = parts.pop()
        try:
            made.append(plan(part))
        except TooLargeError:
            if part.first == part.last:
                raise
            parts += reversed(halves(part))
    return made
