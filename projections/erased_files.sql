-- Each file that counts no more because law wanted rows of it erased: by which event, why, and by whom; the file that
-- was put in its place, and the one that stands there now: that, too, may have been erased since. Null: no row was left.
-- Empty without dataset.files_erased.
with recursive listed as (
    select
        dataset,
        unnest(from_json(
            data -> '$.files',
            '[{"path":"VARCHAR","bytes":"BIGINT","rows":"BIGINT","sha256":"VARCHAR","partition":"DATE",'
            '"logic_version":"BIGINT","layer":"VARCHAR","run":"VARCHAR","erased":"BIGINT",'
            '"into":{"path":"VARCHAR","bytes":"BIGINT","rows":"BIGINT","sha256":"VARCHAR"}}]'
        )) as f,
        data ->> '$.of' as rows_of,
        data ->> '$.digest' as digest,
        data ->> '$.reason' as reason,
        data ->> '$.ticket' as ticket,
        data ->> '$.planned_by' as planned_by,
        "by" as approved_by,
        position,
        "at"
    from events
    where topic = 'dataset.files_erased'
),
erased as (
    select * exclude (f), f.* from listed
),
followed as (
    select path, "into" as stands_now, 0 as step from erased
    union all
    select f.path, e."into", f.step + 1
    from followed f
    join erased e on e.path = f.stands_now.path
),
last_step as (
    select path, stands_now from followed qualify row_number() over (partition by path order by step desc) = 1
)
select
    e.dataset,
    e.layer,
    e.partition,
    e.logic_version,
    e.run as run_id,
    e.path,
    e.bytes,
    e.rows,
    e.sha256,
    e.erased as erased_rows,
    e."into" as replaced_by,
    l.stands_now,
    e.rows_of,
    e.digest,
    e.reason,
    e.ticket,
    e.planned_by,
    e.approved_by,
    e.position,
    e."at"
from erased e
join last_step l using (path)
order by e.position, e.path
