"""Time travel: every command that shows takes `--as-of`, answers as then whatever came after, and says where it is."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.commands import paths
from tests.kit.lake_folder import root_of
from tests.kit.showing import DOING, NOW, SHOWING
from tradex_ledger.cli.main import cli, run
from tradex_ledger.ledger.select import open_store
from tradex_ledger.ledger.tree import stored_tree
from tradex_ledger.views import NoSuchPositionError, resolve
from tradex_ledger.workspace import Workspace

CALLS = [(name, call) for name, calls in SHOWING.items() for call in calls]


@dataclass
class Told:
    """A workspace, a position of it, what each call answered then, and a backfill that was planned at it."""

    folder: Path
    position: int
    backfill: str
    answers: dict[tuple[str, ...], tuple[int, Any]]

    def call(self, name: str, call: tuple[str, ...], *more: str) -> list[str]:
        said = [self.backfill if word == "BACKFILL" else word for word in call]
        return ["-C", str(self.folder), *name.split(), *said, *more]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Asked as of a position at once, and then much happens: nothing of it may be seen as of then."""
    folder = tmp_path_factory.mktemp("as-of")
    ws = worlds.copied(folder, pipeline=True, thin=True)
    posts = folder / "posts"
    (posts / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    with small.reopen(ws) as workspace:
        waits = small.request(workspace, 3, 3)
        position = workspace.ledger.position()
    then = Told(ws, position, waits, {})
    with pytest.MonkeyPatch.context() as patch:
        for name, call in CALLS:
            then.answers[(name, *call)] = settled(document(patch, then.call(name, call, "--as-of", str(position))))
    with small.reopen(ws) as workspace:
        workspace.backfills.approve(waits)
        workspace.runs.drive(waits)
        small.edit(workspace, "gold_metrics", "count(*)::bigint as mentions", "(count(*) + 0)::bigint as mentions")
        workspace.datasets.bump("gold_metrics", reason="mentions are counted anew, INC-7")
        small.backfill(workspace, 3, 4, kind="logical", dataset="gold_metrics")
        workspace.datasets.deprecate("gold_metrics", 1, reason="version 2 is what counts, INC-7")
        workspace.datasets.protect("gold_metrics", small.day(1), small.day(1), reason="legal hold, case 7")
        workspace.lake.plan_prune("gold_metrics", reason="version 1 is given up, INC-8")
        small.request(workspace, 4, 5)
        (file,) = root_of(workspace).glob("silver_social_events/event_date=2024-01-07/*.parquet")
        content = file.read_bytes()
        file.unlink()
        workspace.lake.declare_loss("silver_social_events", reason="the disk died, INC-9")
        file.write_bytes(content)
    small.set_policy(ws, window_partitions=3, run_max_source_rows=7)
    return then


def document(patch: pytest.MonkeyPatch, arguments: list[str]) -> tuple[int, Any]:
    """What a call with `--json` answers, and its exit status."""
    import io
    import sys

    out = io.StringIO()
    patch.setattr(sys, "stdout", out)
    status = run([*arguments, "--json"])
    patch.undo()
    return status, json.loads(out.getvalue())


def settled(answer: tuple[int, Any]) -> tuple[int, Any]:
    """An answer without what becomes of it later: whether it is sealed."""
    status, found = answer
    found["as_of"].pop("sealed")
    return status, found | ({"sealing": None} if "sealing" in found else {})


def test_each_command_shows_as_of_then_or_has_a_reason_not_to():
    commands = {path for path, is_group in paths(cli).items() if not is_group}
    assert commands - NOW.keys() == SHOWING.keys() | DOING
    assert not SHOWING.keys() & (DOING | NOW.keys())


@pytest.mark.norm("N40")
@pytest.mark.parametrize(("name", "call"), CALLS, ids=[" ".join((name, *call))[:40] for name, call in CALLS])
def test_as_of_then_it_answers_as_it_did_then(
    told: Told, monkeypatch: pytest.MonkeyPatch, name: str, call: tuple[str, ...]
):
    status, then = told.answers[(name, *call)]
    assert status in (0, 1)
    assert settled(document(monkeypatch, told.call(name, call, "--as-of", str(told.position)))) == (status, then)
    stands = then["as_of"]
    assert stands["position"] == told.position
    store = open_store(f"sqlite:///{told.folder / 'ledger.db'}", told.folder)
    assert stands["ledger"] == store.ledger
    assert stands["root"] == stored_tree(store, told.position).root().hex()


@pytest.mark.parametrize("name", SHOWING)
def test_every_answer_ends_with_where_it_stands(told: Told, capsys: pytest.CaptureFixture[str], name: str):
    call = SHOWING[name][0]
    assert run(told.call(name, call, "--as-of", told.backfill)) in (0, 1)
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if line.startswith("as of position ")]
    assert re.fullmatch(
        r"as of position \d+ \(\S+Z\) of the ledger [0-9a-f]+, root [0-9a-f]{16}…(, (not )?sealed)?", line
    )


def test_what_changes_something_is_not_done_as_of_before(told: Told, capsys: pytest.CaptureFixture[str]):
    for arguments in (
        ("lake prune", ("gold_metrics", "--reason", "no more of it, INC-1")),
        ("lake lost", ("gold_metrics", "--reason", "no more of it, INC-1")),
        ("ledger epoch", ("--approve", "0" * 12)),
        ("ledger copy", ("sqlite:///other.db", "--reason", "no more of it, INC-1")),
    ):
        assert run(told.call(*arguments, "--as-of", "9")) == 2
        assert "--as-of is for looking" in capsys.readouterr().err


def test_the_past_has_other_answers_than_today(told: Told, monkeypatch: pytest.MonkeyPatch):
    """So that the test above means something."""
    other = [
        name
        for name, call in CALLS
        if document(monkeypatch, told.call(name, call))[1] | {"as_of": 0}
        != told.answers[(name, *call)][1] | {"as_of": 0}
    ]
    same = {*SHOWING} - {*other}
    assert same <= {"state show", "state history", "dataset lineage", "engine list", "spending", "ledger epoch",
                    "ledger copy", "alerts", "audit diff", "policy key list", "bronze list"}  # fmt: skip


# -- what can be said for it


def test_a_run_stands_for_its_last_event_and_for_what_was_before_its_first(told: Told):
    with Workspace.open(told.folder, reading=True) as workspace:
        store = workspace.ledger.store
        own = [event.position for event in workspace.events() if event.stream == told.backfill]
    assert [resolve(store, said).position for said in (told.backfill, told.backfill[:-1])] == [own[-1]] * 2
    assert resolve(store, f"{told.backfill}^").position == own[0] - 1
    assert resolve(store, resolve(store, "7")) == resolve(store, "7")
    for wrong in ("bf-zzzzzzzz", "bf-z", "^", "bf-^", "7^", "", " 7", "-1", "٣"):
        with pytest.raises(Exception, match=r"no run|too short|no position|nothing as of") as raised:
            resolve(store, wrong)
        assert type(raised.value).__module__.startswith("tradex_ledger.")
    with pytest.raises(NoSuchPositionError):
        resolve(store, "0")
