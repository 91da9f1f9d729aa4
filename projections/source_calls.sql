-- What sources that are called took: each page that a run fetched, each count that somebody asked for. Money is in
-- millionths of a dollar.
-- Kept by event, in order of position.
select
    run_id,
    case topic when 'run.page_fetched' then 'page' else 'count' end as kind,
    data ->> '$.source' as source,
    data ->> '$.cursor_from' as cursor_from,
    data ->> '$.cursor_to' as cursor_to,
    (data ->> '$.page')::bigint as page,
    case topic when 'run.page_fetched' then rows else 0 end as rows,
    case topic when 'run.page_fetched' then null else rows end as counted_rows,
    (data ->> '$.calls')::bigint as calls,
    (data ->> '$.micros')::bigint as micros,
    strftime("at", '%Y-%m') as month,
    "by",
    "at",
    position
from events
where topic in ('run.page_fetched', 'source_count.taken')
