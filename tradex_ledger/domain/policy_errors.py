"""What stands in the way of a change of the policy on record. No I/O here."""

from __future__ import annotations

from tradex_ledger.domain.plan import SHORTEST_DIGEST
from tradex_ledger.errors import NotFoundError, RefusedError


class NoPolicyError(RefusedError):
    """The ledger is of before policies were on record: nothing says what may be done."""

    code = "no-policy"

    def __init__(self) -> None:
        super().__init__(
            "the ledger has no policy on record: nothing is changed by a rule that it does not hold",
            mend="take over [policy] of tradex.toml, under which the last plan was made: tradex policy adopt",
        )


class PolicyThereError(RefusedError):
    """A policy is adopted once."""

    code = "policy-there"

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"the ledger has a policy on record already ({digest[:12]})",
            mend="to change it: tradex policy set --reason …",
        )


class OtherPolicyError(RefusedError):
    """The last plan was made under another policy than the one to be adopted."""

    code = "other-policy"

    def __init__(self, planned: str) -> None:
        super().__init__(
            f"the last plan was made under a policy of the digest {planned[:12]}; that of tradex.toml is another",
            mend="put [policy] in tradex.toml back to what it was then (settings that are newer stay out), adopt it, "
            "and change it after that: tradex policy set --reason …",
        )


class SamePolicyError(RefusedError):
    """There is nothing to change."""

    code = "same-policy"

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"[policy] in tradex.toml says what is on record already ({digest[:12]})",
            mend="edit [policy] in tradex.toml first",
        )


class NobodyElseError(RefusedError):
    """Under such a policy nobody could ever change it again."""

    code = "nobody-else"

    def __init__(self, only: str) -> None:
        super().__init__(
            f"may_set_policy names {only} alone, and nobody else may approve: no second person could ever approve a "
            "change",
            mend="name two persons for may_set_policy, or somebody else for may_approve",
        )


class NoProposalError(NotFoundError):
    """No such change of the policy waits for a second person."""

    code = "no-proposal"

    def __init__(self, given: str, waits: str | None) -> None:
        waiting = f"the one that waits is {waits[:SHORTEST_DIGEST]}" if waits else "none waits"
        super().__init__(
            f"no proposed policy {given!r} waits for its approval: {waiting}",
            mend=f"give {SHORTEST_DIGEST} digits of its digest; see: tradex policy show",
        )


class OwnProposalError(RefusedError):
    """Who proposed a policy does not approve it."""

    code = "self-approval"

    def __init__(self, by: str) -> None:
        super().__init__(f"{by} proposed this policy and cannot approve it", mend="ask somebody else")


class ExpiredProposalError(RefusedError):
    """The proposal waited too long; whoever approved it now would not know what it was made on."""

    code = "expired"

    def __init__(self, digest: str, days: int) -> None:
        super().__init__(
            f"the proposed policy {digest[:SHORTEST_DIGEST]} has waited for more than {days} days: it has expired",
            mend="propose it again: tradex policy set --reason …",
        )
