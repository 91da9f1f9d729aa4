-- Each step in the life of a run: what happened, how it stood then, who did it, and why. A layer that starts is none.
select
    e.run_id,
    split_part(e.topic, '.', 2) as step,
    l.status,
    case e.topic
        when 'backfill.approved' then coalesce(
            'by rule: ' || (e.data ->> '$.rule'),
            concat_ws('; ', e.data ->> '$.comment', if((e.data ->> '$.hold')::boolean, 'to be held', null))
        )
        when 'backfill.expired' then format('nobody approved it within {} days', e.data ->> '$.days')
        when 'run.held' then e.data ->> '$.why'
        when 'backfill.planned' then null
        else e.data ->> '$.reason'
    end as why,
    (e.data ->> '$.seen')::bigint as seen,
    e."by",
    e."at",
    e.position
from events e
join lifecycle l using (topic)
where e.topic <> 'run.layer_started'
