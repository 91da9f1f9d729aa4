"""The limits and permissions of a workspace."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import pytest

from tests.kit.facts import submit
from tradex_ledger.domain.person import ActorNameError, check_actor, person
from tradex_ledger.domain.plan import Judged
from tradex_ledger.domain.policy import (
    KINDS,
    NotAllowedError,
    PeakHoursError,
    Policy,
    TooLargeError,
    peak_bounds,
)

ACTIONS = tuple(field.name.removeprefix("may_") for field in fields(Policy) if field.name.startswith("may_"))


@pytest.mark.norm("N13")
@pytest.mark.parametrize("action", ACTIONS)
def test_each_right_belongs_to_those_whom_the_policy_names(action: str):
    strict = Policy(**{f"may_{action}": ("ana", "Ben")})  # type: ignore[arg-type]  # one setting, by its name
    for by in ("ana", "ANA", "ben", " Ben  "):
        strict.check_may(action, by)
    with pytest.raises(NotAllowedError, match=f"carla may not {action}.*ana, Ben") as caught:
        strict.check_may(action, "carla")
    assert f"may_{action}" in caught.value.mend
    follow = {"approve": "accept_engine", "set_policy": "set_keys"}
    for other in set(ACTIONS) - {action, "erase", follow.get(action)}:
        strict.check_may(other, "carla")


def test_nobody_erases_unless_persons_are_named():
    with pytest.raises(NotAllowedError, match="ana may not erase: the policy allows it to nobody"):
        Policy().check_may("erase", "ana")


def test_who_may_approve_accepts_engines_until_somebody_is_named_for_that():
    with pytest.raises(NotAllowedError, match="may not approve"):
        Policy(may_approve=("ben",)).check_may("accept_engine", "ana")
    both = Policy(may_approve=("ben",), may_accept_engine=("ana",))
    both.check_may("accept_engine", "ana")
    with pytest.raises(NotAllowedError, match="may not accept_engine"):
        both.check_may("accept_engine", "ben")


def test_who_may_set_the_policy_sets_keys_until_somebody_is_named_for_that():
    with pytest.raises(NotAllowedError, match="may not set_policy"):
        Policy(may_set_policy=("ben",)).check_may("set_keys", "ana")
    both = Policy(may_set_policy=("ben",), may_set_keys=("ana",))
    both.check_may("set_keys", "ana")
    with pytest.raises(NotAllowedError, match="may not set_keys"):
        both.check_may("set_keys", "ben")


@pytest.mark.norm("N13")
@pytest.mark.parametrize("action", ACTIONS)
def test_a_right_of_nobody_is_nobodys(action: str):
    with pytest.raises(NotAllowedError, match="nobody"):
        Policy(**{f"may_{action}": ()}).check_may(action, "ana")  # type: ignore[arg-type]  # one setting, by its name


@pytest.mark.norm("N5")
def test_who_may_not_request_requests_nothing():
    with pytest.raises(NotAllowedError, match="ana may not request"):
        submit(policy=Policy(may_request=("ben",)))


def test_spellings_of_a_name_are_one_person_and_names_are_not():
    assert person(" Ana  María ") == person("ana maría") == person("ANA MARI\u0301A")
    assert person("ana") != person("anna")


@pytest.mark.norm("N13")
@pytest.mark.parametrize(
    "name",
    [
        "an\u200ba",
        "a\u00adna",
        "\ufeffana",
        "an\u034fa",
        "ana\ufe0f",
        "\u3164ana",
        "ana\u115f",
        "\u2800ana",
        "ana\u0332",
        "ana\u20dd",
        "ana\u2065",
        "ana\ufff0",
        "ana\U000e0000",
        "ana\U0001d159",
    ],
)
def test_what_cannot_be_seen_or_is_only_laid_over_makes_no_other_person(name: str):
    assert person(name) == "ana"


@pytest.mark.norm("N13")
@pytest.mark.parametrize(
    "name", ["", " \t", "\u3164", "\u200b\u2800", "\u0332", "…", "\u0430na", "an\u03b1", "maria@\u0435xample.org"]
)
def test_a_name_that_hides_who_it_is_is_none(name: str):
    assert check_actor_fails(name).code == "actor-name"


def check_actor_fails(name: str) -> ActorNameError:
    with pytest.raises(ActorNameError) as caught:
        check_actor(name)
    assert "--as NAME" in (caught.value.mend or "")
    return caught.value


@pytest.mark.parametrize(
    "name", ["ana", "Ana María", "Нина", "Νίκος", "田中 Taro", "etl-07", "Нина (ops)", "ａｎａ", "an\u200ba"]
)
def test_names_of_any_alphabet_are_names(name: str):
    assert check_actor(name) == name


@pytest.mark.norm("N32")
@pytest.mark.norm("N36")
def test_a_plan_beyond_the_bound_is_refused_with_the_split_as_its_mend():
    Policy(max_partitions=10).check_size(10)
    Policy(max_partitions=0).check_size(10**9)
    with pytest.raises(TooLargeError, match="11 partitions, the policy allows 10") as caught:
        Policy(max_partitions=10).check_size(11)
    assert "--split" in caught.value.mend
    with pytest.raises(TooLargeError) as caught:
        Policy(max_partitions=10).check_size(11, one_day=True)
    assert "--split" not in caught.value.mend


def judged(partitions: int, rows: int | None = None, source_calls: int | None = None) -> Judged:
    return Judged(partitions, rows, source_calls)


@pytest.mark.norm("N9")
@pytest.mark.parametrize(
    ("policy", "partitions", "cost", "approved"),
    [
        (Policy(), 1, {}, False),
        (Policy(rule_max_partitions=5), 5, {}, True),
        (Policy(rule_max_partitions=5), 6, {}, False),
        (Policy(rule_max_partitions=5, rule_max_rows=100), 5, {"rows": 100}, True),
        (Policy(rule_max_partitions=5, rule_max_rows=100), 5, {"rows": 101}, False),
        (Policy(rule_max_partitions=5, rule_max_source_calls=2), 5, {"source_calls": 3}, False),
        (Policy(rule_max_partitions=5, rule_max_source_calls=2), 5, {"source_calls": 2}, True),
        (Policy(rule_max_partitions=5, rule_max_source_calls=2), 5, {"rows": 3}, False),
        (Policy(needs_approval=("forced",)), 1000, {"rows": 10**9}, True),
    ],
)
def test_a_rule_approves_what_is_small_enough(policy: Policy, partitions: int, cost: dict[str, int], approved: bool):
    assert (policy.rule_for("temporal", judged(partitions, **cost)) is not None) is approved


@pytest.mark.norm("N13")
@pytest.mark.parametrize("kind", KINDS)
def test_forced_alone_is_never_approved_by_rule(kind: str):
    for policy in (Policy(needs_approval=()), Policy(rule_max_partitions=10**9)):
        assert (policy.rule_for(kind, judged(1)) is None) is (kind == "forced")


@pytest.mark.norm("N38")
@pytest.mark.parametrize(
    ("hours", "zone", "now", "peak"),
    [
        ("", "UTC", "12:00", False),
        ("13:30-20:00", "UTC", "13:29", False),
        ("13:30-20:00", "UTC", "13:30", True),
        ("13:30-20:00", "UTC", "20:00", False),
        ("22:00-06:00", "UTC", "23:00", True),
        ("22:00-06:00", "UTC", "05:59", True),
        ("22:00-06:00", "UTC", "06:00", False),
        ("09:30-16:00", "America/New_York", "14:29", False),
        ("09:30-16:00", "America/New_York", "14:30", True),
    ],
)
def test_in_peak_hours_only_what_is_urgent_starts(hours: str, zone: str, now: str, peak: bool):
    policy = Policy(peak_hours=hours, peak_time_zone=zone)
    moment = datetime.fromisoformat(f"2024-01-15T{now}:00+00:00").astimezone(UTC)
    assert policy.in_peak(moment) is peak
    policy.check_may_start("bf-1", "urgent", moment)
    for priority in ("low", "normal", "high"):
        if peak:
            with pytest.raises(PeakHoursError, match=f"priority {priority}"):
                policy.check_may_start("bf-1", priority, moment)
        else:
            policy.check_may_start("bf-1", priority, moment)


@pytest.mark.parametrize("text", ["", "13:30", "13:30-", "-20:00", "25:00-26:00", "noon-night", "13:30-20:00+02:00"])
def test_hours_of_another_form_are_no_hours(text: str):
    with pytest.raises(ValueError, match=r".*"):
        peak_bounds(text)


@pytest.mark.norm("N9")
def test_the_digest_of_a_policy_says_when_any_setting_is_another():
    assert Policy().digest == Policy().digest
    assert len({Policy().digest, Policy(max_partitions=9).digest, Policy(may_force=("ana",)).digest}) == 3
