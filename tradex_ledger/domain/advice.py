"""What should be done, as it is said to who asks: a request to make, a run to take further, something to know."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from tradex_ledger.domain.day import Day, date_of, iso
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.request import Request

REQUESTS = ("temporal", "logical")


@dataclass(frozen=True, slots=True)
class Refused:
    """Why something was not done."""

    code: str
    message: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Something to do, by its `kind`, with the command for it (None: no command does it).

    `outdated`, `resume`, `waiting`: a run, with its status. `temporal`, `logical`: a request for the days first..last
    of a dataset, of so many partitions (and posts, for late data); `first_cancel` are outdated backfills in its way;
    once it was made, `requested` is its id, or `refused` says why not. `rejected`: files at the source with lines that
    are no posts. `passed over`: a count of what is not read. `quarantined`: a count of late posts that are held back.
    `two days`: posts of a dataset that count on several days. `two contents`, `definition`: only said.
    """

    kind: str
    run: str | None = None
    dataset: str | None = None
    first: Day | None = None
    last: Day | None = None
    partitions: int | None = None
    files: int | None = None
    lines: int | None = None
    count: int | None = None
    posts: int | None = None
    days: tuple[Day, ...] | None = None
    status: str | None = None
    reason: str
    command: str | None
    first_cancel: tuple[str, ...] | None = None
    requested: str | None = None
    refused: Refused | None = None

    @property
    def is_request(self) -> bool:
        """Whether it can be submitted."""
        return self.kind in REQUESTS

    def as_request(self, group: str | None) -> Request | None:
        """The request that it stands for, if it is one, linked with the others of a group."""
        if not self.is_request or self.dataset is None or self.first is None or self.last is None:
            return None
        days = date_of(self.first), date_of(self.last)
        return Request(
            kind=self.kind,
            dataset=self.dataset,
            first=days[0],
            last=days[1],
            override_state=False,
            reason=self.reason,
            group=group,
        )

    def to_document(self) -> Facts:
        """As `--json` shows it: what does not belong to its kind is not there."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        found.update(
            first=None if self.first is None else iso(self.first),
            last=None if self.last is None else iso(self.last),
            days=None if self.days is None else [iso(day) for day in self.days],
            refused=None if self.refused is None else asdict(self.refused),
        )
        said = {name: value for name, value in found.items() if value is not None or name == "command"}
        return said if self.run is None else {**said, "status": self.status}
