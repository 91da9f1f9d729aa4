"""Erasures are judged by what came before, also where that is not gone through again (`--since`)."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tradex_ledger.ledger.entry import Entry, canonical
from tradex_ledger.sealing.approvals import ERASURE
from tradex_ledger.verifying.earlier import Earlier
from tradex_ledger.verifying.erasures import PLANNED, Erasures

STREAM, DIGEST = "dataset-bronze", "a" * 64


def entry(topic: str, by: str, **data: Any) -> Entry:
    return Entry("2024-01-31T00:00:00.000000Z", by, data, "0123456789abcdef", 1, STREAM, topic, 1, 1)


PLAN = entry(PLANNED, "ana", digest=DIGEST)
APPROVAL = entry(ERASURE, "maria", plan_digest=DIGEST, planned_by="ana")
DONE = entry("dataset.files_erased", "maria", of="bronze", digest=DIGEST)


class Past:
    """What there was before, of one stream."""

    def __init__(self, *told: Entry) -> None:
        self._told = [canonical(one._asdict()).decode() for one in told]

    def of(self, stream: str) -> list[str]:
        return self._told if stream == STREAM else []


@pytest.mark.parametrize("told_before", [0, 1, 2])
def test_what_was_planned_and_approved_before_counts(told_before: int):
    events = [PLAN, APPROVAL, DONE]
    erasures = Erasures(cast("Earlier", Past(*events[:told_before])))
    assert [why for one in events[told_before:] for why in erasures.judged(one, demands=True)] == []


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ((PLAN,), DONE, "did not approve it"),
        ((PLAN, APPROVAL), DONE._replace(by="ben"), "did not approve it"),
        ((), APPROVAL, "does not have"),
        ((PLAN._replace(by="ben"),), APPROVAL, "does not have"),
        ((entry(PLANNED, "ana", digest="b" * 64),), APPROVAL, "does not have"),
    ],
)
def test_what_was_not_is_told(before: tuple[Entry, ...], now: Entry, said: str):
    found = [*Erasures(cast("Earlier", Past(*before))).judged(now, demands=True)]
    assert len(found) == 1 and said in found[0]
    if now.topic != ERASURE:
        assert [*Erasures(cast("Earlier", Past(*before))).judged(now, demands=False)] == []
