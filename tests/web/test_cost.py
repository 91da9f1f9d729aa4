"""What a page costs follows from what it asks about: of a history three times as long, no more is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.kept import make_small
from tests.kit.visits import Visit
from tradex_ledger.domain.day import Day
from tradex_ledger.views import view
from tradex_ledger.web.at import at_of

EVENTS = 64


def grown(folder: Path, generations: int) -> None:
    """So many generations more of events, none of which is of a day that is shown, and a few behind the last."""
    with small.reopen(folder) as workspace:
        dataset, policy = workspace.datasets.get("gold_metrics"), workspace.core.policy
        until = (workspace.ledger.position() // EVENTS + generations) * EVENTS + 8
        for number in range((until - workspace.ledger.position()) // 2):
            day = Day(small.day(1).toordinal() - number - 400)
            dataset.protect(day, day, reason="a legal hold, LEG-7", by="ana", policy=policy)
            dataset.unprotect(day, day, reason="it is over, LEG-7", by="ana", policy=policy)
        workspace.ledger.append(dataset)


def read_for_today(folder: Path, patch: pytest.MonkeyPatch) -> tuple[set[str], int]:
    """The projections that are worked out for a first look at Today, and how many events are at hand for it."""
    views: list[view.View] = []
    begin = view.View.__init__

    def begun(self: view.View, *given: object, **named: object) -> None:
        begin(self, *given, **named)  # type: ignore[arg-type]  # whatever it takes
        views.append(self)

    visit = Visit.to(folder)
    visit.text("/")  # what is due is kept
    visit.close()
    visit = Visit.to(folder)
    with patch.context() as patched:
        patched.setattr(view.View, "__init__", begun)
        visit.text("/")
        at = at_of(visit.site.store, None)
        with visit.site.lenses._lens(at.as_of) as lens:
            reader = lens.reader
        assert reader is not None
        # Of protections all are asked for: each may be of a day that is shown.
        counted = "select count(*) from events where topic not like 'dataset.partitions_%protected'"
        ((held,),) = reader.connection.execute(counted).fetchall()
    visit.close()
    return set().union(*(one.present for one in views)), held


def test_today_reads_what_is_shown_and_not_all_of_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make_small(monkeypatch, EVENTS)
    folder = worlds.copied(tmp_path)
    grown(folder, 1)
    projections, events = read_for_today(folder, monkeypatch)
    grown(folder, 6)
    again, more = read_for_today(folder, monkeypatch)
    assert again == projections
    assert more <= events + 2
    assert "partition_history" not in projections  # which is all of history
