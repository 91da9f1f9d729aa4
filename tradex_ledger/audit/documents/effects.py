"""What readers will get otherwise once a plan is published, by what is on record as of a position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import orjson

from tradex_ledger.audit.documents.plan import Move
from tradex_ledger.audit.reader import Reader
from tradex_ledger.domain.day import day_of, iso
from tradex_ledger.domain.plan import Window
from tradex_ledger.relations.data import PROTECTIONS, Protection

_SHAPE = '[{"dataset":"VARCHAR","layer":"VARCHAR","logic_version":"BIGINT","first":"DATE","last":"DATE"}]'
_EFFECTS = f"""
    with planned as (
        select distinct
            w.dataset, w.layer, w.logic_version,
            unnest(generate_series(w.first, w.last, interval 1 day))::date as partition
        from (select unnest(from_json($1, '{_SHAPE}')) as w)
    ),
    there as (
        select p.dataset, p.partition, p.logic_version, v.component, v.logic_version as version_read,
            v.component is null or p.logic_version = v.logic_version as is_seen
        from partitions p
        join logic_versions v using (dataset)
        where v.is_read and p.dataset in (select dataset from planned)
    ),
    moved as (
        select distinct n.dataset, n.logic_version as version_after, v.logic_version as version_before, v.component
        from planned n
        join logic_versions v using (dataset)
        where v.is_read
    ),
    -- Readers of a dataset with a component get one version of it: days that are under the one before only are hidden.
    hidden as (
        select t.dataset, count(*) as days, min(t.partition) as first, max(t.partition) as last
        from there t
        join moved m using (dataset)
        where m.component is not null and m.version_after > m.version_before and t.logic_version = m.version_before
            and not exists (from planned n where n.dataset = t.dataset and n.partition = t.partition)
            and not exists (
                from there o
                where o.dataset = t.dataset and o.partition = t.partition and o.logic_version = m.version_after
            )
        group by t.dataset
    )
    select
        n.dataset, any_value(n.layer), any_value(m.version_before), any_value(m.version_after),
        min(n.partition), max(n.partition), count(distinct n.partition),
        count(distinct n.partition) filter (t.partition is null),
        coalesce(any_value(h.days), 0), any_value(h.first), any_value(h.last)
    from planned n
    left join moved m using (dataset)
    left join hidden h using (dataset)
    left join there t on t.dataset = n.dataset and t.partition = n.partition and t.is_seen
    group by n.dataset
    order by min(case n.layer when 'bronze' then 1 when 'silver' then 2 else 3 end), n.dataset
"""


class Effect(NamedTuple):
    """What readers of a dataset will get otherwise: days that are built anew, of which some are new; another version,
    and days that are hidden by it, since they are there under the version before only."""

    dataset: str
    layer: str
    version_before: int | None
    version_after: int | None
    first: date
    last: date
    days: int
    new_days: int
    hidden_days: int
    hidden_first: date | None
    hidden_last: date | None


@dataclass(frozen=True, slots=True)
class Effects:
    """What is approved with a plan: its effects on readers, where it moves the state, the backfills that it overlaps by
    permission, and the protections that stand in its way."""

    by_dataset: list[Effect]
    state: Move | None
    allow_overlap: list[str]
    protections: list[Protection]

    def differences(self, other: Effects) -> Iterator[str]:
        """What an approver who saw these has to know of the others: each in words. Days that came in since are none."""
        there = {one.dataset: one for one in other.by_dataset}
        for one in self.by_dataset:
            now = there.get(one.dataset, one)
            if now.version_before != one.version_before:
                yield f"readers of {one.dataset} get version {now.version_before} now, and not {one.version_before}"
            if now.hidden_days != one.hidden_days:
                yield f"{now.hidden_days} days of {one.dataset} would be hidden, and not {one.hidden_days}"
        for held in other.protections:
            if held not in self.protections:
                yield f"{held.dataset} is protected from {held.first} to {held.last} ({held.reason})"
        before, after = self.state, other.state
        if before and after and before.cursor_before != after.cursor_before:
            yield f"the cursor stands at {after.cursor_before or 'the beginning'}, and not at {before.cursor_before}"


def effects_of(reader: Reader, windows: Sequence[Window], allow_overlap: Sequence[str], state: Move | None) -> Effects:
    """The effects of some windows, as of the position of the reader."""
    planned = [
        {
            "dataset": window.dataset,
            "layer": window.layer,
            "logic_version": window.logic_version,
            "first": iso(window.first),
            "last": iso(window.last),
        }
        for window in windows
    ]
    over = ("partitions", "logic_versions")
    found = reader.ask(Effect, _EFFECTS, orjson.dumps(planned).decode(), over=over)
    return Effects(found, state, [*allow_overlap], list(_in_the_way(reader, found, windows)))


def _in_the_way(reader: Reader, found: Sequence[Effect], windows: Sequence[Window]) -> Iterator[Protection]:
    mine = {one.dataset for one in found}
    for held in reader.read(PROTECTIONS, "true order by position"):
        first, last = day_of(held.first), day_of(held.last)
        if held.dataset in mine and any(
            window.dataset == held.dataset and window.first <= last and first <= window.last for window in windows
        ):
            yield held
