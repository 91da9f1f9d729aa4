-- What each backfill asked for, and what was planned for it: the facts of its events, whole.
select
    r.run_id,
    r.data as request,
    p.data as plan,
    s.data as override,
    r.position
from (select run_id, data, position from events where topic = 'backfill.requested') r
left join (select run_id, data from events where topic = 'backfill.planned') p using (run_id)
left join (select run_id, data from events where topic = 'backfill.state_overridden') s using (run_id)
