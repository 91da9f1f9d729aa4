"""Alerts as they are told: one message for all of one run (or of one dataset, pipeline or source) that stand alike."""

# No `from __future__ import annotations`: as texts, so many columns would each be compiled when this is loaded.
from datetime import UTC, date, datetime
from typing import NamedTuple

import duckdb

from tradex_ledger.views import add_projections

OPEN, ACKNOWLEDGED, CLEARED = "open", "acknowledged", "cleared"
_MESSAGES = """
    with judged as (
        select
            *,
            case
                when cleared_position is not null then 'cleared'
                when acknowledged_by is not null and acknowledged_until > $1 then 'acknowledged'
                else 'open'
            end as state,
            -- What one event says is told at once.
            min(coalesce(run_id, concat_ws(' ', alert, dataset))) over (partition by position) as about
        from (from alerts union all by name from notices)
        where $2 or not delivered
    ),
    kinds as (
        select
            about, state, alert,
            min(position) as first_position,
            count(*) as alerts,
            count(distinct dataset) as datasets,
            min(dataset) as dataset,
            min(partition) as first,
            max(partition) as last,
            max_by(message, position) as message
        from judged
        group by about, state, alert
    ),
    texts as (
        select
            about, state,
            string_agg(
                if(alerts = 1, if(starts_with(message, alert), message, format('{}: {}', alert, message)), concat(
                    alerts, ' × ', alert,
                    if(datasets = 1, ' of ' || dataset, if(datasets > 1, format(' of {} datasets', datasets), '')),
                    case
                        when first is null then ''
                        when first = last then format(' of {}', first)
                        else format(' from {} to {}', first, last)
                    end,
                    ', the last: ', message
                )),
                '; ' order by first_position
            ) as message
        from kinds
        group by about, state
    )
    select
        j.about,
        any_value(j.run_id),
        j.state,
        case min(case j.severity when 'error' then 1 when 'warning' then 2 else 3 end)
            when 1 then 'error' when 2 then 'warning' else 'notice'
        end,
        count(*),
        max(j."at"),
        min(j.partition),
        max(j.partition),
        any_value(t.message),
        -- Of the gravest: what is to be done first.
        min_by(j.command, (case j.severity when 'error' then 1 when 'warning' then 2 else 3 end, -j.position)),
        bool_and(j.delivered),
        list(j.position order by j.position),
        max(j.cleared_position),
        max_by(j.acknowledged_by, j.position),
        max_by(j.acknowledged_why, j.position),
        max_by(j.acknowledged_until, j.position)
    from judged j
    join texts t using (about, state)
    group by j.about, j.state
    order by min(j.position)
"""


class Message(NamedTuple):
    """What is told in one message: `about` a run, or what else its alerts have in common, in one `state`.

    `state`: open, acknowledged, or cleared (by what mended it). `positions` are of the events that it tells of.
    """

    about: str
    run_id: str | None
    state: str
    severity: str
    alerts: int
    at: datetime
    first: date | None
    last: date | None
    message: str
    command: str
    delivered: bool
    positions: list[int]
    cleared_position: int | None
    acknowledged_by: str | None
    acknowledged_why: str | None
    acknowledged_until: datetime | None


def messages(connection: duckdb.DuckDBPyConnection, moment: datetime, *, delivered: bool = True) -> list[Message]:
    """All messages, in the order of their first alerts, as they stand at a moment (UTC): of all alerts, or of those
    that were not delivered."""
    add_projections(connection, ("alerts", "notices"))
    found = connection.execute(_MESSAGES, [moment.astimezone(UTC).replace(tzinfo=None), delivered]).fetchall()
    return [Message._make(row) for row in found]
