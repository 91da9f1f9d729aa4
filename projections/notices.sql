-- What asks for somebody, beside the alerts: plans that wait for an approval, and rows that a look at a source found to
-- be late, when it found more than the look before that counted. A decision clears the one, a look that finds less the
-- other. Whoever acknowledged one, until when, stands beside it. Rows are called posts where only posts are read.
with delivered as (
    select
        coalesce(max_by((data ->> '$.position')::bigint, position), 0) as up_to,
        coalesce(max_by(from_json(data -> '$.beyond', '["BIGINT"]'), position), []) as beyond
    from events
    where topic in ('alerts.opened', 'alerts.delivered')
),
looks as (
    select
        position, "at", run_id, run_kind, data,
        regexp_extract(data ->> '$.source', '^([a-z][a-z0-9_]*)=', 1) as source,
        if(if(source = '', data ->> '$.pipeline' = 'x', source = 'x_posts'), 'posts', 'rows') as noun,
        (data ->> '$.late.posts')::bigint as late
    from events
    where topic = 'source.looked'
),
later as (
    select *
    from looks
    where late is not null
    qualify late > lag(late, 1, 0) over (partition by source order by position)
),
told as (
    select
        p.position,
        p."at",
        p.run_id,
        p.run_kind,
        'waits for approval' as alert,
        r.data ->> '$.dataset' as dataset,
        (r.data ->> '$.first')::date as partition,
        format(
            'a {} backfill of {} ({} to {}), asked for by {}: {}',
            r.data ->> '$.kind', r.data ->> '$.dataset', r.data ->> '$.first', r.data ->> '$.last', r."by",
            r.data ->> '$.reason'
        ) as message,
        'notice' as severity,
        format('tradex backfill approve {}', p.run_id) as command,
        s.cleared_position
    from events p
    join (select run_id, data, "by" from events where topic = 'backfill.requested') r using (run_id)
    left join (
        select e.run_id, min(e.position) as cleared_position
        from events e
        join lifecycle l using (topic)
        where l.status not in ('REQUESTED', 'PLANNED')
        group by e.run_id
    ) s using (run_id)
    where p.topic = 'backfill.planned'
        -- What a rule approved, in the same save, waited for nobody.
        and p.run_id not in (select run_id from events where topic = 'backfill.approved' and data ->> '$.rule' is not null)
    union all
    select
        t.position,
        t."at",
        t.run_id,
        t.run_kind,
        'late ' || t.noun,
        null,
        (t.data ->> '$.late.first')::date,
        format(
            '{} {} at {} were delivered after the runs that covered their days ({} to {})',
            t.late, t.noun, t.data ->> '$.source', t.data ->> '$.late.first', t.data ->> '$.late.last'
        ),
        'warning',
        'tradex backfill propose',
        (select min(l.position) from looks l where l.source = t.source and l.position > t.position and l.late < t.late)
    from later t
)
select
    t.position,
    t."at",
    t.run_id,
    t.run_kind,
    t.alert,
    t.dataset,
    t.partition,
    t.message,
    t.position <= d.up_to or list_contains(d.beyond, t.position) as delivered,
    t.severity,
    t.command,
    t.cleared_position,
    k.acknowledged_by,
    k.acknowledged_why,
    k.acknowledged_until
from told t
cross join delivered d
left join acknowledgements k on k.alert_position = t.position
