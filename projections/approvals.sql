-- Each decision on a backfill: who allowed or refused which plan, by which rule, and who had asked.
-- Kept by run, in order of position.
select
    d.run_id,
    split_part(d.topic, '.', 2) as decision,
    r.data ->> '$.kind' as kind,
    r.data ->> '$.dataset' as subject,
    d.data ->> '$.plan_digest' as plan_digest,
    d.data ->> '$.rule' as rule,
    d.data ->> '$.reason' as reason,
    d."by" as decided_by,
    d."at" as decided_at,
    r."by" as requested_by,
    d.position,
    d.data ->> '$.key' as signed_with,
    (d.data ->> '$.seen')::bigint as seen,
    d.data ->> '$.checkpoint' as checkpoint,
    d.data ->> '$.comment' as comment,
    (d.data ->> '$.hold')::boolean as hold
from events d
join (select run_id, data, "by" from events where topic = 'backfill.requested') r using (run_id)
where d.topic in ('backfill.approved', 'backfill.rejected', 'backfill.expired', 'run.released')
