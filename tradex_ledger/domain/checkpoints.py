"""When heads of the ledger are cut, where they are laid, and who must have cosigned them. No I/O here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

EVERY = 10_000
MOST_EVERY = 1_000_000_000
_MOST = 32
_KEY = re.compile(r"[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}").fullmatch


class Checkpoints(NamedTuple):
    """After how many events a head is cut at the latest; the places outside (folders); the verifier keys of witnesses,
    and how many of them must have cosigned a head.
    """

    every: int = EVERY
    sinks: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    quorum: int = 0


DEFAULT = Checkpoints()


def checkpoints_of(values: Mapping[str, object]) -> Checkpoints:
    """What settings say under [checkpoints]. Raises `ValueError` with what is wrong."""
    every = _number(values, "every", EVERY, MOST_EVERY)
    sinks, witnesses = _texts(values, "sinks"), _texts(values, "witnesses")
    for sink in sinks:
        if "://" in sink:
            raise ValueError("sinks must be folders: there is a URL among them, and none is served yet")
    for number, key in enumerate(witnesses, 1):
        if not _KEY(key):
            raise ValueError(f"witnesses must be verifier keys (NAME+HASH+KEY): number {number} is none")
    quorum = _number(values, "quorum", min(1, len(witnesses)), _MOST)
    if quorum > len(witnesses):
        raise ValueError(f"quorum is {quorum}, and there are {len(witnesses)} witnesses")
    return Checkpoints(every, sinks, witnesses, quorum)


def _number(values: Mapping[str, object], name: str, default: int, most: int) -> int:
    value = values.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not min(1, default) <= value <= most:
        raise ValueError(f"{name} must be a whole number from 1 to {most:,}")
    return value


def _texts(values: Mapping[str, object], name: str) -> tuple[str, ...]:
    found = values.get(name, [])
    if not isinstance(found, list) or len(found) > _MOST:
        raise ValueError(f"{name} must be a list of at most {_MOST} texts")
    texts = tuple(one for one in found if isinstance(one, str) and one and "\0" not in one)
    if len(texts) < len(found) or len(set(texts)) < len(texts):
        raise ValueError(f"{name} must be a list of texts, each of them once")
    return texts
