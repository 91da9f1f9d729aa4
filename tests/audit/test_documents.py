"""Documents: rows are what the contracts of the projections say, and each has one form as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from tradex_ledger.audit.documents.form import BARE, HIDDEN, IF_ANY, SPREAD, to_json
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.plan import Window
from tradex_ledger.relations import data, days, runs
from tradex_ledger.relations.relation import Relation
from tradex_ledger.resources import read_text

RELATIONS = [one for module in (data, days, runs) for one in vars(module).values() if isinstance(one, Relation)]


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
def test_a_row_has_the_columns_of_its_contract_in_their_order(relation: Relation[NamedTuple]) -> None:
    contract = json.loads(read_text("schema", "projections", f"{relation.name}.json"))
    assert list(relation.row._fields) == [column["name"] for column in contract["columns"]]


class Row(NamedTuple):
    run_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Document:
    kind: str
    row: Row = field(metadata=SPREAD)
    nothing: Row | None = field(metadata=SPREAD)
    window: Window
    pairs: list[tuple[int, int]]
    rows: list[tuple[int, ...]] = field(metadata=BARE)
    warnings: list[str] = field(metadata=IF_ANY)
    only_shown: int = field(metadata=HIDDEN)


def test_a_document_is_its_fields_in_their_order() -> None:
    window = Window("gold_metrics", "gold", 2, day_of("2024-01-01"), day_of("2024-01-02"))
    found = to_json(Document("temporal", Row("bf-1", "temporal"), None, window, [(1, 2)], [(1,)], [], 7))
    assert list(found) == ["kind", "run_id", "window", "pairs", "rows"]
    assert found["window"] == window.to_event()
    assert found["pairs"] == [[1, 2]]
    assert found["rows"] == [(1,)]
    assert to_json({"said": [Row("bf-1", "forced")]}) == {"said": [{"run_id": "bf-1", "kind": "forced"}]}
