"""What happened, in order: the log of all streams, and the story of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NamedTuple, TypedDict, Unpack

from tradex_ledger.audit.documents.form import HIDDEN
from tradex_ledger.datasets.definition import UnknownDatasetError
from tradex_ledger.domain.base import EVENTS
from tradex_ledger.domain.day import last_before
from tradex_ledger.domain.facts import facts_of
from tradex_ledger.domain.person import person, sought
from tradex_ledger.errors import UsageError
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.ledger.ask import PAGE, About, events_of, has_stream, newest, newest_first
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.ledger.rows import BrokenRowError, entry_of
from tradex_ledger.ledger.select import Store
from tradex_ledger.views import Asked, AsOf, begun, between, resolve

_STATE = ("pipeline_state.opened", "pipeline_state.advanced", "pipeline_state.overridden")


class UnknownTopicError(UsageError):
    """There is no event of that topic: an empty answer would say that nothing of it happened."""

    code = "unknown-topic"

    def __init__(self, topic: str) -> None:
        near = get_close_matches(topic, EVENTS, n=3) or sorted(EVENTS)
        super().__init__(f"there is no event {topic!r}", mend=f"topics are: {', '.join(near)}")


@dataclass(frozen=True, slots=True)
class Log:
    """Events (newest last) and the position they are an answer as of; where the state stood when a request was made
    to move it, by the request's position."""

    as_of: AsOf
    events: list[Entry]
    cursors: dict[int, str | None] = field(default_factory=dict, metadata=HIDDEN)


class _Asked(NamedTuple):
    cursor_from: str | None
    cursor_to: str


class _Epoch(NamedTuple):
    lost_position: int
    lost_epoch: int
    base: int


class _Proposed(NamedTuple):
    proposed_by: str | None


class _Written(NamedTuple):
    """A partition that was rebuilt, or to which a batch was appended: its day, how many rows, what came of it."""

    dataset: str
    partition: str
    rows: int
    outcome: str = "appended"


class Line(NamedTuple):
    """An event (or many of one kind) for reading; position and time are those of the last."""

    position: int
    at: str
    by: str
    stream: str
    event: str
    what: str


class LogOptions(TypedDict, total=False):
    """Which events are meant: of a stream or naming that run, of topics, of a run (by a beginning of its id) or
    a dataset and naming it, by a person; from `since` until `until`, both included, as `views.between` has it."""

    stream: str | None
    topics: Sequence[str]
    by: str | None
    run: str | None
    dataset: str | None
    since: str | None
    until: str | None


def log(ledger: Ledger, *, limit: int | None = None, as_of: Asked = None, **wanted: Unpack[LogOptions]) -> Log:
    """The newest `limit` entries (all without one) of those that are meant.

    Raises: `UnknownTopicError`, `UnknownDatasetError`, and what `find_run` and `views.resolve` raise.
    """
    position = resolve(ledger.store, as_of)
    topics = list(wanted.get("topics", ()))
    for topic in topics:
        if topic not in EVENTS:
            raise UnknownTopicError(topic)
    store, entries = ledger.store, []
    first, last = between(store, wanted.get("since"), wanted.get("until"))
    if (run := wanted.get("run")) is not None:
        run = ledger.find_run(run)
        first = max(first, begun(store, run))
    who = sought(wanted.get("by"))
    about = About(run or wanted.get("stream") or "", _known(store, wanted.get("dataset")), who)
    page = PAGE if limit is None or who else limit
    before = min(position.position, last) + 1
    for row in newest_first(store, topics, before=before, after=first - 1, about=about, page=page):
        entry = entry_of(ledger.id, row)
        if not who or person(entry.by) == who:
            entries.append(entry)
        if limit is not None and len(entries) == limit:
            break
    asked = (entry.position for entry in entries if entry.data.get("override_state"))
    return Log(position, list(reversed(entries)), {at: _cursor_before(ledger, at) for at in asked})


def _known(store: Store, dataset: str | None) -> str:
    """A dataset, as far as one is meant. Raises `UnknownDatasetError`."""
    if dataset is not None and not has_stream(store, f"dataset-{dataset}"):
        known = [told.stream.removeprefix("dataset-") for told in events_of(store, ["dataset.registered"])]
        raise UnknownDatasetError(dataset, known)
    return dataset or ""


def _cursor_before(ledger: Ledger, position: int) -> str | None:
    """Where the state stood before an event."""
    moved = newest(ledger.store, _STATE, before=position)
    cursor: str | None = entry_of(ledger.id, moved).data.get("cursor") if moved else None
    return cursor


def story(found: Log) -> Iterator[Line]:
    """Events for reading: a sentence each, and one line for the many partitions of a window or batch."""
    group: list[Entry] = []
    for entry in found.events:
        if group and not _belongs(group[-1], entry):
            yield _line(group, found)
            group = []
        group.append(entry)
    if group:
        yield _line(group, found)


def _belongs(last: Entry, entry: Entry) -> bool:
    return (
        entry.topic in ("run.partition_rebuilt", "run.batch_appended")
        and (last.topic, last.stream, last.by) == (entry.topic, entry.stream, entry.by)
        and last.data.get("dataset") == entry.data.get("dataset")
    )


def _line(group: list[Entry], found: Log) -> Line:
    first, last = group[0], group[-1]
    try:
        what = _many(group) if len(group) > 1 else _sentence(first, found.cursors)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise BrokenRowError(last.position, f"its facts are not those of {last.topic}") from error
    return Line(last.position, last.at, last.by, last.stream, last.topic, what)


def _many(group: list[Entry]) -> str:
    written = [facts_of(_Written, entry.data) for entry in group]
    days = sorted(one.partition for one in written)
    outcomes = Counter(one.outcome for one in written)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    total = sum(one.rows for one in written)
    return f"{written[0].dataset} {days[0]}..{days[-1]}: {len(written)} partitions ({counts}), {total} rows"


def _how(entry: Entry, cursors: dict[int, str | None]) -> dict[str, object]:
    """What a sentence says that is no fact of the event, but follows from some."""
    data = entry.data
    match entry.topic:
        case "backfill.requested":
            before = cursors.get(entry.position) or "the beginning"
            return {"move": f" (state: {before} -> {data['cursor']})" if entry.position in cursors else ""}
        case "incremental_run.started":
            asked = facts_of(_Asked, data)
            return {
                "first": asked.cursor_from[:10] if asked.cursor_from else "beginning",
                "last": last_before(asked.cursor_to),
            }
        case "backfill.planned":
            read = data.get("state_read")
            return {"read": f", for days before {read}, where the state stood" if read else ""}
        case "backfill.approved":
            how = f"by rule ({data['rule']}): " if data["rule"] else ""
            key = data.get("key")
            return {"how": how, "signed": f", signed with {key}" if key else ""}
        case "lake.epoch_planned" | "lake.epoch_begun":
            epoch = facts_of(_Epoch, data)
            head = f"the head {epoch.lost_position} (epoch {epoch.lost_epoch}) is lost"
            return {"how": head if epoch.lost_position > epoch.base else "nothing is known to be lost"}
        case "policy.set":
            by = facts_of(_Proposed, data).proposed_by
            return {"how": f", proposed by {by}" if by else ""}
        case "policy.rejected":
            by = facts_of(_Proposed, data).proposed_by
            return {"how": "withdrawn" if by and person(entry.by) == person(by) else "rejected"}
    return {}


def _sentence(entry: Entry, cursors: dict[int, str | None]) -> str:
    """One event in a few words: those of its facts that a reader asks for first."""
    data = {**entry.data, **_how(entry, cursors), "n_files": len(entry.data.get("files") or ())}
    template = _TEMPLATES.get(entry.topic)
    if template is None:
        return ", ".join(f"{name} {value}" for name, value in entry.data.items() if isinstance(value, str | int))[:160]
    shown = {name: (value if value is not None else "-") for name, value in data.items()}
    for name in ("plan_digest", "digest", "before", "fingerprint"):
        if isinstance(shown.get(name), str) and not str(shown[name]).startswith("SHA256:"):
            shown[name] = str(shown[name])[:12]
    return template.format(**shown)


_TEMPLATES = {
    "backfill.requested": "{kind} backfill of {dataset} {first}..{last}, override_state={override_state}{move}: "
    "{reason}",
    "backfill.planned": "planned on position {base}, plan {digest}{read}",
    "backfill.approved": "approved {how}plan {plan_digest}{signed}",
    "backfill.rejected": "rejected plan {plan_digest}: {reason}",
    "backfill.cancelled": "cancelled: {reason}",
    "backfill.failed": "failed: {reason}",
    "backfill.completed": "completed",
    "backfill.expired": "expired: nobody approved it in {days} days",
    "backfill.paused": "paused: {reason}",
    "backfill.resumed": "resumed",
    "backfill.state_overridden": "state of {pipeline} moved from {cursor_before} to {cursor}: {ticket}, "
    "asked for by {requested_by}, approved by {approved_by}, on {host}",
    "backfill.reverted": "reverted: {reason}",
    "source.looked": "looked at {source}",
    "ledger.clock_held_back": "the clock said {clock}, before the last event: what follows bears the time {last_at}",
    "ledger.clock_accepted": "vouched for the clock: it said {clock}, the last known time was {believed}",
    "ledger.cursor_ahead": "the cursor of {pipeline} lies in the future: {cursor}, by a clock that said {clock}",
    "run.anomaly_detected": "{dataset} {partition}: {observed} rows, expected {expected} (rule: {rule})",
    "run.contents_differed": "{dataset} {partition}: other content than that of {earlier_run}, from the same inputs",
    "run.sla_exceeded": "beyond its SLA at {layer}: {elapsed_ms} ms, {allowed_ms} ms are allowed",
    "run.held": "held before publication: {why}",
    "run.released": "released: {reason}",
    "incremental_run.cancelled": "cancelled: {reason}",
    "dataset.reverted": "publication of {run} taken back",
    "dataset.version_deprecated": "version {logic_version} deprecated: {reason}",
    "dataset.version_restored": "version {logic_version} restored: {reason}",
    "dataset.partitions_protected": "{first}..{last} protected: {reason}",
    "dataset.partitions_unprotected": "{first}..{last} not protected any more: {reason}",
    "dataset.prune_planned": "plan {digest} to prune: {reason}",
    "dataset.files_pruned": "plan {digest} to prune carried out, planned by {planned_by}",
    "dataset.loss_declared": "{n_files} files declared lost ({digest}), to be confirmed: {reason}",
    "dataset.files_lost": "{n_files} files are lost ({digest}), declared by {declared_by}: {reason}",
    "dataset.erasure_planned": "plan {digest} to erase rows from {n_files} files ({ticket}): {reason}",
    "dataset.erasure_approved": "plan {plan_digest} of {planned_by} to erase rows approved",
    "dataset.files_erased": "rows erased from {n_files} files by plan {digest} of {planned_by} ({ticket}): {reason}",
    "dataset.erasure_ended": "erasure {digest} ended: {removed_files} files are gone, {erased_rows} rows with them",
    "lake.opened": "what is done to the lake as a whole is told from position {position} on",
    "lake.collected": "{n_files} files that no event named removed, {bytes} bytes: {reason}",
    "lake.epoch_planned": "epoch {epoch} asked for, {how}, plan {digest}: {reason}",
    "lake.epoch_begun": "epoch {epoch} begun, asked for by {planned_by}; {how}: {reason}",
    "lake.ledger_move_planned": "a move to {to} asked for, as epoch {epoch}, plan {digest}: {reason}",
    "lake.ledger_moved": "moved to {to}, asked for by {planned_by}: {reason}",
    "pipeline_state.overridden": "from {cursor_before} to {cursor} by {run}",
    "policy.recorded": "policy {digest} on record ({origin})",
    "policy.proposed": "policy {digest} proposed in place of {before}: {reason}",
    "policy.rejected": "proposed policy {digest} of {proposed_by} {how}: {reason}",
    "policy.expired": "proposed policy {digest} of {proposed_by} expired: nobody answered it in {days} days",
    "policy.set": "policy {digest} in place of {before}{how}: {reason}",
    "approver_keys.opened": "keys that sign approvals are on record from here on",
    "approver_keys.proposed": "key {fingerprint} of {name} proposed: {reason}",
    "approver_keys.rejected": "proposed key {fingerprint} refused: {reason}",
    "approver_keys.added": "key {fingerprint} of {name} signs approvals: {reason}",
    "approver_keys.revoked": "key {fingerprint} of {name} revoked: {reason}",
    "alerts.opened": "alerts are delivered from position {position} on",
    "alerts.receiver_reached": "alert of position {position} delivered to the receiver {receiver}",
    "alerts.delivered": "alert of position {position} delivered to {receivers} receivers",
    "incremental_run.started": "set out over {first}..{last}",
    "incremental_run.succeeded": "succeeded",
    "incremental_run.failed": "failed: {reason}",
    "run.layer_started": "{layer} started, attempt {attempt}",
    "run.layer_completed": "{layer} completed: {partitions} partitions, {rows} rows, {duration_ms} ms",
    "run.layer_failed": "{layer} failed, attempt {attempt}: {message}",
    "run.plan_extended": "plan extended on position {base}: {reason}",
    "run.partition_rebuilt": "{dataset} {partition}: {outcome}, {rows} rows",
    "run.batch_appended": "{dataset} {partition}: {rows} rows appended, {dropped} duplicates dropped",
    "run.published": "published on position {base}",
    "dataset.registered": "{name} registered in {layer}",
    "dataset.logic_versioned": "version {logic_version}, fingerprint {fingerprint}: {reason}",
    "dataset.engine_checked": "{engine} under version {logic_version}: {verdict}",
    "dataset.engine_accepted": "{engine} accepted under version {logic_version}: {reason}",
    "dataset.published": "{partitions} partitions by {run}",
    "pipeline_state.opened": "{pipeline} opened at {cursor}",
    "pipeline_state.advanced": "from {cursor_before} to {cursor} by {run}",
}
