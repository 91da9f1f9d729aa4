"""What is known of engines under the logic versions of a dataset: each is judged once. No I/O here."""

from __future__ import annotations

from typing import Any

from tradex_ledger.domain import dataset_events as events
from tradex_ledger.domain.base import Aggregate
from tradex_ledger.domain.dataset_errors import BumpedMeanwhileError, EngineNotRefusedError
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reason import check_reason


class EngineVerdicts(Aggregate):
    """The part of a dataset that remembers which engines give its rows."""

    EngineChecked = events.EngineChecked
    EngineAccepted = events.EngineAccepted

    def __init__(self) -> None:
        self.name: str = ""
        self.logic_version: int = 0
        self.engines: dict[str, dict[str, Any]] = {}

    def engine_verdict(self, engine: str) -> str | None:
        """What is known of an engine under the current logic version; None as long as nothing is."""
        known = self.engines.get(f"{self.logic_version} {engine}")
        return str(known["verdict"]) if known else None

    def engine_differences(self, engine: str) -> list[dict[str, Any]]:
        """In which rows an engine differed from what other engines had built under the current logic version."""
        known = self.engines.get(f"{self.logic_version} {engine}")
        return list(known["differences"]) if known else []

    def record_engine_check(self, engine: str, *, logic_version: int, by: str, **found: Any) -> None:
        """Remember what a sample told of an engine, once. Raises `BumpedMeanwhileError`."""
        if logic_version != self.logic_version:
            raise BumpedMeanwhileError(self.name, logic_version, self.logic_version)
        known = self.engine_verdict(engine)
        if known is None or (known == events.NONE_ELIGIBLE and found["verdict"] != known):
            self.trigger_event(self.EngineChecked, engine=engine, logic_version=logic_version, **found, by=by)

    def accept_engine(self, engine: str, *, reason: str, by: str, policy: Policy) -> None:
        """Let an engine that gives other rows go on. Raises: `NotAllowedError`, `EngineNotRefusedError`."""
        policy.check_may("accept_engine", by)
        known = self.engine_verdict(engine)
        if known != events.DIFFERENT:
            raise EngineNotRefusedError(self.name, self.logic_version, engine, known)
        facts = {"engine": engine, "logic_version": self.logic_version, "reason": check_reason(reason)}
        self.trigger_event(self.EngineAccepted, **facts, by=by)
