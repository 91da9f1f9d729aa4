-- Each look at the source, by a run or by somebody who asked what is late: what there was, what was passed over.
-- Kept by event, in order of position.
select
    run_id,
    data ->> '$.source' as source,
    data ->> '$.cursor_from' as cursor_from,
    data ->> '$.cursor_to' as cursor_to,
    (data ->> '$.found.files')::bigint as files,
    (data ->> '$.found.lines')::bigint as lines,
    (data ->> '$.found.posts')::bigint as posts,
    (data ->> '$.found.outside')::bigint as outside,
    (data ->> '$.found.rejected')::bigint as rejected,
    (data ->> '$.found.undated')::bigint as undated,
    (data ->> '$.found.controls')::bigint as controls,
    coalesce((data ->> '$.found.beyond')::bigint, 0) as beyond,
    data -> '$.found.odd' as odd,
    (data ->> '$.found.newest')::date as newest,
    coalesce(list_sum(from_json(data -> '$.passed_over', '[{"count":"BIGINT"}]').list_transform(lambda p: p.count)), 0)
        ::bigint as passed_over,
    data -> '$.passed_over' as passed_over_why,
    (data ->> '$.late.posts')::bigint as late_posts,
    (data ->> '$.late.first')::date as late_first,
    (data ->> '$.late.last')::date as late_last,
    (data ->> '$.late.rejected')::bigint as late_rejected,
    "by",
    "at",
    position,
    (data ->> '$.late.days')::bigint as late_days,
    data ->> '$.late.dataset' as late_dataset,
    data -> '$.late.by_day' as late_by_day
from events
where topic = 'source.looked'
