"""What is known of engines under the logic versions of a dataset: each is judged once. No I/O here."""

from __future__ import annotations

from tradex_ledger.domain import dataset_events as events
from tradex_ledger.domain.base import Aggregate
from tradex_ledger.domain.dataset_errors import BumpedMeanwhileError, EngineNotRefusedError
from tradex_ledger.domain.differences import EngineCheck, EngineVerdict, PlacedDifference
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reason import check_reason


class EngineVerdicts(Aggregate):
    """The part of a dataset that remembers which engines give its rows."""

    EngineChecked = events.EngineChecked
    EngineAccepted = events.EngineAccepted

    def __init__(self) -> None:
        self.name: str = ""
        self.logic_version: int = 0
        self.engines: dict[str, EngineVerdict] = {}

    def engine_verdict(self, engine: str) -> str | None:
        """What is known of an engine under the current logic version; None as long as nothing is."""
        known = self.engines.get(f"{self.logic_version} {engine}")
        return known.verdict if known else None

    def engine_differences(self, engine: str) -> tuple[PlacedDifference, ...]:
        """In which rows an engine differed from what other engines had built under the current logic version."""
        known = self.engines.get(f"{self.logic_version} {engine}")
        return known.differences if known else ()

    def record_engine_check(self, engine: str, check: EngineCheck, *, by: str) -> None:
        """Remember what a sample told of an engine, once. Raises `BumpedMeanwhileError`."""
        if check.logic_version != self.logic_version:
            raise BumpedMeanwhileError(self.name, check.logic_version, self.logic_version)
        known = self.engine_verdict(engine)
        if known is None or (known == events.NONE_ELIGIBLE and check.found.verdict != known):
            self.trigger_event(self.EngineChecked, engine=engine, **check.to_event(), by=by)

    def accept_engine(self, engine: str, *, reason: str, by: str, policy: Policy) -> None:
        """Let an engine that gives other rows go on. Raises: `NotAllowedError`, `EngineNotRefusedError`."""
        policy.check_may("accept_engine", by)
        known = self.engine_verdict(engine)
        if known != events.DIFFERENT:
            raise EngineNotRefusedError(self.name, self.logic_version, engine, known)
        facts = {"engine": engine, "logic_version": self.logic_version, "reason": check_reason(reason)}
        self.trigger_event(self.EngineAccepted, **facts, by=by)
