"""How the effects of a plan look: what readers will get otherwise, before anything else that is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from tradex_ledger.cli.layouts.plan import state_text
from tradex_ledger.cli.show import Facts, Show

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.effects import Effect, Effects


def effects(show: Show, found: Effects) -> None:
    """What is approved, with what readers would miss in a warning each."""
    show.line("effects on readers, once it is published:")
    state = found.state
    told: Facts = {one.dataset: _text(one) for one in found.by_dataset}
    told["state"] = state and state_text(state, None)
    told["overlaps by permission"] = ", ".join(found.allow_overlap)
    show.facts(told)
    for text in _hidden(found):
        show.warning(text)
    for held in found.protections:
        days = _days(held.first, held.last)
        show.warning(f"{held.dataset} {days} is protected: {held.reason}; nothing is published over it")


def _text(one: Effect) -> str:
    before, after = one.version_before, one.version_after
    version = f"version {before} -> {after}" if before is not None and before != after else f"version {after}"
    new = f", {one.new_days} of them new" if one.new_days else ""
    return f"{version}, {_count(one.days)} built anew{new}: {_days(one.first, one.last)}"


def _hidden(found: Effects) -> Iterator[str]:
    for one in found.by_dataset:
        if one.hidden_first and one.hidden_last:
            days = _days(one.hidden_first, one.hidden_last)
            told = f"{_count(one.hidden_days)} of {one.dataset} would be hidden ({days})"
            yield f"{told}: there under version {one.version_before} only"


def _count(days: int) -> str:
    return f"{days} day{'s' if days != 1 else ''}"


def _days(first: date, last: date) -> str:
    return f"{first}" if first == last else f"{first} to {last}"
