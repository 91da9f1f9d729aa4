-- The days that must stay as they are: of which dataset, why, and who said so. What was lifted is not there any more.
select
    p.dataset,
    (p.data ->> '$.first')::date as first,
    (p.data ->> '$.last')::date as last,
    p.data ->> '$.reason' as reason,
    p."by" as protected_by,
    p."at" as protected_at,
    p.position
from events p
where p.topic = 'dataset.partitions_protected' and not exists (
    from events u
    where u.topic = 'dataset.partitions_unprotected' and u.dataset = p.dataset and u.position > p.position
        and u.data ->> '$.first' = p.data ->> '$.first' and u.data ->> '$.last' = p.data ->> '$.last'
        -- Version 1 of the event lifted all of that range.
        and coalesce(u.data ->> '$.protection', p.data ->> '$.reason') = p.data ->> '$.reason'
)
