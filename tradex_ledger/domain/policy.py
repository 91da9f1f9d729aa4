"""The limits that a workspace sets for its runs. No I/O here; `config.py` reads them from `tradex.toml`."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tradex_ledger.domain.plan import digest_of
from tradex_ledger.errors import RefusedError


class TooLargeError(RefusedError):
    """The plan is larger than the policy allows (N32, N36)."""

    code = "too-large"

    def __init__(self, partitions: int, allowed: int) -> None:
        super().__init__(
            f"the plan has {partitions} partitions, the policy allows {allowed} a backfill",
            mend="split the range, or raise max_partitions under [policy] in tradex.toml",
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """Bounds on windows and plans; counts are partitions (N32, N36)."""

    window_partitions: int = 30
    max_partitions: int = 50_000

    @property
    def digest(self) -> str:
        """What a plan records of the policy it was made under."""
        return digest_of(asdict(self))

    def check_size(self, partitions: int) -> None:
        """Raise `TooLargeError` above the bound."""
        if partitions > self.max_partitions:
            raise TooLargeError(partitions, self.max_partitions)
