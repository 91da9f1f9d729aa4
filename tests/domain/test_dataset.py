"""A dataset: logic has a number, and does not change behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.facts import (
    OTHER_FINGERPRINT,
    REASON,
    logic,
    registered,
    versioned,
)
from tests.kit.given import Fact, given
from tradex_ledger.domain.dataset import Dataset, Difference, Logic
from tradex_ledger.domain.dataset_errors import (
    AlreadyDeprecatedError,
    AlreadyProtectedError,
    BumpedMeanwhileError,
    DeprecatedVersionError,
    EngineNotRefusedError,
    LogicChangedError,
    NoSuchVersionError,
    NotDeprecatedError,
    NotProtectedError,
    ProtectedError,
    PruneRefusedError,
    SameLogicError,
    SeveralProtectionsError,
)
from tradex_ledger.domain.day import Day, day_of
from tradex_ledger.domain.differences import EngineCheck, EngineVerdict, PlacedDifference
from tradex_ledger.domain.digest import digest_of
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.policy import NotAllowedError, Policy
from tradex_ledger.domain.reason import PlaceholderReasonError
from tradex_ledger.domain.request import RangeError
from tradex_ledger.domain.waiting import ListedFile

STREAM = "dataset-silver_x"
REFERENCES = logic()["references"]


def differs_from(today: str) -> Difference:
    """Compares by the letter."""
    return lambda text, _: None if text == today else "its statement is another"


def test_a_dataset_is_registered():
    dataset = (
        given(Dataset)
        .when(
            lambda _: Dataset.register(
                "silver_x", pipeline="x", layer="silver", partition_column="event_date", component=None, by="ana"
            )
        )
        .then(registered())
    )
    assert dataset.id == STREAM


@pytest.mark.norm("N25")
def test_logic_is_numbered_from_one_with_its_full_text():
    given(Dataset, registered(), stream=STREAM).when(
        lambda d: d.version_logic(Logic(**logic()), reason="first version", by="ana", policy=Policy())
    ).then(versioned())
    given(Dataset, registered(), versioned(), stream=STREAM).when(
        lambda d: d.version_logic(
            Logic(**logic(OTHER_FINGERPRINT)),
            reason="another rule",
            by="ana",
            differs=differs_from("select 2"),
            policy=Policy(),
        )
    ).then(versioned(2, fingerprint=OTHER_FINGERPRINT, reason="another rule"))


@pytest.mark.norm("N25")
def test_the_same_logic_gets_no_second_number():
    given(Dataset, registered(), versioned(), stream=STREAM).when(
        lambda d: d.version_logic(
            Logic(**logic(OTHER_FINGERPRINT)),
            reason="again",
            by="ana",
            differs=differs_from("select 1"),
            policy=Policy(),
        )
    ).refused(SameLogicError)


@pytest.mark.norm("N27")
def test_changed_logic_without_a_new_version_is_refused_with_the_mend():
    dataset = given(Dataset, registered(), versioned(), stream=STREAM).aggregate
    error = LogicChangedError({"silver_x": (1, dataset.changes(differs_from("select 2"), reader=None))})
    assert "silver_x is not that of its version 1 any more: its statement is another" in error.message
    assert "tradex dataset bump silver_x --reason …" in error.mend
    assert "--changed" not in error.mend


def test_logic_is_the_same_when_what_compares_it_with_the_text_on_record_says_so():
    story = given(Dataset, registered(), versioned(), stream=STREAM)
    asked: list[tuple[str, list[dict[str, str]]]] = []
    story.aggregate.changes(lambda *known: asked.append(known), reader=None)
    assert asked == [("select 1", REFERENCES)]


def test_several_changes_of_logic_are_all_named_and_can_be_bumped_at_once():
    error = LogicChangedError({"silver_x": (1, ["its statement is another"]), "gold_x": (3, ["one thing", "another"])})
    assert "silver_x is not that of its version 1" in error.message
    assert "gold_x is not that of its version 3 any more: one thing; another" in error.message
    assert "tradex dataset bump --changed --reason" in error.mend


@pytest.mark.norm("N27")
def test_an_older_version_is_not_the_current_logic():
    newer = versioned(2, fingerprint=OTHER_FINGERPRINT, definition="select 2")
    dataset = given(Dataset, registered(), versioned(), newer, stream=STREAM).aggregate
    assert dataset.changes(differs_from("select 1"), reader=None)
    assert dataset.changes(differs_from("select 2"), reader=None) == []


# -- what reads the posts of Bronze

BRONZE = Fact(
    Dataset.Registered,
    "ana",
    {"name": "bronze_x", "pipeline": "x", "layer": "bronze", "partition_column": "event_date", "component": None},
)


def same(text: str, references: list[dict[str, str]]) -> None:
    """Nothing is other."""


@pytest.mark.norm("N27")
def test_another_reader_of_the_same_text_is_changed_logic():
    dataset = given(Dataset, BRONZE, versioned(reader=2), stream="dataset-bronze_x").aggregate
    assert dataset.changes(same, reader=2) == []
    changed = dataset.changes(same, reader=3, row="post")
    assert changed == ["its posts are read by reader 3, version 1 was read by reader 2"]


def test_a_dataset_knows_what_read_its_posts_under_each_of_its_versions():
    dataset = given(Dataset, BRONZE, versioned(), versioned(2, reader=2), stream="dataset-bronze_x").aggregate
    assert [dataset.reader_of(1), dataset.reader_of(2)] == [1, 2]  # who recorded none had the first
    assert given(Dataset, registered(), versioned(), stream=STREAM).aggregate.reader_of(1) is None


def test_a_version_of_the_first_format_was_fingerprinted_by_an_engine_and_read_by_the_first_reader():
    facts = {name: value for name, value in versioned().data.items() if name not in ("scheme", "reader")}
    Dataset.LogicVersioned.upcast_v1_v2(facts)
    assert facts == {**versioned().data, "scheme": "duckdb-json-1", "reader": None}


# -- engines

ENGINE = "duckdb 2.0.1"
DIFFERENCE = {"partition": "2024-01-03", "key": "id = 1", "column": "n", "recorded": "3", "recomputed": "4"}


def judged(verdict: str = "equal", version: int = 1) -> Fact:
    days = ["2024-01-03"] if verdict != "none eligible" else []
    told = [DIFFERENCE] if verdict == "different" else []
    facts = {"compared_with": ["duckdb 2.0.0"] if days else [], "partitions": days, "differences": told}
    return Fact(
        Dataset.EngineChecked,
        "ana",
        {"engine": ENGINE, "logic_version": version, "verdict": verdict, **facts},
    )


def judge(verdict: str, version: int = 1) -> Callable[[Dataset], None]:
    facts = judged(verdict, version).data
    found = EngineVerdict(verdict, tuple(map(PlacedDifference.from_event, facts["differences"])))
    days = tuple(map(day_of, facts["partitions"]))
    check = EngineCheck(version, found, tuple(facts["compared_with"]), days)
    return lambda d: d.record_engine_check(ENGINE, check, by="ana")


KNOWN = (registered(), versioned())


def test_an_engine_is_judged_once_under_a_logic_version():
    given(Dataset, *KNOWN, stream=STREAM).when(judge("different")).then(judged("different"))
    for verdict in ("equal", "different"):
        given(Dataset, *KNOWN, judged(verdict), stream=STREAM).when(judge("equal")).then()
    given(Dataset, *KNOWN, judged(), versioned(2), stream=STREAM).when(judge("equal", 2)).then(judged("equal", 2))


def test_an_engine_that_could_not_be_compared_is_judged_as_soon_as_it_can_be():
    given(Dataset, *KNOWN, judged("none eligible"), stream=STREAM).when(judge("none eligible")).then()
    given(Dataset, *KNOWN, judged("none eligible"), stream=STREAM).when(judge("equal")).then(judged())


def test_a_verdict_on_a_version_that_is_not_the_newest_any_more_is_none():
    given(Dataset, *KNOWN, versioned(2), stream=STREAM).when(judge("equal")).refused(BumpedMeanwhileError)


def accept(dataset: Dataset) -> None:
    dataset.accept_engine(ENGINE, reason=REASON, by="ben", policy=Policy(may_approve=("ben",)))


def test_a_person_who_may_approve_accepts_an_engine_that_gives_other_rows():
    accepted = Fact(Dataset.EngineAccepted, "ben", {"engine": ENGINE, "logic_version": 1, "reason": REASON})
    dataset = given(Dataset, *KNOWN, judged("different"), stream=STREAM).when(accept).then(accepted)
    assert dataset.engine_verdict(ENGINE) == "accepted"
    given(Dataset, *KNOWN, judged("different"), stream=STREAM).when(
        lambda d: d.accept_engine(ENGINE, reason=REASON, by="ana", policy=Policy(may_approve=("ben",)))
    ).refused(NotAllowedError)
    given(Dataset, *KNOWN, judged("different"), stream=STREAM).when(
        lambda d: d.accept_engine(ENGINE, reason="ok", by="ben", policy=Policy())
    ).refused(PlaceholderReasonError)


def test_only_an_engine_that_was_refused_is_accepted():
    for known in ((), (judged(),), (judged("none eligible"),)):
        given(Dataset, *KNOWN, *known, stream=STREAM).when(accept).refused(EngineNotRefusedError)


def test_an_engine_that_gives_other_rows_is_as_good_a_reason_for_a_version_as_other_text():
    found = Logic(**{**logic(), "engine": ENGINE})
    given(Dataset, *KNOWN, stream=STREAM).when(
        lambda d: d.version_logic(found, reason=REASON, by="ana", differs=same, policy=Policy())
    ).refused(SameLogicError)
    given(Dataset, *KNOWN, judged("different"), stream=STREAM).when(
        lambda d: d.version_logic(found, reason=REASON, by="ana", differs=same, policy=Policy())
    ).then(versioned(2, engine=ENGINE, reason=REASON))


def test_a_publication_takes_the_lock_and_changes_nothing_else():
    facts = {"run": "bf-1", "logic_version": 1, "partitions": 2, "rows": 6}
    given(Dataset, registered(), versioned(), stream=STREAM).when(
        lambda d: d.publish("bf-1", logic_version=1, partitions=2, rows=6, changed=[], by="ana")
    ).then(Fact(Dataset.Published, "ana", facts))


@pytest.mark.norm("N12")
@pytest.mark.norm("N25")
def test_a_new_version_upstream_numbers_what_reads_it_although_its_own_text_is_the_same():
    given(Dataset, registered("signal"), versioned(component="signal"), stream=STREAM).when(
        lambda d: d.version_logic(
            Logic(**logic()), reason="upstream changed", by="ana", indirect="gold_baselines", policy=Policy()
        )
    ).then(versioned(2, component="signal", reason="upstream changed", indirect="gold_baselines"))


def test_a_reversal_takes_the_same_lock_as_a_publication():
    given(Dataset, registered(), versioned(), stream=STREAM).when(
        lambda d: d.revert("bf-1", changed=[], by="ben")
    ).then(Fact(Dataset.Reverted, "ben", {"run": "bf-1"}))


# -- deprecation

SECOND = versioned(2, fingerprint=OTHER_FINGERPRINT, definition="select 2")
TWO = (registered(), versioned(), SECOND)


def deprecated(version: int = 1) -> Fact:
    return Fact(Dataset.VersionDeprecated, "ana", {"logic_version": version, "reason": REASON})


def restored(version: int = 1) -> Fact:
    return Fact(Dataset.VersionRestored, "ana", {"logic_version": version, "reason": REASON})


@pytest.mark.norm("N26")
def test_a_deprecated_version_is_written_no_more_until_it_is_restored():
    def publish(d: Any) -> None:
        d.publish("bf-1", logic_version=1, partitions=2, rows=6, changed=[], by="ana")

    given(Dataset, *TWO, stream=STREAM).when(lambda d: d.deprecate(1, reason=REASON, by="ana", policy=Policy())).then(
        deprecated()
    )
    given(Dataset, *TWO, deprecated(), stream=STREAM).when(publish).refused(DeprecatedVersionError, "version 1")
    given(Dataset, *TWO, deprecated(), stream=STREAM).when(
        lambda d: d.restore(1, reason=REASON, by="ana", policy=Policy())
    ).then(restored())
    facts = {"run": "bf-1", "logic_version": 1, "partitions": 2, "rows": 6}
    given(Dataset, *TWO, deprecated(), restored(), stream=STREAM).when(publish).then(
        Fact(Dataset.Published, "ana", facts)
    )


@pytest.mark.norm("N26")
def test_nothing_is_planned_under_a_deprecated_version_that_is_the_current_one():
    given(Dataset, *TWO, deprecated(2), stream=STREAM).when(lambda d: d.check_writable()).refused(
        DeprecatedVersionError, "version 2"
    )
    given(Dataset, *TWO, deprecated(1), stream=STREAM).when(lambda d: d.check_writable()).then()


@pytest.mark.norm("N26")
@pytest.mark.parametrize("version", [-1, 0, 3])
def test_only_versions_that_there_are_can_be_deprecated_or_restored(version: int):
    for command in ("deprecate", "restore"):
        given(Dataset, *TWO, stream=STREAM).when(
            lambda d, c=command: getattr(d, c)(version, reason=REASON, by="ana", policy=Policy())  # type: ignore[misc]  # mypy infers no lambda with a default
        ).refused(NoSuchVersionError, f"no version {version}")


@pytest.mark.norm("N26")
def test_a_version_is_deprecated_once_and_restored_once_with_a_reason():
    given(Dataset, *TWO, deprecated(), stream=STREAM).when(
        lambda d: d.deprecate(1, reason=REASON, by="ana", policy=Policy())
    ).refused(AlreadyDeprecatedError)
    given(Dataset, *TWO, stream=STREAM).when(lambda d: d.restore(1, reason=REASON, by="ana", policy=Policy())).refused(
        NotDeprecatedError, "is not deprecated"
    )
    for past, command in ((TWO, "deprecate"), ((*TWO, deprecated()), "restore")):
        given(Dataset, *past, stream=STREAM).when(
            lambda d, c=command: getattr(d, c)(1, reason="fix it", by="ana", policy=Policy())  # type: ignore[misc]  # mypy infers no lambda with a default
        ).refused(PlaceholderReasonError)


# -- protection

DAYS = {"first": "2024-01-03", "last": "2024-01-05", "reason": REASON}
PROTECTED = Fact(Dataset.PartitionsProtected, "ana", DAYS)
LIFTED = Fact(Dataset.PartitionsUnprotected, "ana", {**DAYS, "protection": REASON})
OTHER_REASON = "the vendor deleted these days at the source"
OTHER = Fact(Dataset.PartitionsProtected, "ben", {**DAYS, "reason": OTHER_REASON})


def unprotect(**changes: Any) -> Callable[[Dataset], object]:
    return lambda d: d.unprotect(
        day_of("2024-01-03"), day_of("2024-01-05"), **{"reason": REASON, "by": "ana", "policy": Policy(), **changes}
    )


@pytest.mark.norm("N4")
def test_days_that_are_held_for_two_reasons_are_let_go_twice():
    held = (registered(), PROTECTED, OTHER)
    error = given(Dataset, *held, stream=STREAM).when(unprotect()).refused(SeveralProtectionsError, "2 times")
    assert "--protection" in error.mend
    given(Dataset, *held, stream=STREAM).when(unprotect(protection="the case")).refused(NotProtectedError, "the case")
    left = given(Dataset, *held, stream=STREAM).when(unprotect(protection=REASON[:12])).then(LIFTED)
    assert [held.reason for held in left.protected] == [OTHER_REASON]
    # As version 1 of the event had it: all of that range.
    before = Fact(Dataset.PartitionsUnprotected, "ana", {**DAYS, "protection": None})
    given(Dataset, *held, before, stream=STREAM).when(unprotect()).refused(NotProtectedError, "nothing")
    given(Dataset, registered(), PROTECTED, stream=STREAM).when(
        lambda d: d.protect(day_of("2024-01-03"), day_of("2024-01-05"), reason=REASON, by="ben", policy=Policy())
    ).refused(AlreadyProtectedError, REASON)


@pytest.mark.norm("N4")
def test_nothing_is_published_into_protected_days_and_nothing_of_them_is_reverted():
    commands: list[Callable[[Dataset, list[Day]], object]] = [
        lambda d, days: d.publish("bf-1", logic_version=1, partitions=2, rows=6, changed=days, by="ana"),
        lambda d, days: d.revert("bf-1", changed=days, by="ana"),
    ]
    for command in commands:
        story = given(Dataset, registered(), versioned(), PROTECTED, stream=STREAM)
        story.when(lambda d, c=command: c(d, list(map(day_of, ("2024-01-02", "2024-01-05"))))).refused(ProtectedError)  # type: ignore[misc]  # mypy infers no lambda with a default
        free: Dataset = given(Dataset, registered(), versioned(), PROTECTED, stream=STREAM).aggregate
        command(free, [day_of("2024-01-02")])


@pytest.mark.norm("N4")
def test_only_who_may_protect_holds_days_and_lets_them_go():
    strict = Policy(may_protect=("ben",))
    given(Dataset, registered(), stream=STREAM).when(
        lambda d: d.protect(day_of("2024-01-03"), day_of("2024-01-05"), reason=REASON, by="ana", policy=strict)
    ).refused(NotAllowedError, "may not protect")
    given(Dataset, registered(), PROTECTED, stream=STREAM).when(unprotect(policy=strict)).refused(NotAllowedError)
    given(Dataset, registered(), PROTECTED, stream=STREAM).when(unprotect(policy=strict, by="ben")).then(
        Fact(Dataset.PartitionsUnprotected, "ben", {**DAYS, "protection": REASON})
    )


@pytest.mark.norm("N4")
@pytest.mark.parametrize(
    ("first", "last", "meets"),
    [
        *(("2024-01-01", "2024-01-02", False), ("2024-01-01", "2024-01-03", True), ("2024-01-04", "2024-01-04", True)),
        *(("2024-01-05", "2024-01-09", True), ("2024-01-06", "2024-01-09", False), ("2023-01-01", "2025-01-01", True)),
    ],
)
def test_protected_days_are_not_planned_over(first: str, last: str, meets: bool):
    for past in ((PROTECTED,), (PROTECTED, LIFTED)):
        story = given(Dataset, registered(), *past, stream=STREAM).when(
            lambda d: d.check_unprotected(day_of(first), day_of(last))
        )
        if meets and len(past) == 1:
            assert "tradex dataset unprotect" in story.refused(ProtectedError, REASON).mend
        else:
            story.then()


@pytest.mark.norm("N4")
def test_days_are_protected_and_set_free_by_their_very_range():
    given(Dataset, registered(), stream=STREAM).when(
        lambda d: d.protect(day_of("2024-01-03"), day_of("2024-01-05"), reason=REASON, by="ana", policy=Policy())
    ).then(PROTECTED)
    given(Dataset, registered(), PROTECTED, stream=STREAM).when(
        lambda d: d.unprotect(day_of("2024-01-03"), day_of("2024-01-05"), reason=REASON, by="ana", policy=Policy())
    ).then(LIFTED)
    given(Dataset, registered(), PROTECTED, stream=STREAM).when(
        lambda d: d.unprotect(day_of("2024-01-03"), day_of("2024-01-04"), reason=REASON, by="ana", policy=Policy())
    ).refused(NotProtectedError, r"protected is: 2024-01-03\.\.2024-01-05")
    given(Dataset, registered(), stream=STREAM).when(
        lambda d: d.unprotect(day_of("2024-01-03"), day_of("2024-01-05"), reason=REASON, by="ana", policy=Policy())
    ).refused(NotProtectedError, "nothing")
    given(Dataset, registered(), stream=STREAM).when(
        lambda d: d.protect(day_of("2024-01-05"), day_of("2024-01-03"), reason=REASON, by="ana", policy=Policy())
    ).refused(RangeError, "reversed")


def test_who_protects_or_sets_free_says_why():
    for past, command in (((registered(),), "protect"), ((registered(), PROTECTED), "unprotect")):
        given(Dataset, *past, stream=STREAM).when(
            lambda d, c=command: getattr(d, c)(  # type: ignore[misc]  # mypy infers no lambda with a default
                day_of("2024-01-03"), day_of("2024-01-05"), reason="because", by="ana", policy=Policy()
            )
        ).refused(PlaceholderReasonError)


# -- pruning

FILE = {"path": "old.parquet", "bytes": 30, "rows": 3, "sha256": "d" * 64}
FILES = [{**FILE, "partition": "2024-01-03", "logic_version": 1}]
GIVEN_UP = [ListedFile(LakeFile("old.parquet", 30, 3, "d" * 64), day_of("2024-01-03"), 1)]
PRUNE = digest_of(["silver_x", FILES])
LISTED = Fact(Dataset.PrunePlanned, "ana", {"files": FILES, "digest": PRUNE, "reason": REASON})
PRUNED = Fact(Dataset.FilesPruned, "ben", {"files": FILES, "digest": PRUNE, "planned_by": "ana"})
WAITING = (registered(), versioned(), LISTED)


@pytest.mark.norm("N4")
def test_files_are_given_up_by_a_plan_that_a_second_person_approves():
    story = given(Dataset, registered(), versioned(), stream=STREAM)
    story.when(lambda d: d.plan_prune(GIVEN_UP, reason=REASON, by="ana", policy=Policy())).then(LISTED)
    waiting = given(Dataset, *WAITING, stream=STREAM)
    assert waiting.when(lambda d: d.prune(PRUNE, by="ben", policy=Policy())).then(PRUNED).prune_plan is None


@pytest.mark.norm("N4")
@pytest.mark.parametrize("by", ["ana", "Ana ", "ＡＮＡ"])
def test_who_listed_the_files_does_not_approve_their_removal_in_any_spelling(by: str):
    error = (
        given(Dataset, *WAITING, stream=STREAM)
        .when(lambda d: d.prune(PRUNE, by=by, policy=Policy()))
        .refused(PruneRefusedError, "cannot approve")
    )
    assert error.code == "self-approval"


@pytest.mark.norm("N4")
def test_no_other_plan_than_the_one_on_record_is_pruned_and_that_once():
    for past, digest in ((WAITING, "f" * 64), (WAITING[:2], PRUNE), ((*WAITING, PRUNED), PRUNE)):
        given(Dataset, *past, stream=STREAM).when(
            lambda d, digest=digest: d.prune(digest, by="ben", policy=Policy())  # type: ignore[misc]  # mypy infers no lambda with a default
        ).refused(PruneRefusedError, "has no plan")


@pytest.mark.norm("N4")
def test_only_who_may_prune_does():
    given(Dataset, *WAITING, stream=STREAM).when(
        lambda d: d.prune(PRUNE, by="carla", policy=Policy(may_prune=("ben",)))
    ).refused(NotAllowedError, "carla may not prune")


@pytest.mark.norm("N4")
@pytest.mark.norm("N6")
def test_bronze_is_never_pruned():
    bronze = Fact(Dataset.Registered, "ana", {**registered().data, "layer": "bronze"})
    given(Dataset, bronze, versioned(), stream=STREAM).when(
        lambda d: d.plan_prune(GIVEN_UP, reason=REASON, by="ana", policy=Policy())
    ).refused(PruneRefusedError, "is Bronze")


def test_a_plan_to_prune_nothing_or_without_a_reason_is_refused():
    story = given(Dataset, registered(), versioned(), stream=STREAM)
    story.when(lambda d: d.plan_prune([], reason=REASON, by="ana", policy=Policy())).refused(
        PruneRefusedError, "nothing to prune"
    )
    story.when(lambda d: d.plan_prune(GIVEN_UP, reason="cleanup", by="ana", policy=Policy())).refused(
        PlaceholderReasonError
    )
