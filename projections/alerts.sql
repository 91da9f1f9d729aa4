-- What somebody must hear of (N35): failures, volumes out of bounds, runs beyond their SLA, held publications,
-- partitions that came out otherwise from the same inputs, engines that give other rows than what was built, cursors in
-- the future or days behind, files at a source with more rejected lines than are kept or with rows that are later than
-- the clock (told when there are more of them than at the look at that source before), and rows that were left out
-- because their day is protected. Rows are called posts where only posts are read. What mends a thing clears it: a later
-- step of its run, a later look, a moved cursor, a verdict, a version, or another run's publication of that day. Whoever
-- acknowledged one, until when, stands beside it.
with delivered as (
    select
        coalesce(max_by((data ->> '$.position')::bigint, position), 0) as up_to,
        coalesce(max_by(from_json(data -> '$.beyond', '["BIGINT"]'), position), []) as beyond
    from events
    where topic in ('alerts.opened', 'alerts.delivered')
),
steps as (
    select e.run_id, e.position, e.topic, l.is_end, l.gives_up
    from events e
    join lifecycle l using (topic)
),
looks as (
    select
        position,
        run_id,
        -- Where there are several, a look names its own.
        regexp_extract(data ->> '$.source', '^([a-z][a-z0-9_]*)=', 1) as source,
        if(if(source = '', data ->> '$.pipeline' = 'x', source = 'x_posts'), 'posts', 'rows') as noun,
        coalesce((data ->> '$.found.beyond')::bigint, 0) as beyond,
        coalesce((data ->> '$.found.odd."created_at later than the clock"')::bigint, 0) as later
    from events
    where topic = 'source.looked'
),
-- One alert an event, since what was sent is told by its position.
swollen as (
    select
        position,
        noun,
        case when beyond > lag(beyond, 1, 0) over w then beyond end as beyond,
        case when later > lag(later, 1, 0) over w then later end as later,
        source
    from looks
    window w as (partition by source order by position)
    qualify coalesce(beyond > lag(beyond, 1, 0) over w, false) or coalesce(later > lag(later, 1, 0) over w, false)
),
nouns as (
    select run_id, if(bool_and(noun = 'posts'), 'posts', 'rows') as noun
    from looks
    where run_id is not null
    group by run_id
),
told as (
    select
        e.position,
        e."at",
        e.run_id,
        e.run_kind,
        case e.topic
            when 'run.anomaly_detected' then 'volume anomaly'
            when 'run.contents_differed' then 'two contents of one input'
            when 'run.sla_exceeded' then 'SLA exceeded'
            when 'run.held' then 'held'
            when 'ledger.cursor_behind' then 'cursor lags'
            when 'dataset.engine_checked' then 'engine gives other rows'
            when 'ledger.cursor_ahead' then 'cursor in the future'
            when 'source.looked' then if(s.later is null, 'rejected lines not kept', s.noun || ' later than the clock')
            when 'run.layer_completed' then coalesce(n.noun, 'posts') || ' withheld'
            else 'failed'
        end as alert,
        e.dataset,
        coalesce(e.partition, (e.data ->> '$.differences[0].partition')::date) as partition,
        case e.topic
            when 'run.anomaly_detected' then format(
                '{} of {}: {} rows, expected {} (rule: {})',
                e.dataset, e.partition, e.data ->> '$.observed', e.data ->> '$.expected', e.data ->> '$.rule'
            )
            when 'run.contents_differed' then format(
                '{} of {} (version {}) has other content than {} gave it from the same inputs: {}; find what it takes '
                'from elsewhere, change that and bump it: tradex dataset bump {} --reason …',
                e.dataset, e.partition, e.logic_version, e.data ->> '$.earlier_run',
                case when json_array_length(e.data -> '$.differences') > 0
                    then format(
                        '{}: {} is now {}, it was {}',
                        coalesce(e.data ->> '$.differences[0].key', 'all of it'),
                        coalesce(e.data ->> '$.differences[0].column', 'the row'),
                        coalesce(e.data ->> '$.differences[0].recomputed', 'nothing'),
                        coalesce(e.data ->> '$.differences[0].recorded', 'nothing')
                    )
                    else 'other bytes, and the earlier files are not there any more to compare their rows'
                end,
                e.dataset
            )
            when 'run.sla_exceeded' then format(
                'took {} s, {} s are allowed',
                (e.data ->> '$.elapsed_ms')::bigint // 1000, (e.data ->> '$.allowed_ms')::bigint // 1000
            )
            when 'run.held' then format('held before publication: {}', e.data ->> '$.why')
            when 'ledger.cursor_behind' then format(
                'the cursor of {} stands at {}, {} days behind the clock: no run has brought it on since',
                e.data ->> '$.pipeline', (e.data ->> '$.cursor')[:10], e.data ->> '$.days'
            )
            when 'dataset.engine_checked' then format(
                '{} gives other rows of {} version {} than {}: {} ({}), {}: {}, it was {}',
                e.data ->> '$.engine', e.dataset, e.logic_version,
                array_to_string(from_json(e.data -> '$.compared_with', '["VARCHAR"]'), ', '),
                e.data ->> '$.differences[0].partition',
                coalesce(e.data ->> '$.differences[0].key', 'all of it'),
                coalesce(e.data ->> '$.differences[0].column', 'the row'),
                coalesce(e.data ->> '$.differences[0].recomputed', 'nothing'),
                coalesce(e.data ->> '$.differences[0].recorded', 'nothing')
            )
            when 'ledger.cursor_ahead' then format(
                'the cursor of {} stands at {}, and the clock at {}: no incremental run has anything to do until then; {}',
                e.data ->> '$.pipeline', (e.data ->> '$.cursor')[:10], (e.data ->> '$.clock')[:10],
                'tradex status tells how it is put back'
            )
            when 'source.looked' then concat_ws(
                '; ',
                format(
                    '{} {} at {} are later than the clock of the machine that read them, and are no {} until then: if '
                    'that clock is behind, set it right, then: tradex backfill propose',
                    s.later, s.noun, e.data ->> '$.source', s.noun
                ),
                format('{} lines at {} are no {} and too many to be kept', s.beyond, e.data ->> '$.source', s.noun)
            )
            when 'run.layer_completed' then format(
                '{} {} were left out: the day that they belong to is protected',
                e.data ->> '$.source.withheld', coalesce(n.noun, 'posts')
            )
            else e.data ->> '$.reason'
        end as message,
        e.topic,
        s.source,
        coalesce(e.data ->> '$.pipeline', '') as pipeline,
        e.data ->> '$.engine' as engine
    from events e
    left join swollen s on s.position = e.position
    left join nouns n on n.run_id = e.run_id
    where e.topic in (
        'backfill.failed', 'incremental_run.failed', 'run.anomaly_detected', 'run.contents_differed', 'run.sla_exceeded',
        'run.held', 'ledger.cursor_ahead', 'ledger.cursor_behind'
    )
    or (e.topic = 'dataset.engine_checked' and e.data ->> '$.verdict' = 'different')
    or s.position is not null
    or (e.topic = 'run.layer_completed' and (e.data ->> '$.source.withheld')::bigint > 0)
),
-- What mends each: of all that does, the first.
mended as (
    select t.position, min(m.position) as cleared_position
    from told t
    join steps m on m.run_id = t.run_id and m.position > t.position
    where case
        when t.topic in ('backfill.failed', 'incremental_run.failed', 'run.held') then true
        when t.topic = 'run.sla_exceeded' then m.is_end
        else m.gives_up or m.topic in ('run.released', 'backfill.reverted')
    end
    group by t.position
    union all
    -- Another run brought that day on since.
    select t.position, min(p.published_position)
    from told t
    join partitions p on p.dataset = t.dataset and p.partition = t.partition
    where t.topic in ('run.anomaly_detected', 'run.contents_differed')
        and p.run_id <> t.run_id and p.published_position > t.position
    group by t.position
    union all
    select t.position, min(m.position)
    from told t
    join events m on m.position > t.position and (
        (t.topic in ('run.contents_differed', 'dataset.engine_checked') and m.dataset = t.dataset and (
            m.topic = 'dataset.logic_versioned'
            or (m.topic = 'dataset.engine_accepted' and t.topic = 'run.contents_differed')
            or (m.topic in ('dataset.engine_accepted', 'dataset.engine_checked') and m.data ->> '$.engine' = t.engine)
        ))
        or (t.topic = 'ledger.cursor_ahead' and m.topic = 'pipeline_state.overridden')
        or (
            t.topic = 'ledger.cursor_behind'
            and m.topic in ('pipeline_state.advanced', 'pipeline_state.overridden')
        )
        or (t.topic = 'run.layer_completed' and m.topic = 'dataset.partitions_unprotected')
    )
    where m.topic in (
        'dataset.logic_versioned', 'dataset.engine_accepted', 'dataset.engine_checked', 'pipeline_state.overridden',
        'pipeline_state.advanced', 'dataset.partitions_unprotected'
    )
    group by t.position
    union all
    -- A later look found less of it, or none.
    select t.position, min(l.position)
    from told t
    join swollen s on s.position = t.position
    join looks l on l.source is not distinct from s.source and l.position > s.position
    where coalesce(l.later < s.later, l.beyond < s.beyond)
    group by t.position
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
    case
        when t.topic in (
            'backfill.failed', 'incremental_run.failed', 'run.contents_differed', 'dataset.engine_checked',
            'ledger.cursor_ahead'
        ) then 'error'
        when t.topic = 'run.layer_completed' or t.alert = 'rejected lines not kept' then 'notice'
        else 'warning'
    end as severity,
    case
        when t.topic in ('run.held', 'run.anomaly_detected') then format('tradex audit diff {}', t.run_id)
        when t.topic in ('run.contents_differed', 'dataset.engine_checked') then 'tradex engine list'
        when t.topic = 'ledger.cursor_ahead' then 'tradex state history'
        when t.topic in ('ledger.cursor_behind', 'incremental_run.failed') then 'tradex run'
        when t.topic = 'source.looked' and t.alert <> 'rejected lines not kept' then 'tradex backfill propose'
        when t.run_id is not null then format('tradex backfill show {}', t.run_id)
        else 'tradex status'
    end as command,
    m.cleared_position,
    k.acknowledged_by,
    k.acknowledged_why,
    k.acknowledged_until
from told t
cross join delivered d
left join (select position, min(cleared_position) as cleared_position from mended group by position) m
    on m.position = t.position
left join acknowledgements k on k.alert_position = t.position
