"""Why a partition is as it is, as a document."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from tradex_ledger.audit.documents.form import BARE, IF_ANY
from tradex_ledger.audit.origins import Batch, Build
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.views import AsOf


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on a run: that it was approved, or released. By a person, or by a `rule` of the policy.

    `base` is the position that the plan stood on; `seen` and `checkpoint` what the approver was shown, `key` what it
    was signed with, where that is on record.
    """

    decision: str
    by: str
    at: str
    position: int
    rule: str | None = None
    reason: str | None = None
    plan_digest: str | None = None
    policy_digest: str | None = None
    base: int | None = None
    seen: int | None = None
    checkpoint: str | None = None
    is_signed: bool = False
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a run asked of its sources for Bronze: which, and rows of when: the cursors (UTC) as the event has them."""

    source: str
    cursor_from: str | None
    cursor_to: str


@dataclass(frozen=True, slots=True)
class RunBehind:
    """A run that made some of it: what was asked, by whom and why, who allowed it, and how much of this is its."""

    run_id: str
    kind: str
    status: str
    range_from: str | None
    range_to: str
    first_day: date | None
    last_day: date
    requested_by: str
    requested_at: datetime
    reason: str | None
    ticket: str | None
    decisions: list[Decision]
    extractions: list[Extraction]
    published_position: int | None
    builds: int
    batches: int


@dataclass(frozen=True, slots=True)
class LogicBehind:
    """A logic version that it was made by. `definition_sha256` is the digest (hex) of its text, `definition`."""

    dataset: str
    logic_version: int
    fingerprint: str
    reason: str
    indirect: str | None
    versioned_by: str
    versioned_at: datetime
    is_current: bool
    is_deprecated: bool
    definition_sha256: str
    definition: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a day as some run built it; `state` as `partition_history` has it."""

    position: int
    at: datetime
    run_id: str
    logic_version: int | None
    state: str
    outcome: str
    rows: int
    published_position: int | None
    published_at: datetime | None
    files: list[LakeFile]


@dataclass(frozen=True, slots=True)
class Behind:
    """The rows of a dataset that stand behind a row, the first of them; `total` are how many there are.

    `by` are the columns that they were found by.
    """

    dataset: str
    by: list[str]
    total: int
    rows: list[dict[str, Any]] = field(metadata=BARE)


@dataclass(frozen=True, slots=True)
class WhyDocument:
    """Why a partition of a dataset is as it is, as of a position.

    `version` is the one that readers get (None of Bronze, which is its batches), `written` the one that brought its
    file, where another did; `replaced` the one before. `runs` are in the order in which they were at it, `inputs` the
    builds (itself among them) and `batches` those of Bronze that it goes back to.
    """

    as_of: AsOf
    dataset: str
    layer: str
    partition: date
    logic_version: int | None
    rows: int
    version: Version | None
    written: Version | None
    replaced: Version | None
    others: list[Version]
    logic: list[LogicBehind]
    runs: list[RunBehind]
    inputs: list[Build]
    batches: list[Batch]
    warnings: list[str]
    row: list[Behind] = field(metadata=IF_ANY)
