"""Requests, approvals, runs, crashes, pauses, reverts, bumps, overrides, releases: in any order, against a model.

Whatever befalls the caches in between, every answer is that of a fold from zero, as of now and as of before.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.kit import signing, small
from tests.kit.check import check_everything, read_record
from tests.kit.fold import fold_partitions, fold_runs
from tests.kit.kept import make_small
from tests.kit.lake import projection
from tests.kit.stores import POSTGRES, SQLITE, Kind, living
from tests.machine.actions import DECISIONS, actions
from tests.machine.caches import EVENTS, FATES, Caches, fates
from tests.machine.driver import (
    ACTIVE,
    DAYS,
    REASON,
    Breakdown,
    Known,
    Lab,
    built,
    closure,
    cursor_of,
    is_built_upon,
    make_template,
    refused,
)
from tradex_ledger.domain.request import Request
from tradex_ledger.errors import TradexError

MAY_BE_REFUSED = {"no-new-logic", "range"}
MOST_VERSIONS = 5
STEPS: Counter[str] = Counter()
_TEMPLATES: list[Path] = []


def template() -> Path:
    """Made once, copied by every example."""
    if not _TEMPLATES:
        _TEMPLATES.append(make_template(Path(tempfile.mkdtemp(prefix="tradex-machine-"))))
    return _TEMPLATES[0]


class Machine(RuleBasedStateMachine):
    """Each action does one thing to the workspace and to the model, or is refused just when the model says so."""

    verified, every, each_save = 3, 6, False  # a comparison costs as much as many steps do
    """After which steps it is verified, the answers are compared with a fold from zero, and as of each save, too."""
    store: ClassVar[Kind] = SQLITE

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="tradex-machine-"))
        shutil.copytree(template().parent, self.root, dirs_exist_ok=True)
        settings_file = self.root / "ws" / "tradex.toml"
        text = settings_file.read_text(encoding="utf-8").replace(str(template().parent), str(self.root))
        settings_file.write_text(text, encoding="utf-8")
        self.moved = ExitStack()
        if self.store is not SQLITE:
            self.moved.enter_context(living(self.root / "ws", self.store, self.root))
        self.lab = Lab(self.root / "ws")
        self.model = self.lab.model
        self.caches, self.steps = Caches(self.lab, template().with_name("others")), 0
        self.unfinished: str | None = None  # the cursor that a crashed incremental run goes to

    def teardown(self) -> None:
        if hasattr(self, "caches"):
            self.caches.leave()
        if hasattr(self, "root"):
            self.moved.close()
            shutil.rmtree(self.root, ignore_errors=True)

    def pick(self, number: int, *statuses: str) -> str | None:
        found = self.model.in_status(*statuses)
        return found[number % len(found)] if found else None

    @rule(action=actions, fate=fates)
    def act(self, action: tuple[str, dict[str, Any]], fate: tuple[str | None, int]) -> None:
        (name, arguments), (what, number) = action, fate
        if what is not None:
            STEPS[what] += self.caches.meet(what, number)
        getattr(self, name)(**arguments)

    # -- what people do

    def run(self, until: int, crash: Breakdown) -> None:
        STEPS["run"] += 1
        targets = {self.model.cursor, self.unfinished, cursor_of(until)}
        try:
            outcome = self.lab.run(until, crash)
        except TradexError as error:
            assert error.code in ("nothing-to-run", "state-moved"), error
            if error.code == "state-moved":  # somebody overrode the state under it: it can only be cancelled
                self.cancel_unfinished()
            else:
                assert (self.model.cursor or "") >= cursor_of(until) or self.unfinished
            outcome = "REFUSED"
        found = self.cursor()
        assert found in targets
        assert outcome != "SUCCESS" or found == cursor_of(until)
        self.model.cursor = found
        if outcome == "BROKEN":
            STEPS["broken"] += 1
            if self.unfinished in (None, found):  # the one before was finished first
                self.unfinished = cursor_of(until)
        if outcome == "SUCCESS" or (outcome == "REFUSED" and found == self.unfinished):
            self.unfinished = None

    def cancel_unfinished(self) -> None:
        STEPS["cancel run"] += 1
        with self.lab.open() as workspace:
            run_id = workspace.incremental.unfinished()
            assert run_id is not None
            workspace.runs.cancel(run_id, reason=REASON)
        self.unfinished = None

    def late_post(self) -> None:
        STEPS["late"] += 1
        self.lab.deliver_late()

    def request(
        self, kind: str, dataset: str, first: int, length: int, by: str, review: bool, override: bool, wrong: int,
        cursor: int, further: int, crash: Breakdown,
    ) -> None:  # fmt: skip
        override = override and (kind == "forced" or wrong == 5)
        STEPS[f"request {kind}"] += 1
        moves = override and kind == "forced"
        order: dict[str, Any] = {
            "kind": kind,
            "dataset": dataset,
            "override_state": override,
            "cursor": cursor_of(cursor) if override else None,
            "ticket": "TRX-100" if kind == "forced" else None,
            "review": review,
            "reason": REASON,
            "allow_overlap": self.model.in_status(*ACTIVE),
        }
        with self.lab.open(by) as workspace:
            made: list[str] = []
            days = (first, min(first + length, DAYS))
            code = refused(lambda: made.append(small.request(workspace, *days, **order)))
        if override and not moves:
            assert code == "state-protected"
        elif code is not None:
            assert code in MAY_BE_REFUSED, code
        else:
            assert len(made) == 1
            self.model.runs[made[0]] = Known(kind, by, review, order["cursor"], version=self.model.signals)
            if further:  # at once, by somebody else
                self.approve_it(made[0], "bob")
            if further == 2:
                self.drive_it(made[0], crash)

    def approve(self, number: int, by: str) -> None:
        run_id = self.pick(number, *ACTIVE, "SUCCESS", "CANCELLED")
        if run_id is not None:
            self.approve_it(run_id, by)

    def approve_it(self, run_id: str, by: str) -> None:
        STEPS["approve"] += 1
        known = self.model.runs[run_id]
        with self.lab.open(by) as workspace:
            code = refused(lambda: signing.approve(workspace, run_id))
        if known.status != "PLANNED":
            assert code == "wrong-state", code
        elif known.kind == "forced" and by.strip().lower() == known.by:
            assert code == "self-approval", code
        else:
            assert code is None, code
            known.status = "APPROVED"

    def drive(self, number: int, crash: Breakdown) -> None:
        run_id = self.pick(number, *ACTIVE, "CANCELLED", "REVERTED")
        if run_id is not None:
            self.drive_it(run_id, crash)

    def drive_it(self, run_id: str, crash: Breakdown) -> None:
        STEPS["drive"] += 1
        known = self.model.runs[run_id]
        try:
            outcome = self.lab.drive(run_id, crash)
        except TradexError as error:
            if known.status in ("APPROVED", "RUNNING", "FAILED"):
                assert error.code == "plan-outdated", error
                assert known.version != self.model.signals
            else:
                assert error.code == "wrong-state", error
            return
        assert known.status in ("APPROVED", "RUNNING", "FAILED")
        if outcome == "BROKEN":
            STEPS["broken"] += 1
            outcome = self.lab.statuses()[run_id]
            assert outcome in ("APPROVED", "RUNNING", "FAILED", "HELD", "SUCCESS")
        elif known.review and not known.released:
            assert outcome == "HELD"
        else:
            assert outcome in ("SUCCESS", "HELD")
        assert outcome != "SUCCESS" or known.released or not known.review
        known.status = outcome
        if outcome == "SUCCESS" and known.cursor is not None:
            STEPS["override"] += 1
            self.model.cursor = known.cursor

    def decide(self, number: int, decision: str) -> None:
        run_id = self.pick(number, *ACTIVE, "SUCCESS")
        if run_id is None:
            return
        STEPS[decision] += 1
        known = self.model.runs[run_id]
        allowed, after = {
            "pause": (("APPROVED", "RUNNING", "FAILED"), "PAUSED"),
            "resume": (("PAUSED",), "APPROVED"),
            "cancel": (ACTIVE, "CANCELLED"),
            "release": (("HELD",), "APPROVED"),
            "reject": (("PLANNED",), "REJECTED"),
        }[decision]
        arguments = {} if decision == "resume" else {"reason": REASON}
        with self.lab.open("maria") as workspace:
            room = workspace.runs if decision in ("cancel", "release") else workspace.backfills
            code = refused(lambda: getattr(room, decision)(run_id, **arguments))
        expected = None if known.status in allowed else "wrong-state"
        if expected is None and decision == "release" and (known.kind, known.by) == ("forced", "maria"):
            expected = "self-approval"
        assert code == expected, (decision, known.status, code)
        if code is None:
            known.status, known.released = after, known.released or decision == "release"

    def revert(self, number: int) -> None:
        run_id = self.pick(number, "SUCCESS", "REVERTED", "APPROVED")
        if run_id is None:
            return
        STEPS["revert"] += 1
        known = self.model.runs[run_id]
        with self.lab.open("maria") as workspace:
            stands_below = is_built_upon(run_id, read_record(workspace).entries)
            code = refused(lambda: workspace.backfills.revert(run_id, reason=REASON))
        if known.status != "SUCCESS":
            assert code in ("wrong-state", "built-upon"), code
        else:
            assert code == ("built-upon" if stands_below else None), code
        if code is None:
            STEPS["reverted"] += 1
            known.status = "REVERTED"

    def rebuild_everything(self) -> None:
        """What `stale_partitions` did not name, and no input of which changed, comes out as it was."""
        STEPS["rebuild everything"] += 1
        with self.lab.open() as workspace:
            stale = {(r["dataset"], r["partition"].isoformat()) for r in projection(workspace, "stale_partitions")}
            there = {(name, day.isoformat()) for name, _, day in fold_partitions(read_record(workspace).entries)}
            known = Known("dataset", "ana", False, None, status="SUCCESS", version=self.model.signals)
            others = self.model.in_status(*ACTIVE)
            run_id = small.request(workspace, 1, DAYS + 1, kind="dataset", allow_overlap=others)
        with self.lab.open("maria") as workspace:
            workspace.backfills.approve(run_id)
            assert workspace.runs.drive(run_id).status == "SUCCESS"
            entries = read_record(workspace).entries
            mine = [entry for entry in entries if entry.stream == run_id]
            changed = stale | built(mine, "run.batch_appended")
            assert built(mine, "run.partition_rebuilt", "written") & there <= closure(entries, changed)
            assert projection(workspace, "stale_partitions") == []
        self.model.runs[run_id] = known

    def bump(self) -> None:
        if self.model.signals >= MOST_VERSIONS:
            return
        STEPS["bump"] += 1
        self.lab.edit_signals()
        with self.lab.open() as workspace:
            day: dict[str, Any] = {"dataset": "gold_signals", "first": small.day(1), "last": small.day(1)}
            code = refused(
                lambda: workspace.backfills.plan(Request(kind="temporal", **day, override_state=False, reason=REASON))
            )
            assert code == "logic-changed-without-version"
            self.model.signals += 1
            assert workspace.datasets.bump("gold_signals", reason=REASON) == {"gold_signals": self.model.signals}

    # -- what must hold after each

    def cursor(self) -> str | None:
        with self.lab.open() as workspace:
            return workspace.state.cursor

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        if not hasattr(self, "lab"):
            return
        with self.lab.open() as workspace:
            entries = check_everything(workspace).entries
            runs = fold_runs(entries)  # which the projection `runs` equals
            found = {run_id: run["status"] for run_id, run in runs.items() if run_id.startswith("bf-")}
            assert found == {run_id: known.status for run_id, known in self.model.runs.items()}
            assert workspace.state.cursor == self.model.cursor
            assert workspace.datasets.get("gold_signals").logic_version == self.model.signals
            self.steps += 1
            if self.steps % self.verified == 0:  # it looks at all that ever was: what a step did is found by the next
                verdict = workspace.audit.look.verify()
                assert (verdict.findings, verdict.unjudged) == ([], [])
                STEPS["verified"] += 1
        if self.steps % self.every == 0:
            STEPS["compared"] += self.caches.check(entries, each_save=self.each_save)
        STEPS["all"] += 1


class AtEachSave(Machine):
    """The same, compared as of every save."""

    verified, every, each_save = 1, 1, True


class VerifiedAtTheEnd(Machine):
    """The same, verified where it ends, and held against nothing before: many short histories, not few long ones."""

    def it_is_as_the_model_says(self) -> None:
        """Nothing is asked after a step."""

    def teardown(self) -> None:
        if hasattr(self, "lab"):
            with self.lab.open() as workspace:
                verdict = workspace.audit.look.verify()
                assert (verdict.findings, verdict.unjudged) == ([], [])
                STEPS["verified"] += 1
        super().teardown()


class OverPostgreSQL(Machine):
    """The same, with the ledger in PostgreSQL."""

    store = POSTGRES[0]


SOAKED = (
    *("request temporal", "request dataset", "request logical", "request forced", "approve", "drive", "broken", "run"),
    *("revert", "reverted", "bump", "override", "late", "rebuild everything"),
)


def play(examples: int, steps: int, *, machine: type[Machine] = Machine, same_each_time: bool = False) -> None:
    """Let the machine run, and say how far it came."""
    STEPS.clear()
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=same_each_time,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.reuse, Phase.generate),  # to shrink takes many minutes, and these steps can be read as they are
        print_blob=True,
    )
    with pytest.MonkeyPatch.context() as sizes:
        make_small(sizes, EVENTS)
        run_state_machine_as_test(machine, settings=chosen)
    print(dict(STEPS))


@pytest.mark.norm("N20")
@pytest.mark.norm("N15")
def test_whatever_people_do_in_whatever_order_the_ledger_is_as_a_plain_model_says() -> None:
    play(examples=3, steps=10, same_each_time=True)


def test_over_postgresql_it_is_so_too() -> None:
    play(examples=1, steps=4, machine=OverPostgreSQL, same_each_time=True)


@pytest.mark.soak
@pytest.mark.parametrize(("machine", "examples"), [(Machine, 100), (OverPostgreSQL, 50)])
def test_thousands_of_steps_leave_the_ledger_as_a_plain_model_says(machine: type[Machine], examples: int) -> None:
    play(examples=examples, steps=40, machine=machine)
    few = {name: STEPS[name] for name in (*SOAKED, *DECISIONS, *FATES) if STEPS[name] < 10}
    assert not few, f"the machine hardly did these: {few}"


@pytest.mark.soak
def test_a_thousand_histories_by_chance_give_no_alarm() -> None:
    play(examples=1_000, steps=6, machine=VerifiedAtTheEnd)
    assert STEPS["verified"] >= 1_000


@pytest.mark.soak
def test_after_each_of_hundreds_of_saves_every_answer_is_that_of_a_fold_from_zero() -> None:
    play(examples=15, steps=40, machine=AtEachSave)
    assert STEPS["compared"] > 500
