"""The limits and permissions that a workspace sets for its runs. No I/O here; `config.py` reads `[policy]`."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tradex_ledger.domain.digest import digest_of
from tradex_ledger.domain.person import person
from tradex_ledger.errors import RefusedError

if TYPE_CHECKING:
    from tradex_ledger.domain.plan import Judged

ANYBODY = ("*",)
KINDS = ("temporal", "dataset", "logical", "forced")
ERASE = "erase"
"""What `signed` calls the erasure of rows, which is no backfill; it always takes two persons."""
_OF_OLD = (
    *("may_request", "may_approve", "may_force", "may_revert", "may_prune", "needs_approval"),
    *("rule_max_partitions", "rule_max_rows", "rule_max_source_calls", "window_partitions", "batch_mb"),
    *("max_partitions", "runs_per_dataset", "runs_in_all", "peak_hours", "peak_time_zone", "sla_minutes"),
    *("anomaly_drop_percent", "anomaly_rise_percent", "anomaly_mads", "anomaly_min_rows", "hold_on_anomaly"),
    "expire_days",
)
_SETTINGS_OF_BEFORE = (
    ("window_partitions", "max_partitions"),
    _OF_OLD,
    (*_OF_OLD, "may_protect"),
    (*_OF_OLD, "may_protect", "run_ahead_days"),
    (*_OF_OLD, "may_protect", "engine_sample_partitions"),
    (*_OF_OLD, "may_protect", "run_ahead_days", "engine_sample_partitions"),
)
"""The settings that digests of before covered, release by release. It is complete: digests are of texts since."""
UNSAID: dict[str, tuple[str, ...]] = {"signed": ()}
"""What a policy on record means that does not name a setting, where that is not its default: a rule that a later
release brings does not reach back to what was put on record without it."""
_FALLS_BACK = {"accept_engine": "approve", "set_keys": "set_policy"}
"""Deeds that are let to those of another deed, as long as nobody is named for them."""
_HOURS = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)")


_RECORDED = ", and record that: tradex policy set --reason …"
"""How a mend that edits `tradex.toml` goes on: the file alone has no effect."""


class TooLargeError(RefusedError):
    """The plan is larger than the policy allows (N32, N36)."""

    code = "too-large"

    def __init__(self, partitions: int, allowed: int, *, one_day: bool = False) -> None:
        what = "the plan of this one day" if one_day else "the plan"
        split = f"make several linked requests of it with --split, or raise max_partitions under [policy]{_RECORDED}"
        super().__init__(
            f"{what} has {partitions} partitions, the policy allows {allowed} a backfill",
            mend=f"a day cannot be split: raise max_partitions under [policy] to {partitions}{_RECORDED}"
            if one_day
            else split,
        )


class RunTooLargeError(RefusedError):
    """An incremental run would build more than the policy allows (N32)."""

    code = "run-too-large"

    def __init__(self, partitions: int, allowed: int, last: str, run_id: str | None) -> None:
        cancel = f"cancel it (tradex backfill cancel {run_id} --reason …), then take " if run_id else "take "
        super().__init__(
            f"the run has {partitions} partitions, the policy allows {allowed}",
            mend=f"{cancel}fewer days at once: tradex run --to {last}; "
            f"or raise max_partitions under [policy] to {partitions}{_RECORDED}",
        )


class NotAllowedError(RefusedError):
    """The policy does not give that right to that person."""

    code = "not-allowed"

    def __init__(self, action: str, by: str, allowed: tuple[str, ...]) -> None:
        super().__init__(
            f"{by} may not {action}: the policy allows it to {', '.join(allowed) or 'nobody'}",
            mend=f"ask one of them, or change may_{action} under [policy] in tradex.toml{_RECORDED}",
        )


class PeakHoursError(RefusedError):
    """In peak hours only what is urgent starts (N38)."""

    code = "peak-hours"

    def __init__(self, run_id: str, priority: str, hours: str, zone: str) -> None:
        super().__init__(
            f"{run_id} has the priority {priority}, and it is peak hours ({hours} {zone}): only urgent runs start",
            mend="wait for their end (a worker does); if it cannot wait, cancel it "
            f"(tradex backfill cancel {run_id} --reason …) and request it again with --priority urgent",
        )


def right(deed: str, usual: tuple[str, ...] = ANYBODY) -> tuple[str, ...]:
    """Who may do a deed: anybody (or what is `usual`), unless persons are named. Its words stand beside it in a fresh
    `tradex.toml`."""
    return field(default=usual, metadata={"deed": deed})


@dataclass(frozen=True, slots=True)
class Policy:
    """Bounds and permissions.

    Each deed has a right of its own; one more is one more field made by `right`. As long as nobody is named for
    `may_accept_engine`, that takes who may approve; for `may_set_keys`, who may set the policy.
    Counts are partitions, rows, calls, runs, days, hours, minutes, percents as their names say; 0 switches a bound off.
    `signed` are the kinds of which a person's approval is signed with that person's SSH key; no rule approves them.
    `erase` among them is the erasure of rows.
    `rule_…` bound what is approved by rule, without a person; with `rule_max_partitions` 0 nothing is.
    """

    may_request: tuple[str, ...] = right("ask for a backfill")
    may_approve: tuple[str, ...] = right("approve, reject or release what others asked for")
    may_force: tuple[str, ...] = right("request and approve forced backfills; never one person both")
    may_revert: tuple[str, ...] = right("take back what a backfill published")
    may_prune: tuple[str, ...] = right("plan to give up old files, and approve that; never one person both")
    may_protect: tuple[str, ...] = right("hold days of a dataset as they are, and let them go")
    may_run: tuple[str, ...] = right("take the pipeline on, and drive what is approved")
    may_work: tuple[str, ...] = right("be a worker: drive what is approved, close what expired, send alerts")
    may_bump: tuple[str, ...] = right("give changed logic a version")
    may_deprecate: tuple[str, ...] = right("mark a version: it is written no more")
    may_restore: tuple[str, ...] = right("take that back")
    may_pause: tuple[str, ...] = right("stop an approved backfill between two windows")
    may_resume: tuple[str, ...] = right("let it go on")
    may_cancel: tuple[str, ...] = right("end a run before it is published")
    may_gc: tuple[str, ...] = right("remove files that no event names")
    may_declare_lost: tuple[str, ...] = right("say that files are gone, and confirm that; never one person both")
    may_deliver: tuple[str, ...] = right("send alerts")
    may_retract: tuple[str, ...] = right("say which rows are to be shown no more")
    may_erase: tuple[str, ...] = right("erase rows because law asks for it; nobody, unless named; never one both", ())
    may_set_policy: tuple[str, ...] = right("change this policy; by two persons, unless anybody may")
    may_set_keys: tuple[str, ...] = right("add and revoke the keys that sign; unless set: who may change this policy")
    may_accept_engine: tuple[str, ...] = right("let an engine go on that gives other rows; unless set: who may approve")
    needs_approval: tuple[str, ...] = KINDS
    signed: tuple[str, ...] = ("forced",)
    rule_max_partitions: int = 0
    rule_max_rows: int = 0
    rule_max_source_calls: int = 0
    run_max_source_rows: int = 0
    run_max_source_calls: int = 0
    run_max_source_cents: int = 0
    month_max_source_rows: int = 0
    month_max_source_calls: int = 0
    month_max_source_cents: int = 0
    window_partitions: int = 30
    batch_mb: int = 16
    max_partitions: int = 50_000
    run_ahead_days: int = 31
    runs_per_dataset: int = 1
    runs_in_all: int = 4
    peak_hours: str = ""
    peak_time_zone: str = "UTC"
    sla_minutes: int = 0
    anomaly_drop_percent: int = 50
    anomaly_rise_percent: int = 0
    anomaly_mads: int = 6
    anomaly_min_rows: int = 20
    hold_on_anomaly: bool = False
    expire_days: int = 30
    clock_hours: int = 72
    engine_sample_partitions: int = 3
    recorded_text: str = field(default="", compare=False, repr=False)

    @property
    def digest(self) -> str:
        """What plans and approvals record of the policy that they were made under: of its text on record.

        A later release knows more settings; the text, and with it the digest, stays what it is.
        """
        return text_digest(self.recorded_text or written(self))

    def digests(self) -> set[str]:
        """The digest, and those that releases without a record of policies wrote of this one.

        They covered the settings that there were. Of a policy that makes use of a newer one, they would say nothing.
        """
        values, defaults = asdict(self), asdict(Policy())
        found = {self.digest}
        for names in _SETTINGS_OF_BEFORE:
            newer = (name for name in settings() if name not in names)
            if all(values[name] in {defaults[name], UNSAID.get(name, defaults[name])} for name in newer):
                found.add(digest_of({name: values[name] for name in names}))
        return found

    def differences(self, other: Policy) -> dict[str, tuple[object, object]]:
        """The settings that are other in another policy: name → (here, there)."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in settings()}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def check_may(self, action: str, by: str) -> None:
        """Raise `NotAllowedError` unless the person may do that: `request`, `approve`, … as the fields are named."""
        if action in _FALLS_BACK and getattr(self, f"may_{action}") == ANYBODY:
            action = _FALLS_BACK[action]
        allowed: tuple[str, ...] = getattr(self, f"may_{action}")
        if allowed != ANYBODY and person(by) not in {person(name) for name in allowed}:
            raise NotAllowedError(action, by, allowed)

    def check_size(self, partitions: int, *, one_day: bool = False) -> None:
        """Raise `TooLargeError` above the bound; a request of one day cannot be split."""
        if self.max_partitions and partitions > self.max_partitions:
            raise TooLargeError(partitions, self.max_partitions, one_day=one_day)

    def rule_for(self, kind: str, judged: Judged) -> str | None:
        """The rule by which such plans are approved without a person; None when a person must look (forced: always)."""
        if kind == "forced" or kind in self.signed:
            return None
        if kind not in self.needs_approval:
            return f"{kind} backfills need no approval"
        if not self.rule_max_partitions or judged.partitions > self.rule_max_partitions:
            return None
        for bound, most in ((self.rule_max_rows, judged.rows), (self.rule_max_source_calls, judged.source_calls)):
            if bound and (most is None or most > bound):
                return None  # what nobody can estimate is no small thing: a person looks
        return f"at most {self.rule_max_partitions} partitions"

    def is_overdue(self, since: str, now: datetime) -> bool:
        """Whether something waits for a second person since a time (ISO 8601; "" is never) for too long."""
        return bool(self.expire_days and since) and now - datetime.fromisoformat(since) > timedelta(self.expire_days)

    def beyond_sla(self, approved_at: str, now: datetime) -> tuple[int, int] | None:
        """What the time from an approval on may be, and what it is (milliseconds), where it is longer than that."""
        if not self.sla_minutes or not approved_at:
            return None
        elapsed = now - datetime.fromisoformat(approved_at)
        elapsed_ms, allowed_ms = round(elapsed.total_seconds() * 1000), self.sla_minutes * 60_000
        return (allowed_ms, elapsed_ms) if elapsed_ms > allowed_ms else None

    def in_peak(self, now: datetime) -> bool:
        """Whether a moment (with time zone) lies in the peak hours; hours may run past midnight."""
        if not self.peak_hours:
            return False
        start, end = peak_bounds(self.peak_hours)
        local = now.astimezone(ZoneInfo(self.peak_time_zone)).time()
        return start <= local < end if start <= end else local >= start or local < end

    def check_may_start(self, run_id: str, priority: str, now: datetime) -> None:
        """Raise `PeakHoursError` for what is not urgent, in peak hours (N38)."""
        if priority != "urgent" and self.in_peak(now):
            raise PeakHoursError(run_id, priority, self.peak_hours, self.peak_time_zone)


def settings() -> tuple[str, ...]:
    """The names of all settings, in order."""
    return tuple(f.name for f in fields(Policy) if f.name != "recorded_text")


def written(policy: Policy) -> str:
    """Every setting of a policy on a line of its own, as TOML: the text that goes on record."""
    values = {name: getattr(policy, name) for name in settings()}
    return "".join(f"{name} = {_toml(value)}\n" for name, value in values.items())


def _toml(value: object) -> str:
    """A value as TOML writes it: as JSON does, which lets only DEL stand."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def text_digest(text: str) -> str:
    """SHA-256 (hex) of a policy's text on record."""
    return hashlib.sha256(text.encode()).hexdigest()


def deeds() -> dict[str, str]:
    """Each right by the name of its field, with what it allows."""
    return {f.name: f.metadata["deed"] for f in fields(Policy) if "deed" in f.metadata}


def peak_bounds(text: str) -> tuple[time, time]:
    """The start (included) and end (excluded) of hours written `13:30-20:00`. Raises `ValueError`."""
    found = _HOURS.fullmatch(text.replace(" ", ""))
    if found is None:
        raise ValueError(text)
    return time.fromisoformat(found[1]), time.fromisoformat(found[2])
