-- The catalog: the current version of each partition, and nothing else is visible.
-- A dataset with a version component keeps one current version for each logic version, side by side.
-- Of Bronze, files that were declared lost are no part of it any more. A lost file of Silver or Gold stays named until
-- its partition is published anew: who needs it is told of the event. In the place of a file of which rows were erased
-- stands the one without them.
-- Kept over recent_history by dataset, partition, in order of position.
-- Anew after dataset.files_lost.
-- Anew after dataset.files_erased.
with components as (
    select distinct dataset, component from logic_versions
),
lost as (
    select coalesce(list(path), []) as paths
    from (select unnest(files).path as path from events where topic = 'dataset.files_lost')
),
moved as (
    select count(*) as n, coalesce(map_from_entries(list((path, stands_now))), map()) as to_now from erased_files
),
standing as (
    select
        h.* exclude (files),
        if(
            moved.n = 0,
            h.files,
            list_filter(
                list_transform(h.files, lambda f: if(map_contains(moved.to_now, f.path), moved.to_now[f.path], f)),
                lambda f: f is not null
            )
        ) as files
    from recent_history h
    cross join moved
),
there as (
    select
        h.* exclude (files, rows, bytes),
        list_filter(h.files, lambda f: not list_contains(lost.paths, f.path)) as files
    from standing h
    cross join lost
    where h.layer = 'bronze'
),
-- Which those are is found among few columns: to carry along what all the files are costs more than the rest.
newest as (
    select max_by(h.position, (h.published_position, h.position))
    from recent_history h
    left join components c using (dataset)
    where h.layer <> 'bronze' and h.published_position is not null
    group by h.dataset, case when c.component is null then 0 else h.logic_version end, h.partition
),
built as (
    select
        h.* exclude (rows, bytes),
        if(moved.n = 0, h.rows, coalesce(list_sum(list_transform(h.files, lambda f: f.rows)), 0)::bigint) as rows,
        if(moved.n = 0, h.bytes, coalesce(list_sum(list_transform(h.files, lambda f: f.bytes)), 0)::bigint) as bytes,
        c.component
    from standing h
    cross join moved
    left join components c using (dataset)
    where h.position in (from newest)
)
select
    dataset, layer, partition, logic_version, component, run_id, run_kind, outcome, rows, bytes, files, inputs,
    position, published_position, published_at
from built
union all
select
    dataset,
    any_value(layer),
    partition,
    null,
    null,
    max_by(run_id, position),
    max_by(run_kind, position),
    'appended',
    sum(coalesce(list_sum(list_transform(files, lambda f: f.rows)), 0))::bigint,
    sum(coalesce(list_sum(list_transform(files, lambda f: f.bytes)), 0))::bigint,
    flatten(list(files order by position)),
    null,
    max(position),
    max(position),
    max("at")
from there
group by dataset, partition
