"""The policy is on record: a file that anybody may have of their own allows nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything, read_record
from tests.kit.lake import events, projection
from tests.kit.tree import GOLDEN
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE
from tradex_ledger.domain.advice import Advice
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.backfill_errors import ApprovalOutdatedError
from tradex_ledger.domain.by_rule import Beyond
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.policy import NotAllowedError, Policy, text_digest, written
from tradex_ledger.domain.policy_errors import (
    ExpiredProposalError,
    NobodyElseError,
    NoPolicyError,
    NoProposalError,
    OtherPolicyError,
    OwnProposalError,
    PolicyThereError,
    SamePolicyError,
)
from tradex_ledger.domain.policy_record import STREAM, PolicyRecord
from tradex_ledger.domain.policy_text import StrangePolicyError, policy_on_record
from tradex_ledger.domain.request import Request
from tradex_ledger.planning.overlap import active_backfills
from tradex_ledger.workspace import Workspace

Tradex = Callable[..., tuple[int, str, str]]
WHY = "asked for by the desk, INC-4211"
DAYS = ("--from", "2024-01-02", "--to", "2024-01-03")
FORCED = ("backfill", "request", "forced", "gold_signals", *DAYS, "--no-override-state", "--ticket", "INC-1")


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week that has run, with a desk of two that approves."""
    root = tmp_path_factory.mktemp("policy")
    small.deliver(root / "posts", days=9)
    desk = ["boss", "maria"]
    rights: Any = {"may_approve": desk, "may_force": desk, "may_set_policy": desk}
    with small.create(root / "ws", f"files:{root / 'posts'}", **rights) as made:
        made.incremental.run(last=small.day(5))
    return root / "ws"


@pytest.fixture
def folder(week: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(week, tmp_path / "ws"))


@pytest.fixture
def tradex(capsys: pytest.CaptureFixture[str]) -> Tradex:
    def call(folder: Path, actor: str, *arguments: str) -> tuple[int, str, str]:
        status = run(["-C", str(folder), "--as", actor, *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def second(folder: Path, to: Path) -> Path:
    """Settings of somebody's own, without any policy, on the same ledger and lake."""
    to.mkdir()
    text = (folder / FILE).read_text(encoding="utf-8").partition("[policy]")[0]
    for name in ("ledger.db", "lake"):
        text = text.replace(f'"{name}"', json.dumps(str(folder / name)))
    text = text.replace('"sqlite:///ledger.db"', json.dumps(f"sqlite:///{folder / 'ledger.db'}"))
    (to / FILE).write_text(f"{text}[policy]\n", encoding="utf-8")
    return to


def rewrite(folder: Path, **policy: Any) -> None:
    """Just these settings under [policy], proposed."""
    text = (folder / FILE).read_text(encoding="utf-8").partition("[policy]")[0]
    (folder / FILE).write_text(f"{text}[policy]\n", encoding="utf-8")
    small.propose_policy(folder, **policy)


def recorded(folder: Path, actor: str = "ana", **policy: Any) -> None:
    """Just these settings under [policy], and on record."""
    rewrite(folder, **policy)
    with small.reopen(folder, actor) as workspace:
        workspace.policy.set(reason=WHY)


# -- a file of one's own


def test_settings_of_ones_own_on_the_same_ledger_allow_nothing(folder: Path, tmp_path: Path, tradex: Tradex):
    own = second(folder, tmp_path / "own")
    assert tradex(own, "eve", *FORCED, "--reason", WHY)[0] == 3
    with small.reopen(folder, "boss") as boss:
        order: dict[str, Any] = {
            "kind": "forced",
            "dataset": "gold_signals",
            "ticket": "INC-1",
            "override_state": False,
        }
        run_id = boss.backfills.request(Request(**order, first=small.day(2), last=small.day(3), reason=WHY)).id
        before = boss.ledger.position()
    for deed in (
        ("backfill", "approve", run_id),
        ("policy", "set", "--reason", WHY),
        ("policy", "approve", "0" * 12),
    ):
        status, _, error = tradex(own, "eve", *deed)
        assert (status, "eve may not" in error) == (3, True), error
    status, _, error = tradex(own, "eve", "policy", "adopt")
    assert (status, "has a policy on record already" in error) == (3, True)
    with small.reopen(folder) as workspace:
        assert workspace.ledger.position() == before
        assert workspace.ledger.get(Backfill, run_id).status == "PLANNED"


@pytest.mark.parametrize("command", [("status",), ("backfill", "propose", "--no-source"), ("query", "select 1")])
def test_settings_that_differ_from_the_record_are_said(
    folder: Path, tmp_path: Path, tradex: Tradex, command: tuple[str, ...]
):
    assert "has no effect" not in tradex(folder, "ana", *command)[2]
    status, _, error = tradex(second(folder, tmp_path / "own"), "ana", *command)
    assert status == 0
    assert "has no effect: may_approve, may_force, may_set_policy; to record it: tradex policy set" in error


def test_an_init_that_was_broken_off_gives_no_ledger_another_policy(folder: Path, tmp_path: Path):
    own = tmp_path / "own"
    own.mkdir()
    (own / f".{FILE}.new").write_text("", encoding="utf-8")  # what a broken attempt leaves
    ledger = f"sqlite:///{folder / 'ledger.db'}"
    source = f"files:{folder.parent / 'posts'}"
    (folder.parent / "posts").mkdir()
    Workspace.create(own, source=source, ledger=ledger, lake=str(folder / "lake"), actor="eve").close()
    with small.reopen(own, "eve") as workspace:
        assert workspace.core.policy.may_approve == ("boss", "maria")
        with pytest.raises(NotAllowedError):
            workspace.policy.set(reason=WHY)


# -- how it changes


def test_one_person_changes_it_as_long_as_anybody_may_and_two_after_that(folder: Path, tradex: Tradex):
    rewrite(folder, rule_max_partitions=1000)
    before = ("policy", "show", "--json")
    digest = json.loads(tradex(folder, "ana", *before)[1])["digest"]
    assert 'may_approve = ["boss", "maria"]' in tradex(folder, "ana", "policy", "show")[1].splitlines()
    assert 'may_approve\t["boss", "maria"]\t["*"]' in tradex(folder, "ana", "policy", "set", "--dry-run")[1]
    status, out, _ = tradex(folder, "boss", "policy", "set", "--reason", WHY, "--json")
    found = json.loads(out)
    assert (status, found["digest"]) == (0, digest)  # as before: it waits
    assert found["differences"]["rule_max_partitions"] == {"before": 0, "after": 1000}
    with small.reopen(folder, "boss") as boss:
        assert boss.core.policy.rule_max_partitions == 0
        with pytest.raises(SamePolicyError):
            boss.policy.set(reason=WHY)
    for name in ("boss", " Boss", "BOSS", "\uff42oss"):
        status, _, error = tradex(folder, name, "policy", "approve", found["waits"][:12])
        assert (status, "cannot approve it" in error) == (3, True), error
    for other in ("", "0" * 12, found["waits"][:11], digest):
        assert tradex(folder, "maria", "policy", "approve", other)[0] == 4
    assert tradex(folder, "eve", "policy", "approve", found["waits"][:12])[0] == 3
    assert tradex(folder, "maria", "policy", "approve", found["waits"][:12])[0] == 0
    status, out, _ = tradex(folder, "ana", *before)
    shown = json.loads(out)
    assert (shown["digest"], shown["by"], shown["proposed_by"]) == (found["waits"], "maria", "boss")
    assert json.loads(tradex(folder, "ana", *before, "--as-of", str(shown["position"] - 1))[1])["digest"] == digest
    with small.reopen(folder, "eve") as eve:
        eve_sets = eve.core.policy.may_set_policy
        assert eve_sets == ("*",)  # that is what was proposed: everything else went back to its default
        check_everything(eve)


def test_a_policy_that_nobody_could_ever_change_is_refused():
    record = PolicyRecord.record(Policy(), by="ana")
    alone: Any = {"may_set_policy": ("boss", "Boss"), "may_approve": ("boss",)}
    with pytest.raises(NobodyElseError):
        record.set(Policy(**alone), reason=WHY, by="ana", policy=record.policy)
    record.set(Policy(may_set_policy=("boss",)), reason=WHY, by="ana", policy=record.policy)
    assert record.set(Policy(), reason=WHY, by="boss", policy=record.policy) is False
    proposal = record.proposal
    assert proposal
    with pytest.raises(OwnProposalError):
        record.approve(proposal.digest, by="BOSS", policy=record.policy)
    record.approve(proposal.digest, by="maria", policy=record.policy)  # who may approve, where nobody else is named
    assert record.policy == Policy()
    with pytest.raises(NoProposalError):
        record.approve(proposal.digest, by="maria", policy=record.policy)


# -- the digest is of the text


def test_a_setting_that_comes_later_changes_no_digest_and_has_its_default():
    lines = written(Policy(batch_mb=17)).splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith(("may_gc", "expire_days")))
    older = policy_on_record(text, text_digest(text))
    assert older == Policy(batch_mb=17)
    assert older.digest == text_digest(text) != Policy(batch_mb=17).digest
    assert not older.differences(Policy(batch_mb=17))


@pytest.mark.parametrize("line", ['may_fly = ["*"]', "may_gc = []", "batch_mb = 0", "= 1", "x = 1"])
def test_a_record_that_this_release_cannot_read_allows_nothing(line: str):
    text = written(Policy()).replace('may_gc = ["*"]\n', "").replace("batch_mb = 16\n", "") + line
    with pytest.raises(StrangePolicyError) as caught:
        policy_on_record(text, text_digest(text))
    assert caught.value.exit_status == 7


@pytest.mark.parametrize(("version", "policy"), [("1", Policy()), ("3", None)])
def test_the_digests_of_before_are_known_again(version: str, policy: Policy | None):
    lines = (GOLDEN / f"ledger_v{version}.jsonl").read_text(encoding="utf-8").splitlines()
    digests = {
        entry["data"]["policy_digest"] for entry in map(json.loads, lines) if entry["topic"] == "backfill.planned"
    }
    story = Policy(anomaly_min_rows=1, anomaly_rise_percent=1, sla_minutes=60, expire_days=10)
    assert digests <= (policy or story).digests()
    assert not digests & Policy(runs_in_all=3, max_partitions=7).digests()
    assert not digests & Policy(may_gc=("eve",)).digests()  # they say nothing of what there was not


def test_a_ledger_of_before_takes_over_the_policy_of_its_last_plan_and_no_other():
    last = min(Policy(batch_mb=17).digests() - {Policy(batch_mb=17).digest})
    for other in (Policy(), Policy(batch_mb=17, may_gc=("eve",))):
        with pytest.raises(OtherPolicyError):
            PolicyRecord.adopt(other, last_plan=last, by="ana")
    assert PolicyRecord.adopt(Policy(batch_mb=17), last_plan=last, by="ana").policy.batch_mb == 17
    assert PolicyRecord.adopt(Policy(), last_plan=None, by="ana").policy == Policy()


def test_a_ledger_has_a_policy_from_its_first_event_on(folder: Path):
    with small.reopen(folder) as workspace:
        assert workspace.ledger.streams_of("policy.recorded") == [STREAM]
        with pytest.raises(PolicyThereError):
            workspace.policy.adopt()


# -- a policy that changes in between


def test_a_plan_an_approval_and_a_drive_under_different_policies_are_told_apart(tmp_path: Path, tradex: Tradex):
    with small.reopen(worlds.copied(tmp_path, days=3, until=3, expire_days=0)) as made:
        run_id = small.request(made, 1, 1)
    folder = tmp_path / "ws"
    assert "another policy" not in tradex(folder, "ana", "backfill", "show", run_id)[2]
    recorded(folder, expire_days=0, sla_minutes=60)
    for command in ("show", "approve"):
        status, _, error = tradex(folder, "ben", "backfill", command, run_id)
        assert (status, "was planned under another policy" in error) == (0, True), error
        assert "other since: sla_minutes" in error
    recorded(folder, expire_days=0, sla_minutes=70)
    status, _, error = tradex(folder, "ben", "backfill", "run", run_id)
    assert status == 0, error
    assert "was planned under another policy" in error
    assert "was approved under another policy" in error
    recorded(folder, expire_days=0, sla_minutes=80)
    warnings = json.loads(tradex(folder, "ben", "backfill", "show", run_id, "--json")[1])["warnings"]
    assert ["than it was driven under" in text for text in warnings] == [True, True]
    with small.reopen(folder) as workspace:
        planned, approved = (workspace.ledger.get(Backfill, run_id) for _ in range(2))
        assert planned.plan
        assert planned.plan.policy_digest != approved.approved_policy


def test_what_a_rule_approved_is_not_driven_beyond_it(tmp_path: Path):
    with small.reopen(worlds.copied(tmp_path, days=9, until=6)) as made:
        n_partitions = sum(w.partitions for w in made.backfills.plan(Request(**order(5)))[1].windows)
    folder = tmp_path / "ws"
    recorded(folder, may_approve=["boss"], rule_max_partitions=n_partitions)
    with small.reopen(folder) as workspace:
        asked = workspace.backfills.request(Request(**order(5)))
        assert asked.approved_rule == f"at most {n_partitions} partitions"
        workspace.incremental.run(last=small.day(8))  # newer days: what the backfill touches reaches farther now
        held = workspace.runs.drive(asked.id)
        assert (held.status, sum(w.partitions for w in held.windows)) == ("HELD", n_partitions)
        (told,) = (entry for entry in read_record(workspace).entries if entry.topic == "run.held")
        assert told.data["why"].endswith("(gold_baselines, gold_signals: newer days)")
        why = workspace.ledger.get(Backfill, asked.id)
        assert why.why_a_person(workspace.core.policy, Beyond(1, 0))
        with pytest.raises(NotAllowedError):
            workspace.runs.release(asked.id, reason=WHY)
    with small.reopen(folder, "boss") as boss:
        boss.runs.release(asked.id, reason=WHY)
        done = boss.runs.drive(asked.id)
        assert done.status == "SUCCESS"
        assert sum(w.partitions for w in done.windows) > n_partitions
        check_everything(boss)


def test_a_rule_that_was_narrowed_since_approves_neither_one_nor_the_group(tmp_path: Path):
    with small.reopen(worlds.copied(tmp_path, days=7, until=6)) as made:
        small.set_policy(tmp_path / "ws", max_partitions=10, rule_max_partitions=1000)
        wanted: dict[str, Any] = {
            "kind": "dataset",
            "dataset": "gold_metrics",
            "override_state": False,
            "reason": small.REASON,
        }
        parts = made.backfills.request_split(Request(**wanted, first=small.day(1), last=small.day(2)))
        assert len(parts) > 1
        sizes = [sum(w.partitions for w in part.windows) for part in parts]
        assert {part.status for part in parts} == {"APPROVED"}
    recorded(tmp_path / "ws", max_partitions=10, rule_max_partitions=max(sizes))  # each by itself, not all together
    with small.reopen(tmp_path / "ws") as workspace:
        for part in parts:
            with pytest.raises(ApprovalOutdatedError, match="holds no more"):
                workspace.runs.drive(part.id)


def test_a_policy_that_changes_while_a_drive_is_at_work_counts_when_it_publishes(tmp_path: Path):
    with small.reopen(worlds.copied(tmp_path, days=3, until=3)) as made:
        run_id = small.request(made, 1, 1, kind="dataset", dataset="gold_metrics")
        made.backfills.approve(run_id)

        def tightened(stage: str, done: int, total: int) -> None:
            if not changed and stage != "publish":
                changed.append(stage)
                recorded(tmp_path / "ws", may_approve=["boss"])

        changed: list[str] = []
        with pytest.raises(ApprovalOutdatedError, match="ana may not approve"):
            made.runs.drive(run_id, progress=tightened)
        assert changed
        assert made.ledger.get(Backfill, run_id).status == "FAILED"
        check_everything(made)


def order(number: int) -> dict[str, Any]:
    day = small.day(number)
    order: dict[str, Any] = {
        "kind": "temporal",
        "dataset": "bronze_x_posts",
        "override_state": False,
        "reason": small.REASON,
    }
    return {**order, "first": day, "last": day}


def test_a_deed_in_a_ledger_without_a_policy_asks_for_one():
    error = NoPolicyError()
    assert (error.exit_status, "tradex policy adopt" in error.mend) == (3, True)


# -- a proposal is answered, withdrawn, or expires


def proposed(folder: Path, actor: str = "boss", **policy: Any) -> str:
    """The digest of a policy that somebody proposed."""
    rewrite(folder, **policy)
    with small.reopen(folder, actor) as workspace:
        proposal = workspace.policy.set(reason=WHY).proposal
    assert proposal
    return proposal.digest


def test_a_proposal_is_rejected_by_who_could_approve_it_and_withdrawn_by_who_made_it(folder: Path, tradex: Tradex):
    for who, how in (("maria", "rejected"), ("Boss", "withdrawn")):
        digest = proposed(folder, rule_max_partitions=1000)
        assert "a policy that boss proposed waits" in tradex(folder, "ana", "status")[2]
        reject = ("policy", "reject", digest[:12], "--reason", "nobody needs that, INC-4301")
        status, _, error = tradex(folder, "eve", *reject)
        assert (status, "eve may not set_policy" in error) == (3, True), error
        assert tradex(folder, "maria", "policy", "reject", "0" * 12, "--reason", WHY)[0] == 4
        status, out, _ = tradex(folder, who, *reject)
        assert (status, "as before" in out) == (0, True)
        assert json.loads(tradex(folder, "ana", "status", "--json")[1])["policy_waiting"] is None
        shown = json.loads(tradex(folder, "ana", "policy", "show", "--json")[1])
        assert (shown["waits"], shown["refused"]["how"], shown["refused"]["by"]) == (None, how, who)
        assert (
            f"proposed by boss, {digest}: {how}, by {who}: nobody needs that"
            in tradex(folder, "ana", "policy", "show")[1]
        )
        assert (
            f"proposed policy {digest[:12]} of boss {how}: nobody needs that"
            in tradex(folder, "ana", "audit", "log", "--topic", "policy.rejected")[1]
        )
        for late in (("policy", "approve", digest), reject):
            assert tradex(folder, "maria", *late)[0] == 4
        assert "maria may not" not in tradex(folder, "maria", "status")[2]
    with small.reopen(folder) as workspace:
        assert workspace.core.policy.rule_max_partitions == 0
        check_everything(workspace)


def test_who_is_named_alone_is_answered_by_who_may_approve():
    record = PolicyRecord.record(Policy(may_set_policy=("boss",), may_approve=("maria",)), by="boss")
    for who, allowed in (("eve", False), ("maria", True)):
        record.set(Policy(batch_mb=20), reason=WHY, by="boss", policy=record.policy)
        assert record.proposal
        if allowed:
            record.reject(record.proposal.digest, reason=WHY, by=who, policy=record.policy)
            break
        with pytest.raises(NotAllowedError):
            record.reject(record.proposal.digest, reason=WHY, by=who, policy=record.policy)
        record.reject(record.proposal.digest, reason=WHY, by="boss", policy=record.policy)
    assert record.proposal is None


def at(folder: Path, actor: str, days: float) -> Workspace:
    """The workspace in somebody's hands, so many days after February began."""
    clock = small.Ticking(datetime(2024, 2, 1, tzinfo=UTC) + timedelta(days=days))
    return Workspace.open(folder, actor=actor, clock=clock)


def test_a_proposal_that_nobody_answers_expires_by_what_is_on_record(folder: Path, tradex: Tradex):
    digest = proposed(folder, rule_max_partitions=1000)
    shown = json.loads(tradex(folder, "ana", "policy", "show", "--json")[1])["waits"]
    assert (shown["digest"], shown["expires"][:10]) == (digest, "2024-03-02")
    assert "it expires at 2024-03-02" in tradex(folder, "ana", "policy", "show")[1]
    with at(folder, "maria", 365) as wrong:
        assert STREAM not in wrong.runs.sweep()
        with pytest.raises(ExpiredProposalError):
            wrong.policy.approve(digest)
        assert wrong.core.policy_record().proposal, "a wrong clock closed nothing"
    with at(folder, "maria", 29) as worker:
        small.request(worker, 1, 1, kind="dataset", dataset="gold_metrics")
        assert STREAM not in worker.runs.sweep()
    with at(folder, "maria", 31) as maria, pytest.raises(ExpiredProposalError):
        maria.policy.approve(digest)  # near the last event: it is closed
    shown = json.loads(tradex(folder, "ana", "policy", "show", "--json")[1])
    assert (shown["waits"], shown["refused"]["how"]) == (None, "expired")
    told = tradex(folder, "ana", "audit", "log", "--topic", "policy.expired")[1]
    assert f"proposed policy {digest[:12]} of boss expired: nobody answered it in 30 days" in told
    assert proposed_again(folder, 31) == digest
    with at(folder, "eve", 70) as later:
        later.datasets.protect("gold_signals", small.day(1), small.day(1), reason=WHY)
        assert STREAM in later.runs.sweep()
        assert later.core.policy_record().proposal is None
        check_everything(later)


def proposed_again(folder: Path, days: float) -> str:
    """The digest of what the settings propose, by the boss."""
    with at(folder, "boss", days) as boss:
        proposal = boss.policy.set(reason=WHY).proposal
    assert proposal
    return proposal.digest


def test_what_waited_too_long_is_in_nobodys_way(folder: Path):
    digest = proposed(folder, rule_max_partitions=1000)
    with at(folder, "maria", 40) as maria:
        small.request(maria, 1, 1, kind="dataset", dataset="gold_metrics")
    assert proposed_again(folder, 40) == digest  # the same: it expired, and was proposed anew
    with at(folder, "maria", 41) as maria:
        maria.policy.approve(digest)
        assert maria.core.policy.rule_max_partitions == 1000
        check_everything(maria)


# -- a rule reaches over the whole of what was requested, and no further


def five_days(folder: Path) -> tuple[Workspace, int, int]:
    """Days that have run, and how many partitions a backfill of the fifth has, and the most rows that they may have."""
    small.deliver(folder / "posts", days=9)
    made = small.create(folder / "ws", f"files:{folder / 'posts'}")
    made.incremental.run(last=small.day(5))
    _, plan = made.backfills.plan(Request(**order(5)))
    rows = plan.estimate.rows
    assert rows
    return made, sum(w.partitions for w in plan.windows), rows.high


def test_parts_of_one_request_pass_a_rule_together_or_not_at_all(tmp_path: Path):
    made, one, _ = five_days(tmp_path)
    made.close()
    small.set_policy(tmp_path / "ws", rule_max_partitions=one)
    wanted = {**order(5), "group": "group-1"}
    with small.reopen(tmp_path / "ws") as workspace:
        assert workspace.backfills.request(Request(**wanted)).status == "APPROVED"
        assert (
            workspace.backfills.request(Request(**{**wanted, "first": small.day(4), "last": small.day(4)})).status
            == "PLANNED"
        )
        assert (
            workspace.backfills.request(
                Request(**{**wanted, "group": "group_1"}, allow_overlap=active(workspace))
            ).status
            == "APPROVED"
        )
        for run_id in active(workspace):
            workspace.runs.cancel(run_id, reason=WHY)
        day = day_of(small.day(5))
        asked = (("temporal", "bronze_x_posts"), ("temporal", "gold_signals"))
        days: dict[str, Any] = {"first": day, "last": day, "reason": WHY, "command": None}
        found = [Advice(kind=kind, dataset=name, **days) for kind, name in asked]
        assert [(item.status, item.refused) for item in workspace.backfills.submit(found)] == [("PLANNED", None)] * 2
        for each in found:  # by itself each of them passes
            for run_id in active(workspace):
                workspace.runs.cancel(run_id, reason=WHY)
            assert [item.status for item in workspace.backfills.submit([each])] == ["APPROVED"]


def test_a_split_plan_says_whose_approval_the_whole_of_it_needs(tmp_path: Path, tradex: Tradex):
    made, *_ = five_days(tmp_path)
    made.close()
    small.set_policy(tmp_path / "ws", rule_max_partitions=10, max_partitions=10)
    days = ("--from", "2024-01-01", "--to", "2024-01-02", "--no-override-state", "--reason", WHY, "--split")
    wanted = ("backfill", "request", "dataset", "gold_metrics", *days)
    parts = json.loads(tradex(tmp_path / "ws", "ana", "--json", *wanted, "--dry-run")[1])
    assert (len(parts), [part["approval"]["rule"] for part in parts]) == (2, [None, None])
    status, said, _ = tradex(tmp_path / "ws", "ana", *wanted)
    assert (status, said.count("requested bf-"), "approved by rule" in said) == (0, 2, False), said


def active(workspace: Workspace) -> list[str]:
    return [backfill.id for backfill in active_backfills(workspace.ledger)]


def test_what_the_parts_of_a_request_grow_by_is_added_up(tmp_path: Path):
    made, _, _ = five_days(tmp_path)
    with made:
        made_of = [made.backfills.plan(Request(**order(day)))[1] for day in (4, 5)]
    whole = sum(w.partitions for plan in made_of for w in plan.windows)
    recorded(tmp_path / "ws", rule_max_partitions=whole)
    with small.reopen(tmp_path / "ws") as workspace:
        parts = [workspace.backfills.request(Request(**order(day), group="group-1")) for day in (4, 5)]
        assert [part.status for part in parts] == ["APPROVED", "APPROVED"]
        workspace.incremental.run(last=small.day(7))  # newer days
    first = beyond(tmp_path / "ws", parts[0].id)
    assert first > 0
    recorded(tmp_path / "ws", rule_max_partitions=whole + first)  # each may grow so far, both together may not
    with small.reopen(tmp_path / "ws") as workspace:
        assert workspace.runs.drive(parts[0].id).status == "SUCCESS"
        held = workspace.runs.drive(parts[1].id)
        assert held.status == "HELD"
        (told,) = events(workspace, "topic = 'run.held'")
        assert f"approved by rule (at most {whole} partitions), and now " in json.loads(told["data"])["why"]
        workspace.runs.release(parts[1].id, reason=WHY)
        assert workspace.runs.drive(parts[1].id).status == "SUCCESS"
        check_everything(workspace)


def beyond(folder: Path, run_id: str) -> int:
    """By how many partitions a backfill would grow now."""
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy)
    recorded(copy, rule_max_partitions=1000)
    with small.reopen(copy) as workspace:
        done = workspace.runs.drive(run_id)
        plan = workspace.ledger.get(Backfill, run_id).plan
    assert plan
    return sum(w.partitions for w in done.windows) - sum(w.partitions for w in plan.windows)


def test_more_rows_than_a_rule_allows_are_held_however_few_were_expected(tmp_path: Path):
    made, n_partitions, most = five_days(tmp_path)
    made.close()
    recorded(tmp_path / "ws", rule_max_partitions=n_partitions, rule_max_rows=most)
    with small.reopen(tmp_path / "ws") as workspace:
        asked = workspace.backfills.request(Request(**order(5)))
        assert asked.approved_rule
        before = projection(workspace, "partitions")
        many = [
            {"id": str(1742600000000000000 + n), "text": f"late $T{chr(65 + n % 26)}", "author_id": "9"}
            for n in range(200)
        ]
        lines = [json.dumps({**post, "created_at": "2024-01-05T10:00:00.000Z"}) for post in many]
        (tmp_path / "posts" / "2024-01-05-late.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        assert workspace.runs.drive(asked.id).status == "HELD"
        derived = [row for row in projection(workspace, "partitions") if row["layer"] != "bronze"]
        assert derived == [row for row in before if row["layer"] != "bronze"]
        (held,) = events(workspace, "topic = 'run.held'")
        assert "rows: a person has to look" in json.loads(held["data"])["why"]
        workspace.runs.release(asked.id, reason=WHY)
        assert workspace.runs.drive(asked.id).status == "SUCCESS"
        check_everything(workspace)
