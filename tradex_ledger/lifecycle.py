"""The life of a run, as `schema/lifecycle.csv` has it: which event leads to which status, and what that means.

The one table of it. The projections join it by its name, `lifecycle`; `domain/life.py` is held against it by a test.
"""

from __future__ import annotations

import csv
from functools import cache
from typing import NamedTuple

from tradex_ledger import resources


class Step(NamedTuple):
    """What an event of a topic makes of a run. All but the last two follow from the status alone.

    `is_end`: nobody drives it any more. `is_active`: it may still publish. `is_drivable`: a driver may take it up.
    `for_worker`: a worker does so by itself. `closes`: the run, or an attempt at it, ended then. `gives_up`: what it
    built and did not publish never will be.
    """

    topic: str
    status: str
    is_end: bool
    is_active: bool
    is_drivable: bool
    for_worker: bool
    closes: bool
    gives_up: bool


@cache
def steps() -> tuple[Step, ...]:
    """All steps, in the order of a life."""
    lines = csv.reader(resources.read_text("schema", "lifecycle.csv").splitlines()[1:])
    return tuple(Step(topic, status, *(flag == "true" for flag in flags)) for topic, status, *flags in lines)


@cache
def statuses() -> tuple[str, ...]:
    """Each status that somebody can meet, once, in the order of a life: a request is planned in the save that makes
    it."""
    return tuple(dict.fromkeys(step.status for step in steps() if step.is_active or step.is_end))


COLUMNS = "topic, status, is_end, is_active, is_drivable, for_worker, closes, gives_up"


@cache
def as_values() -> str:
    """The table as a `values` list of SQL, its columns in the order of the file."""
    return "values " + ", ".join(
        f"('{step.topic}', '{step.status}', {step.is_end}, {step.is_active}, {step.is_drivable}, {step.for_worker}, "
        f"{step.closes}, {step.gives_up})"
        for step in steps()
    )
