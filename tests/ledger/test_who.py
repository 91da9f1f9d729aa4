"""Whose an event is, by whatever spelling it is asked for, and what it names; whichever database answers."""

from __future__ import annotations

import pytest
from eventsourcing.persistence import StoredEvent
from sqlalchemy import Engine

from tests.kit.stores import START
from tradex_ledger.domain.person import person
from tradex_ledger.ledger.ask import About, newest_first
from tradex_ledger.ledger.entry import canonical, parse
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.select import open_store

# Composed and not, wide letters, letters that nobody sees, a sign that folds to a letter, blanks of all kinds, and what
# is special in a pattern or in JSON.
NAMES = (
    *(
        "María",
        "Mari\u0301a",
        "MARÍA",
        "Ｍaría",
        "maria",
        "Maria",
        "Ｍａｒｉａ",
        "Ma\u200bria",
        "\u212aarl",
        "karl",
        "KARL",
    ),
    *(
        "maria luz",
        "Maria  Luz",
        "Maria\u00a0Luz",
        "Maria\u3000Luz",
        "maria luz 2",
        "Straße",
        "STRASSE",
        "Kim 100%",
        "Kim 1000",
    ),
    *("a_b", "axb", 'Pat "P" O\'Neil', "pat\\x", "patx", "by", "bot:feed", "x"),
)


@pytest.fixture(scope="module")
def states() -> list[bytes]:
    """Each name as the actor of an event, and the names of others in what the event says."""
    return [
        canonical({"by": name, "data": {"reason": f'"by":"Maria" asked {n} times'}, "v": 1})
        for n, name in enumerate(NAMES)
    ]


@pytest.mark.parametrize("asked", NAMES)
def test_no_spelling_of_a_name_is_left_out(engine: Engine, url: str, states: list[bytes], asked: str) -> None:
    recorder = Recorder(engine, lambda: START)
    recorder.insert_events([StoredEvent("bf-1", n, "backfill.requested", state) for n, state in enumerate(states, 1)])
    found = {parse(told.entry).by for told in newest_first(open_store(url), about=About(by=person(asked)))}
    assert found >= {name for name in NAMES if person(name) == person(asked)}
    others = {name for name in found if name.isascii() and person(name) != person(asked)}
    assert others <= ({"maria luz 2"} if person(asked) == "maria luz" else set()), "who is read needs not be compared"


RUN = "bf-1m8j7ecb09wvw"
NAMING = (
    {"run": RUN},
    {"earlier_run": RUN, "dataset": "gold"},
    {"allow_overlap": ["bf-1m8j7e9pdfxpz", RUN], "dataset": "gold"},
    {"files": [{"run": RUN}], "reason": "gold"},
    {"datasets": ["bronze", "gold"], "reason": "reverted since gold was wrong"},
    {"datasets": ["gold"], "reason": 'said "datasets":["silver"],"reason":"'},
    {"datasets": ["goldish"], "reason": f'of "gold" and "{RUN}"'},
    {"datasets": [{"dataset": "gold", "rows": 1}]},
    {"datasets": [{"dataset": "silver", "rows": 1}], "reason": "gold"},
)


def test_what_names_a_run_or_a_dataset_in_whatever_place_is_found(engine: Engine, url: str):
    recorder = Recorder(engine, lambda: START)
    states = [canonical({"by": "ana", "data": data, "v": 1}) for data in NAMING]
    recorder.insert_events([StoredEvent("x", n, "backfill.requested", state) for n, state in enumerate(states, 1)])
    store = open_store(url)

    def found(about: About) -> list[int]:
        return sorted(told.position for told in newest_first(store, about=about))

    assert found(About(stream=RUN)) == [1, 2, 3, 4]
    assert found(About(dataset="gold")) == [2, 3, 5, 6, 8]
    assert found(About(dataset="silver")) == [9]
    assert found(About(dataset="reason")) == found(About(dataset="stream")) == []
