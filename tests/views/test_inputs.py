"""What builds were made of is the same over what is kept, whatever is kept, as from all events; and costs no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import worlds
from tests.golden import record
from tests.kit.kept import make_small
from tradex_ledger.audit.origins import origins
from tradex_ledger.audit.reader import Reader
from tradex_ledger.ledger.select import Store, open_store
from tradex_ledger.relations.asked import inputs_of
from tradex_ledger.relations.data import PARTITION_HISTORY, PartitionInput
from tradex_ledger.resources import read_text
from tradex_ledger.views import AsOf, open_view, open_views, projected

GOLDEN = Path(record.__file__).parent


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A ledger with every kind of event."""

    def load(folder: Path) -> None:
        lines = (GOLDEN / "ledger_v3.jsonl").read_text(encoding="utf-8").splitlines()
        (folder / "ws").mkdir()
        engine, _ = record.load(lines, f"sqlite:///{folder / 'ws' / 'ledger.db'}")
        engine.dispose()

    folder = worlds.copy("golden-3", load, tmp_path_factory.mktemp("inputs"))
    return open_store(f"sqlite:///{folder / 'ledger.db'}", folder)


def whole(store: Store, asked: list[tuple[int, int]], upto: int) -> list[PartitionInput]:
    with open_view(store, upto, None).connection as connection:
        return inputs_of(connection, asked)


@pytest.mark.parametrize("events", [16, 64])
def test_over_what_is_kept_the_inputs_are_those_of_a_fold_from_zero(
    rules: Store, monkeypatch: pytest.MonkeyPatch, events: int
):
    newest = rules.position()
    with open_view(rules, newest, None).connection as connection:
        built = PARTITION_HISTORY.read(connection, "outcome <> 'appended' order by position")
    assert len(built) >= 50
    for upto in (newest, newest * 2 // 3):
        some = [row for row in built if row.position <= upto]
        asked = [(row.position, base) for row in some for base in (row.base, upto) if base is not None]
        expected = whole(rules, asked, upto)
        assert expected
        make_small(monkeypatch, events)
        with open_views(rules, AsOf(upto, None)) as connection:
            assert inputs_of(connection, asked) == expected
            few = asked[-2:]
            assert inputs_of(connection, few) == [row for row in expected if (row.position, row.base) in few]
        monkeypatch.undo()


def test_every_digest_on_record_is_that_of_the_inputs_that_are_worked_out(rules: Store):
    reader = Reader(rules)
    built = reader.read(PARTITION_HISTORY, "outcome <> 'appended'")
    found = origins(reader, [row.position for row in built])
    assert [build.position for build in found.builds if not build.is_proven] == []
    assert any(build.moved for build in found.builds)
    assert {row.state for row in built} >= {"published", "reverted"}


def test_it_has_the_columns_that_are_on_record(rules: Store):
    contract = read_text("schema", "projections", "asked", "partition_inputs.json")
    assert '"name": "partition_inputs"' in contract
    with open_views(rules, AsOf(rules.position(), None)) as connection:
        inputs_of(connection, [(1, 1)])
        found = connection.execute("describe from inputs_0.partition_inputs").fetchall()
    columns = ", ".join(f'"{name}" {kind}' for name, kind, *_ in found)
    assert columns == projected.columns("asked/partition_inputs")
