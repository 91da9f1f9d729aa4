-- What somebody must hear of (N35): failures, volumes out of bounds, runs beyond their SLA, held publications,
-- partitions that came out otherwise from the same inputs, engines that give other rows than what was built, cursors in
-- the future, files at a source with more rejected lines than are kept or with rows that are later than the clock (told
-- when there are more of them than at the look at that source before), and rows that were left out because their day is
-- protected. Rows are called posts where only posts are read.
with delivered as (
    select coalesce(max((data ->> '$.position')::bigint), 0) as up_to
    from events
    where topic in ('alerts.opened', 'alerts.delivered')
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
        case when later > lag(later, 1, 0) over w then later end as later
    from looks
    window w as (partition by source order by position)
    qualify coalesce(beyond > lag(beyond, 1, 0) over w, false) or coalesce(later > lag(later, 1, 0) over w, false)
),
nouns as (
    select run_id, if(bool_and(noun = 'posts'), 'posts', 'rows') as noun
    from looks
    where run_id is not null
    group by run_id
)
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
    e.position <= d.up_to as delivered
from events e
cross join delivered d
left join swollen s on s.position = e.position
left join nouns n on n.run_id = e.run_id
where e.topic in (
    'backfill.failed', 'incremental_run.failed', 'run.anomaly_detected', 'run.contents_differed', 'run.sla_exceeded',
    'run.held', 'ledger.cursor_ahead'
)
or (e.topic = 'dataset.engine_checked' and e.data ->> '$.verdict' = 'different')
or s.position is not null
or (e.topic = 'run.layer_completed' and (e.data ->> '$.source.withheld')::bigint > 0)
