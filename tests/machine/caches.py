"""What befalls the caches between two commands, and whether every answer is still that of a fold from zero."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from hypothesis import strategies as st

from tests.kit.kept import HARMS, asked, from_zero
from tests.machine.driver import Lab
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.ledger.select import Store

EVENTS = 32
"""The events of a generation in here: a backfill is some twenty."""
FATES = ("gone", "exchanged", "of others", *(harm.__name__ for harm in HARMS))

# What befalls them, and which of their files.
fates = st.tuples(st.one_of(st.none(), st.sampled_from(FATES)), st.integers(0, 99))


class Caches:
    """The caches of a lab; what lay there once; and, in a folder of all labs, those of a ledger that went on otherwise.

    Every lab begins with the same ledger, so what another one keeps has the right id, user and positions; it lies there
    from the beginning.
    """

    def __init__(self, lab: Lab, others: Path) -> None:
        self.lab, self._others = lab, others
        self._before = lab.folder.parent / "before"
        self._seen = 0
        self.meet("of others", 0)

    def meet(self, fate: str, number: int) -> bool:
        """Have something befall them; False where there is nothing that it could befall."""
        with self.lab.open() as workspace:
            place = workspace.ledger.store.caches.path()
        assert place is not None
        if fate == "gone":
            shutil.rmtree(place, ignore_errors=True)
        elif fate == "exchanged":  # with what lay there when this was done last: older, or newer than what is there
            self._exchange(place)
        elif fate == "of others":
            _lay(self._others, place)
        else:
            return _harm(place, fate, number)
        return True

    def _exchange(self, place: Path) -> None:
        aside = place.with_name("aside")
        for old, new in ((place, aside), (self._before, place), (aside, self._before)):
            if old.exists():
                new.parent.mkdir(exist_ok=True)
                old.rename(new)

    def check(self, entries: list[Entry], *, each_save: bool) -> int:
        """Compare as of now and, if asked, as of every save since the last time; and as of one before."""
        newest, since = len(entries), self._seen
        ends = [e.position for e, then in zip(entries[since:], entries[since + 1 :], strict=False) if e.at != then.at]
        self._seen = newest
        with self.lab.open() as workspace:
            for upto in sorted({*(ends if each_save else ()), newest, Random(newest).randint(1, newest)}):
                same(workspace.ledger.store, upto)
        return len(ends)

    def leave(self) -> None:
        """Leave them to the labs to come."""
        with self.lab.open() as workspace:
            place = workspace.ledger.store.caches.path()
        if place is not None and place.exists():
            shutil.rmtree(self._others, ignore_errors=True)
            _lay(place, self._others)


def same(store: Store, upto: int) -> None:
    """Raise AssertionError unless every projection over what is kept is that from zero."""
    over, right = asked(store, upto), from_zero(store, upto)
    wrong = {name: (over[name], right[name]) for name in right if over[name] != right[name]}
    told = "\n".join(f"{name}: {found}\n  from zero: {rows}" for name, (found, rows) in wrong.items())
    assert not wrong, f"over what is kept it is otherwise as of {upto} of {store.position()}:\n{told}"


def _harm(place: Path, name: str, number: int) -> bool:
    found = sorted(path for path in place.rglob("*.parquet") if path.is_file() and not path.is_symlink())
    if found:
        harm = next(harm for harm in HARMS if harm.__name__ == name)
        path = found[number % len(found)]
        harm(path, [other for other in found if other.parent == path.parent])
    return bool(found)


def _lay(source: Path, target: Path) -> None:
    """Copy what lies there beside what lies here."""
    for path in source.rglob("*"):
        if path.is_file() and not path.is_symlink():
            to = target / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            if not to.exists():
                shutil.copyfile(path, to)
