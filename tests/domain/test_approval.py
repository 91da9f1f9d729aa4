"""Whose approval a plan needs: what an approver is told before anybody approves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.facts import plan, requested
from tradex_ledger.domain.approval import approval_of, in_words
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.request import RecordedRequest


def needed(policy: Policy, **request: Any) -> str:
    """The sentence for a request of ana's."""
    return in_words(approval_of(policy, RecordedRequest.from_event({**requested().data, **request}), [plan()], "ana"))


FORCED = {"kind": "forced", "ticket": "INC-4300"}


@pytest.mark.norm("N13")
@pytest.mark.parametrize(
    ("policy", "request_", "said"),
    [
        (Policy(), {}, "of anybody"),
        (Policy(may_approve=("ana", "ben")), {}, "of ana or ben"),
        (Policy(rule_max_partitions=1000), {}, "none: approved by rule (at most 1000 partitions)"),
        (Policy(rule_max_partitions=1000), FORCED, "of anybody but ana, who asked; ticket INC-4300; signed"),
        (Policy(may_approve=("Ana ", "ben"), may_force=("BEN", "ana")), FORCED, "of ben; ticket INC-4300; signed"),
        (Policy(may_force=("ana", "ben")), FORCED, "of ben; ticket INC-4300; signed"),
        (Policy(signed=()), FORCED, "of anybody but ana, who asked; ticket INC-4300"),
        (Policy(signed=("temporal", "forced"), rule_max_partitions=1000), {}, "of anybody; signed"),
        (Policy(may_force=("ana",)), FORCED, "of nobody there is: the policy lets no second person approve it"),
    ],
)
def test_a_plan_says_whose_approval_it_needs(policy: Policy, request_: dict[str, Any], said: str):
    assert needed(policy, **request_) == said
