"""Where sources deliver to: named, or the one that is left; and the same places in an event's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradex_ledger.domain.spending import Prices
from tradex_ledger.errors import UsageError
from tradex_ledger.sources.called import Called
from tradex_ledger.sources.places import NoPlaceError, Places, are_meant, chosen, described, names_in, open_place
from tradex_ledger.sources.registry import READERS, noun_of


def test_a_source_without_a_place_of_its_own_has_the_one_that_is_left(tmp_path: Path):
    places = Places({"trades": "files:t"}, "files:rest", tmp_path).open(["trades", "rates"])
    assert [place.describe() for place in places.values()] == ["files:t", "files:rest"]
    assert Places({}, "files:rest", tmp_path).open(["x"])["x"].describe() == "files:rest"


@pytest.mark.parametrize(
    ("named", "default", "lacks"),
    [({}, None, "trades"), ({"trades": "files:t"}, None, "rates"), ({}, "files:r", "trades")],
)
def test_a_place_that_nobody_names_is_asked_for(named: dict[str, str], default: str | None, lacks: str):
    with pytest.raises(NoPlaceError) as error:
        Places(named, default).open(["trades", "rates"])
    assert f"[sources.{lacks}]" in error.value.mend


def test_places_are_given_with_a_name_or_without_one(tmp_path: Path):
    assert chosen(["files:a=b"], tmp_path) == Places({}, "files:a=b", tmp_path)
    assert chosen(["t=files:a", "r=files:b"], tmp_path) == Places({"t": "files:a", "r": "files:b"}, None, tmp_path)
    for twice in (["files:a", "files:b"], ["t=files:a", "t=files:b"]):
        with pytest.raises(UsageError):
            chosen(twice, tmp_path)


def test_what_an_event_says_of_places_means_them_however_it_is_written(tmp_path: Path):
    one = Places({}, "files:p", tmp_path).open(["x"])
    assert described(one, ["x"]) == "files:p"
    assert are_meant(one, ["x"], f"files:{tmp_path / 'p'}")
    assert not are_meant(one, ["x"], "files:q")
    several = Places({"t": "files:a, b", "r": "files:c"}, None, tmp_path).open(["t", "r"])
    text = described(several, ["t", "r"])
    assert (text, names_in(text)) == ("t=files:a, b, r=files:c", ("t", "r"))
    assert are_meant(several, ["t", "r"], text)
    assert are_meant(several, ["r"], described(several, ["r"]))
    assert not are_meant(several, ["t"], text)
    assert names_in("files:p") == ()


def test_what_rows_are_called_is_said_without_a_reader_as_the_reader_says_it() -> None:
    assert {name: noun_of(name) for name in READERS} == {name: make().noun for name, make in READERS.items()}
    assert noun_of("nobody_has_it") == noun_of(None) == "row"


@pytest.mark.parametrize("query", [" ", "a\nb", "a\tb", "x" * 4_097])
def test_a_query_is_one_line_and_not_endless(query: str, tmp_path: Path):
    with pytest.raises(UsageError, match="needs a query in one line"):
        open_place(f"x-api:{query}", tmp_path)


def test_only_what_is_called_has_prices(tmp_path: Path):
    with pytest.raises(UsageError, match="takes no money"):
        Places({"t": "files:t"}, None, tmp_path, {"t": Prices(1, 1)}).open(["t"])
    (called,) = Places({}, "x-api:q", tmp_path, {"": Prices(1, 2)}).open(["x"]).values()
    assert isinstance(called, Called)
    assert called.prices == Prices(1, 2)
