"""`schema/lifecycle.csv` is the one table of a run's life: every event assigns the status that stands there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_origin, get_type_hints

import duckdb
import pytest

from tests.kit.facts import planned, rebuilt, requested, started
from tests.kit.given import replay
from tradex_ledger import resources
from tradex_ledger.domain.base import ENVELOPE, EVENTS, UNSAVED, CreatedEvent, Event
from tradex_ledger.domain.life import ACTIVE, DRIVABLE, ENDED
from tradex_ledger.ledger.application import KINDS
from tradex_ledger.lifecycle import COLUMNS, Step, as_values, statuses, steps

LIFE = {step.topic: step for step in steps()}
OF_RUNS = sorted(topic for topic in EVENTS if topic.startswith(("backfill.", "incremental_run.", "run.")))
UNTOUCHED = "as it was"


def some_value(kind: Any) -> Any:
    """A value of the type of an event's fact."""
    plain = {str: "2024-01-03", int: 1, bool: True, list: [], dict: {}}
    return plain.get(get_origin(kind) or kind)


def played(kind: type[Event], run: Any) -> str:
    """The status of a run after an event of that kind."""
    event: Any = kind.__new__(kind)
    facts = {name: some_value(k) for name, k in get_type_hints(kind).items() if name not in ENVELOPE}
    for known in (rebuilt("2024-01-03"), planned()):  # of some, no value at all is as good as another
        facts |= known.data if known.kind is kind else {}
    vars(event).update(facts, by="ana", timestamp=UNSAVED, originator_version=2, originator_id=run.id)
    run.status = UNTOUCHED
    event.apply(run)
    return str(run.status)


@pytest.mark.parametrize("topic", OF_RUNS)
def test_every_event_of_a_run_assigns_the_status_that_the_table_says_and_no_other_assigns_one(topic: str):
    run = replay("run-1", (started(),)) if topic.startswith("incremental_run.") else replay("bf-1", (requested(),))
    status = run.status if issubclass(EVENTS[topic], CreatedEvent) else played(EVENTS[topic], run)
    assert status == (LIFE[topic].status if topic in LIFE else UNTOUCHED)


def test_the_table_has_no_topic_that_there_is_not_and_none_twice():
    assert set(LIFE) <= set(OF_RUNS)
    assert len(LIFE) == len(steps())


OF_STATUS: dict[str, Callable[[Step], bool]] = {
    "is_end": lambda step: step.is_end,
    "is_active": lambda step: step.is_active,
    "is_drivable": lambda step: step.is_drivable,
}


def statuses_that(flag: str) -> set[str]:
    return {step.status for step in steps() if OF_STATUS[flag](step)}


@pytest.mark.parametrize("flag", OF_STATUS)
def test_what_a_status_means_does_not_depend_on_the_event_that_led_to_it(flag: str):
    assert not statuses_that(flag) & {step.status for step in steps() if not OF_STATUS[flag](step)}


def test_the_sets_of_the_domain_are_those_of_the_table():
    assert set(ENDED) == statuses_that("is_end")
    assert set(ACTIVE) == statuses_that("is_active")
    assert set(DRIVABLE) == statuses_that("is_drivable")
    assert set(statuses()) == {*ACTIVE, *ENDED}


def test_sql_has_the_very_table():
    file = resources.read_text("schema", "lifecycle.csv").splitlines()
    assert COLUMNS.split(", ") == file[0].split(",")
    with duckdb.connect() as connection:
        found = connection.execute(f"select * from ({as_values()}) t({COLUMNS})").fetchall()
    assert found == [tuple(step) for step in steps()]
    assert len(file) == len(steps()) + 1


def test_the_names_of_the_schemas_are_those_of_the_topics_whole():
    assert KINDS  # whoever has these knows all events
    ours = {topic for topic, event in EVENTS.items() if event.__module__.startswith("tradex_ledger.")}
    assert set(resources.event_topics()) == ours
