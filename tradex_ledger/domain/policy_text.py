"""What a policy's text says, checked: of a `[policy]` section, or on record. No I/O here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tradex_ledger.domain.policy import ANYBODY, ERASE, KINDS, UNSAID, Policy, deeds, peak_bounds, settings
from tradex_ledger.errors import BrokenLedgerError, UsageError

ON_RECORD = "policy"
"""The stream of the policies on record."""
APPLY = ("policy.recorded", "policy.set")
"""The topics of those in it that count; what is proposed, rejected or expired does not."""
SAID_MAX = 80
MANY = 1_000_000_000
MOST = {
    **dict.fromkeys(settings(), MANY),
    "rule_max_rows": 1_000_000 * MANY,
    "window_partitions": 100_000,
    "batch_mb": 1_000_000,
    "runs_per_dataset": 1_000,
    "runs_in_all": 1_000,
    "sla_minutes": 5_256_000,  # ten years
    "anomaly_drop_percent": 100,
    "anomaly_rise_percent": 1_000_000,
    "expire_days": 36_500,
    "clock_hours": 876_000,
    "engine_sample_partitions": 100_000,
}
"""The most that a number may be: beyond it, it is a slip (or more than 64 bits)."""
_FROM_ONE = frozenset({"window_partitions", "batch_mb"})
_KINDS_OF = {
    tuple: "a list of texts",
    int: "a whole number up to {most} (0 switches a bound off)",
    str: "a text",
    bool: "true or false",
}


class PolicyValueError(UsageError):
    """A setting of a policy cannot be meant as it is. Whoever reads a file says which one."""

    code = "policy-value"

    def __init__(self, problem: str, mend: str = "") -> None:
        super().__init__(problem, mend=mend)


class StrangePolicyError(BrokenLedgerError):
    """The policy on record cannot be read: another release wrote it, or nobody did."""

    code = "strange-policy"

    def __init__(self, digest: str, problem: str) -> None:
        super().__init__(
            f"the policy on record ({digest[:12]}) cannot be used: {problem}",
            mend="use the release that recorded it, or a newer one; see: tradex audit history policy",
        )


@lru_cache(maxsize=64)
def policy_on_record(text: str, digest: str) -> Policy:
    """The policy that a text on record means. A setting that it does not name has its default, or what `UNSAID` says.

    Raises: `StrangePolicyError` for what this release does not know: it may forbid what nobody would see.
    """
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise StrangePolicyError(digest, f"it is not TOML: {error}") from None
    unknown = sorted(set(values) - set(settings()))
    if unknown:
        raise StrangePolicyError(digest, f"it has {', '.join(unknown)}, which nobody knows")
    try:
        return policy_of({**_unsaid(), **values}, text=text)
    except PolicyValueError as error:
        raise StrangePolicyError(digest, error.message) from None


def _unsaid() -> dict[str, object]:
    """As TOML would say it."""
    return {name: list(value) for name, value in UNSAID.items()}


def policy_of(values: Mapping[str, object], *, text: str = "") -> Policy:
    """Each setting by the kind of its default: a text, a list of texts, a switch, or a whole number from 0 on.

    Raises: `PolicyValueError` with the value that is off.
    """
    defaults = Policy()
    chosen: dict[str, Any] = {}
    for name, value in values.items():
        default = getattr(defaults, name)
        chosen[name] = tuple(value) if isinstance(default, tuple) and isinstance(value, list) else value
        if isinstance(default, tuple):
            good = isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value)
        elif isinstance(default, int) and not isinstance(default, bool):
            good = isinstance(value, int) and not isinstance(value, bool) and _is_in_bounds(name, value)
        else:
            good = type(value) is type(default)
        if not good:
            kind = _KINDS_OF[type(default)].format(most=MOST.get(name))
            raise PolicyValueError(f"{name} must be {kind}, not {said(value)}")
    policy = Policy(**chosen, recorded_text=text)
    _check(policy)
    return policy


def _is_in_bounds(name: str, number: int) -> bool:
    return (name in _FROM_ONE) <= number <= MOST[name]


def said(value: object) -> str:
    """A value as a message says it: not without end."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        text = "a number of thousands of digits"
    return text if len(text) <= SAID_MAX else f"{text[:SAID_MAX]}…"


def _check(policy: Policy) -> None:
    unknown = sorted(set(policy.needs_approval) - set(KINDS))
    if unknown:
        raise PolicyValueError(f"needs_approval has {', '.join(unknown)}; kinds are {', '.join(KINDS)}")
    if "forced" not in policy.needs_approval:
        raise PolicyValueError("needs_approval must have forced: it is never done without a second person")
    _check_signed(policy)
    usual = Policy()
    for name in deeds():
        allowed = getattr(policy, name)
        if not allowed and getattr(usual, name):
            raise PolicyValueError(f"{name} is empty: nobody could ever", f'name somebody, or {name} = ["*"]')
        if "*" in allowed and allowed != ANYBODY:
            others = ", ".join(item for item in allowed if item != "*")
            mend = "leave the names out, or the *"
            raise PolicyValueError(f'{name} has "*" (anybody) beside {others or "another"}', mend)
        if allowed == ANYBODY and not getattr(usual, name):
            raise PolicyValueError(f'{name} has "*" (anybody)', "name the persons: nobody else may ever do that")
    try:
        ZoneInfo(policy.peak_time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones is none
        raise PolicyValueError(f"peak_time_zone {said(policy.peak_time_zone)} is no time zone") from None
    _check_hours(policy.peak_hours)


def _check_signed(policy: Policy) -> None:
    if unknown := sorted(set(policy.signed) - {*KINDS, ERASE}):
        raise PolicyValueError(f"signed has {', '.join(unknown)}; kinds are {', '.join((*KINDS, ERASE))}")
    if free := sorted(set(policy.signed) - {*policy.needs_approval, ERASE}):
        raise PolicyValueError(
            f"signed has {', '.join(free)}, which needs no approval: nobody would sign it",
            "put the kind under needs_approval, or leave it out of signed",
        )


def _check_hours(hours: str) -> None:
    if not hours:
        return
    named = f"peak_hours {said(hours)}"
    if hours.replace(" ", "").endswith("-24:00"):
        mend = "the end is excluded: write 00:00 for midnight (13:30-00:00); for the whole day, 00:00-23:59"
        raise PolicyValueError(f"{named} is not of the form 13:30-20:00: a day has no 24:00", mend)
    try:
        start, end = peak_bounds(hours)
    except ValueError:
        mend = "write 13:30-20:00; the time zone is a setting of its own, peak_time_zone"
        raise PolicyValueError(f"{named} is not of the form 13:30-20:00", mend) from None
    if start == end:
        mend = 'for the whole day write 00:00-23:59; for no peak hours, peak_hours = ""'
        raise PolicyValueError(f"{named} ends when it begins", mend)
