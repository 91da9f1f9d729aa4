"""Every deed has a right, and next to nothing of an id decides nothing."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import signing, small
from tradex_ledger.cli.main import run
from tradex_ledger.domain.approver_keys import ApproverKeys
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.dataset import Dataset
from tradex_ledger.domain.dataset_errors import LogicChangedError
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.policy import NotAllowedError, deeds
from tradex_ledger.domain.quarantine import Quarantine
from tradex_ledger.ledger.named import SHORTEST_ID, NoSuchStreamError, ShortIdError
from tradex_ledger.workspace import Workspace

Tradex = Callable[..., tuple[int, str, str]]
WHY = ("--reason", "asked for by the desk, INC-4211")
DAYS = ("--from", "2024-01-02", "--to", "2024-01-03")
TEMPORAL = ("backfill", "request", "temporal", "gold_signals", *DAYS, "--no-override-state", *WHY)
DEEDS: list[tuple[str, tuple[str, ...]]] = [
    ("request", TEMPORAL),
    ("approve", ("backfill", "approve", "{id}")),
    ("approve", ("backfill", "reject", "{id}", *WHY)),
    ("cancel", ("backfill", "cancel", "{id}", *WHY)),
    ("pause", ("backfill", "pause", "{approved}", *WHY)),
    ("resume", ("backfill", "resume", "{paused}")),
    ("run", ("backfill", "run", "{approved}")),
    ("run", ("run",)),
    ("run", ("run", "--to", "2024-01-05")),
    ("work", ("worker", "--once")),
    ("bump", ("dataset", "bump", "gold_signals", *WHY)),
    ("bump", ("dataset", "bump", "--changed", *WHY)),
    ("deprecate", ("dataset", "deprecate", "gold_signals", "1", *WHY)),
    ("restore", ("dataset", "restore", "gold_metrics", "1", *WHY)),
    ("protect", ("dataset", "protect", "gold_signals", *DAYS, *WHY)),
    ("protect", ("dataset", "unprotect", "gold_baselines", *DAYS, *WHY)),
    ("prune", ("lake", "prune", "gold_signals", *WHY)),
    ("prune", ("lake", "prune", "gold_signals", "--approve", "0" * 64)),
    ("deliver", ("alerts", "--deliver")),
    ("deliver", ("alerts", "ack", "{id}", *WHY)),
    ("deliver", ("feed", "send")),
    ("deliver", ("feed", "send", "--follow")),
    ("declare_lost", ("lake", "lost", "gold_signals", *WHY)),
    ("declare_lost", ("lake", "lost", "gold_signals", "--approve", "0" * 64)),
    ("retract", ("retract", "1729700000000000000", *WHY)),
    ("retract", ("bronze", "quarantine", "1729700000000000000", *WHY)),
    ("retract", ("bronze", "quarantine", "--batch", "{done}", *WHY)),
    ("retract", ("bronze", "release", "quar-1m83q4h2zk7c0", *WHY)),
    ("gc", ("lake", "gc", "--delete", *WHY)),
    ("revert", ("backfill", "revert", "{done}", *WHY)),
    ("set_policy", ("policy", "set", *WHY)),
    ("set_policy", ("policy", "approve", "0" * 12)),
    ("set_policy", ("policy", "reject", "0" * 12, *WHY)),
    ("set_keys", ("policy", "key", "add", "eve", "{key}", *WHY)),
    ("set_keys", ("policy", "key", "revoke", "ana", *WHY)),
]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A workspace with a backfill in each state that a deed is for, and changed logic."""
    root = tmp_path_factory.mktemp("rights")
    small.deliver(root / "posts", days=5)
    shutil.copytree(Path(inspect.getfile(Workspace)).parents[1] / "pipelines" / "x", root / "ws" / "pipeline")
    with small.create(root / "ws", f"files:{root / 'posts'}", pipeline="pipeline") as made:
        made.incremental.run(last=small.day(4))
        ids = {"done": small.backfill(made, 1, 1).id, "id": small.request(made, 1, 1)}
        for name in ("approved", "paused"):
            ids[name] = small.request(made, 1, 1, allow_overlap=list(ids.values()))
            made.backfills.approve(ids[name])
        made.backfills.pause(ids["paused"], reason="asked for by the desk, INC-4211")
        made.datasets.deprecate("gold_metrics", 1, reason="asked for by the desk, INC-4211")
        made.datasets.protect("gold_baselines", small.day(2), small.day(3), reason="asked for by the desk, INC-4211")
        small.edit(made, "gold_signals", "z >= 3", "z >= 4")
        signing.put_on_record(made)
        ids["key"] = str(root / "eve.pub")
        (root / "eve.pub").write_text(signing.key_of("eve").line, encoding="utf-8")
    return root / "ws", ids


@pytest.fixture
def folder(week: tuple[Path, dict[str, str]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(week[0], tmp_path / "ws"))


@pytest.fixture
def tradex(folder: Path, capsys: pytest.CaptureFixture[str]) -> Tradex:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(["-C", str(folder), "--as", "eve", *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def position(folder: Path) -> int:
    with Workspace.open(folder, actor="ana", reading=True) as workspace:
        return workspace.ledger.position()


def test_each_right_has_a_deed_that_it_guards():
    elsewhere = {"may_force", "may_accept_engine", "may_erase"}  # tests/upkeep/test_erase.py has the last
    assert {f"may_{right}" for right, _ in DEEDS} | elsewhere == set(deeds())


@pytest.mark.parametrize(("right", "deed"), DEEDS)
def test_who_has_not_the_right_does_not_do_it(
    week: tuple[Path, dict[str, str]], folder: Path, tradex: Tradex, right: str, deed: tuple[str, ...]
):
    small.set_policy(folder, **{f"may_{right}": ["boss", "ana"]})
    small.propose_policy(folder, batch_mb=17)
    before, files = position(folder), sorted((folder / "lake").rglob("*"))
    status, _, error = tradex(*(word.format(**week[1]) for word in deed))
    assert (status, f"eve may not {right}" in error, f"may_{right}" in error) == (3, True, True), error
    assert (position(folder), sorted((folder / "lake").rglob("*"))) == (before, files)


@pytest.mark.parametrize("command", [["lake", "gc"], ["status"], ["lake", "prune", "gold_signals"]])
def test_looking_takes_no_right(folder: Path, tradex: Tradex, command: list[str]):
    small.set_policy(folder, **{name: ["boss", "ana"] for name in deeds()})
    assert tradex(*command)[0] == 0


def test_a_worker_drives_without_the_right_to_run_and_others_do_not(week: tuple[Path, dict[str, str]], folder: Path):
    small.set_policy(folder, may_run=["boss"], may_work=["bot"])
    approved = week[1]["approved"]
    with small.reopen(folder, "bot") as workspace:
        with pytest.raises(NotAllowedError, match="bot may not run"):
            workspace.runs.drive(approved)
        with pytest.raises(LogicChangedError):  # the work is begun; that is another rule
            workspace.runs.work(approved)
    with small.reopen(folder, "boss") as workspace, pytest.raises(NotAllowedError, match="boss may not work"):
        workspace.runs.work(approved)


RULES = [
    *(
        (Backfill, name)
        for name in ("submit", "approve", "approve_by_rule", "release", "reject", "pause", "resume", "cancel", "revert")
    ),
    *(
        (Dataset, name)
        for name in ("version_logic", "deprecate", "restore", "protect", "unprotect", "plan_prune", "prune")
    ),
    (Dataset, "accept_engine"),
    *((Quarantine, name) for name in ("tell", "release")),
    *((ApproverKeys, name) for name in ("add", "approve", "reject", "revoke")),
    *((IncrementalRun, name) for name in ("start", "cancel", "release")),
]


@pytest.mark.parametrize(("kind", "name"), RULES)
def test_who_forgets_the_policy_has_not_allowed_everybody(kind: Any, name: str):
    policy = inspect.signature(getattr(kind, name)).parameters["policy"]
    assert (policy.default, policy.annotation) == (inspect.Parameter.empty, "Policy")


# -- ids


BY_ID = [deed for _, deed in DEEDS if any("{" in word and word != "{key}" for word in deed)] + [
    ("backfill", "release", "{id}", *WHY),
    (*TEMPORAL, "--allow-overlap", "{id}"),
]


LOOKS = [
    ("backfill", "show", "{id}"),
    ("audit", "history", "{id}"),
    ("audit", "diff", "--candidate", "{id}"),
    ("query", "--candidate", "{id}", "select 1"),
]


@pytest.mark.parametrize("deed", [*BY_ID, *LOOKS])
@pytest.mark.parametrize("given", ["", "b", "bf", "bf-", "r", "run-", "bf-{0}", "bf-{1}", "bf-{2}", "{2}", "run-{2}"])
def test_next_to_nothing_of_an_id_decides_nothing(
    week: tuple[Path, dict[str, str]], folder: Path, tradex: Tradex, deed: tuple[str, ...], given: str
):
    own = week[1]["id"].removeprefix("bf-")
    prefix = given.format(*(own[:n] for n in range(SHORTEST_ID)))
    before = position(folder)
    status, _, error = tradex(*(prefix if word.startswith("{") else word for word in deed))
    assert (status, "too short" in error, "at least 4 characters" in error) == (2, True, True), error
    assert position(folder) == before


@pytest.mark.parametrize("protection", ["", "l", "leg"])
def test_next_to_nothing_of_a_reason_lifts_no_protection(folder: Path, tradex: Tradex, protection: str):
    days = ["gold_metrics", "--from", "2024-01-02", "--to", "2024-01-03"]
    assert tradex("dataset", "protect", *days, "--reason", "legal hold, case 7")[0] == 0
    lift = ["dataset", "unprotect", *days, "--reason", "case 7 is closed", "--protection"]
    status, _, error = tradex(*lift, protection)
    assert (status, "4 characters or more" in error, repr(protection) in error) == (3, True, True), error
    assert tradex(*lift, "lega")[0] == 0


def test_what_was_given_is_repeated_in_part_only(folder: Path, tradex: Tradex):
    for more in ([], ["--json"]):
        status, said, error = tradex("backfill", "show", "bf-" + "1" * 100_000, *more)
        assert status == 4
        assert len(said) + len(error) < 15_000 and "characters)" in error


def test_the_only_backfill_there_is_is_not_approved_by_an_empty_id(tmp_path: Path):
    with small.reopen(worlds.copied(tmp_path, days=3, until=3)) as made:
        only = small.request(made, 1, 1)
        for given in ("", "b", "bf-", only[:6]):
            with pytest.raises(ShortIdError) as caught:
                made.backfills.approve(given)
            assert caught.value.code == "short-id"
        for given in ("", "bf-", "run-"):
            with pytest.raises(ShortIdError):
                made.ledger.find_run(given)  # not even to look at
        assert made.ledger.find_run(only[: 3 + SHORTEST_ID]) == only
        with pytest.raises(NoSuchStreamError):
            made.backfills.approve("bf-zzzz")
        assert made.backfills.approve(only[3 : 3 + SHORTEST_ID]).id == only
