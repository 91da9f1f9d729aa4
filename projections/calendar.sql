-- What readers get of each day of each dataset (`fill`), and what is going on with it (`sign`), each with its reason in
-- words: one cell a day, in a row a dataset; where versions stand side by side, in one row a version: that which is read,
-- the newest if readers do not get it yet (next), and of older ones the days that they have. Datasets of what is no row
-- have none. A day that nobody has processed is told up to the day before that of the last event.
-- Of several signs of a cell that one is told which stands first in: failed, late at the source, being built, candidate,
-- planned, taken back, strange volume; of several of a kind the newest.
with versions as (
    select
        v.dataset, v.layer, v.component, v.logic_version, v.is_read, v.is_current, v.is_deprecated, v.definition,
        v.position
    from logic_versions v
    join datasets d using (dataset)
    where not d.is_side
),
series as (
    select
        dataset, layer, component,
        case when component is not null then logic_version end as version,
        if(component is null or is_read, 'read', if(is_current, 'next', 'older')) as standing,
        position
    from versions
    where component is not null or is_current
),
-- Before its first day there is nothing of X but the day of lines without one, and wrong clocks.
opening as (
    select if(count(*) > 0, date '2006-03-21', date '1900-01-01') as day from datasets where dataset = 'bronze_x_posts'
),
cursors as (
    select min(cursor)[:10]::date as day from pipeline_state
),
told as (
    select partition as day from partitions join (select distinct dataset from versions) using (dataset)
    union all
    select partition from signs
    union all
    select unnest([(select day from cursors) - 1, (select max(day) from event_days) - 1])
),
days as (
    select unnest(generate_series(first, last, interval 1 day))::date as day
    from (select min(day) as first, max(day) as last from told where day >= (from opening))
),
grid as (
    select s.*, d.day from series s cross join days d where s.standing <> 'older'
    union all
    select s.*, p.partition
    from series s
    join partitions p on p.dataset = s.dataset and p.logic_version = s.version
    where s.standing = 'older' and p.partition >= (from opening)
),
-- In a row of one version what an older one has is not to be had.
elsewhere as (
    select p.dataset, p.partition, s.version, max(p.logic_version) as logic_version
    from partitions p
    join series s on s.dataset = p.dataset and p.logic_version < s.version and s.standing <> 'older'
    group by all
),
stale as (
    select s.*
    from stale_partitions s
    join versions v on v.dataset = s.dataset
        and (v.logic_version = s.logic_version or s.logic_version is null and v.is_current)
    qualify row_number() over (
        partition by s.dataset, s.partition, if(v.component is null, null, s.logic_version)
        order by s.reason = 'files lost' desc, s.reason = 'never built' desc, s.reason, s.logic_version desc
    ) = 1
),
held as (
    select
        g.*,
        p.run_id, p.published_position, p.rows, p.logic_version,
        v.is_deprecated,
        coalesce(p.rows, 0) > 0 as has_rows,
        p.run_id is not null as is_there,
        g.day >= (from cursors) as is_ahead,
        e.logic_version as older,
        t.reason as stale_reason, t.input_dataset, t.input_partition, t.changed_by_run, t.changed_position,
        t.logic_version as stale_version
    from grid g
    left join partitions p on p.dataset = g.dataset and p.partition = g.day
        and (g.version is null or p.logic_version = g.version)
    left join versions v on v.dataset = g.dataset and v.logic_version = p.logic_version
    left join elsewhere e on e.dataset = g.dataset and e.partition = g.day and e.version = g.version
    left join stale t on t.dataset = g.dataset and t.partition = g.day
        and (g.version is null or t.logic_version = g.version)
),
filled as (
    select
        *,
        case
            when stale_reason = 'files lost' then 'missing'
            when is_there and is_deprecated then 'deprecated'
            when is_there and stale_reason is not null then 'stale'
            when has_rows then 'published'
            when is_there then 'nothing came'
            when standing = 'next' and not coalesce(is_ahead, true) then 'nothing under this version yet'
            when older is not null then 'only in an older version'
            when stale_reason is not null then 'missing'
            when coalesce(is_ahead, true) then 'not processed yet'
            else 'nothing came'
        end as fill
    from held
),
-- What was said of each source when somebody last looked for what is late.
looks as (
    select
        regexp_extract(source, '^([a-z][a-z0-9_]*)=', 1) as source, late_dataset, late_first, late_last, late_days,
        late_by_day, run_id, position
    from source_looks
    where late_posts is not null
    qualify row_number() over (partition by regexp_extract(source, '^([a-z][a-z0-9_]*)=', 1) order by position desc) = 1
),
-- An older look has but the first and the last of these days.
late_days as (
    select source, late_dataset, position, d.day as day, d.rows as rows
    from (
        select *, unnest(from_json(late_by_day, '[{"day":"DATE","rows":"BIGINT"}]')) as d from looks
    )
    union all
    select source, late_dataset, position, unnest(
        if(late_days = late_last - late_first + 1, generate_series(late_first, late_last, interval 1 day),
            [late_first::timestamp, late_last::timestamp])
    )::date, null
    from looks
    where late_by_day is null and late_days > 0
),
reads as (
    select dataset, regexp_extract(definition, '--\s*source\s*=\s*["'']([^"'']+)["'']', 1) as source
    from versions
    where is_current and layer = 'bronze'
),
late as (
    select r.dataset, d.day, max(d.rows) as rows, max(d.position) as position
    from late_days d
    join reads r on coalesce(d.late_dataset = r.dataset, d.source in ('', r.source))
    group by r.dataset, d.day
),
said as (
    select
        f.dataset, f.version, f.day,
        s.sign, s.run_id, s.position,
        case s.sign
            when 'failed' then concat_ws(': ', format('{} failed', s.run_id), s.message)
            when 'being built' then format('{} is at it', s.run_id)
            when 'candidate' then format('{} rows of {}, which readers do not see yet', s.rows, s.run_id)
            when 'planned' then format('{} is to build it', s.run_id)
            when 'taken back' then format('what {} had built was taken back at position {}', s.run_id, s.position)
            else s.message
        end as why
    from filled f
    join signs s on s.partition = f.day
        and coalesce(s.dataset = f.dataset, s.layer = f.layer)
        and (f.version is null or s.logic_version = f.version)
    where case s.sign
        when 'taken back' then coalesce(s.position > f.published_position, true)
        when 'strange volume' then s.run_id = f.run_id
        else true
    end
    union all
    select
        f.dataset, f.version, f.day, 'late at the source', null, l.position,
        concat(case when l.rows = 1 then '1 row' else coalesce(l.rows || ' rows', 'rows') end, ' at the source that Bronze lacks')
    from filled f
    join late l on l.dataset = f.dataset and l.day = f.day
    where coalesce(f.published_position < l.position, true)
),
signed as (
    select *
    from said
    qualify row_number() over (
        partition by dataset, version, day
        order by list_position(
            [
                'failed', 'late at the source', 'being built', 'candidate', 'planned', 'taken back', 'strange volume'
            ],
            sign
        ), position desc
    ) = 1
),
kept_as_they_are as (
    select f.dataset, f.day, string_agg(distinct p.reason, '; ' order by p.reason) as reason
    from (select distinct dataset, day from filled) f
    join protections p on p.dataset = f.dataset and f.day between p.first and p.last
    group by f.dataset, f.day
)
select
    f.dataset,
    f.layer,
    f.version,
    f.standing,
    f.day,
    f.fill,
    s.sign,
    p.reason is not null as is_protected,
    case f.fill
        when 'published' then format('{} rows by {}', f.rows, f.run_id)
        when 'nothing came' then if(f.is_there, format('built by {}, and has no rows', f.run_id), 'nothing to be had')
        when 'deprecated' then format('{} rows by {}; version {} is given up', f.rows, f.run_id, f.logic_version)
        when 'only in an older version' then format('version {} has it, and version {} does not', f.older, f.version)
        when 'nothing under this version yet' then format('nothing of version {} is published', f.version)
        when 'not processed yet' then coalesce(
            format('processed until {}', (select strftime(day, '%Y-%m-%d') from cursors)), 'nothing is processed yet'
        )
        else case f.stale_reason
            when 'files lost' then format('files of it were declared lost at position {}', f.changed_position)
            when 'never built' then format('never built, though {} of {} is there', f.input_dataset, f.input_partition)
            when 'new logic version' then if(
                f.is_there,
                format('{} rows by {} under version {}; version {} is newer', f.rows, f.run_id, f.logic_version,
                    f.stale_version),
                format('not built under version {}', f.stale_version)
            )
            else format(
                '{} rows by {}; since then {} of {} was changed{}', f.rows, f.run_id, f.input_dataset, f.input_partition,
                coalesce(' by ' || f.changed_by_run, '')
            )
        end
    end as why,
    s.why as sign_why,
    f.run_id,
    f.published_position as position,
    s.run_id as sign_run_id,
    s.position as sign_position,
    f.logic_version,
    f.rows,
    p.reason as protected_why
from filled f
left join signed s on s.dataset = f.dataset and s.version is not distinct from f.version and s.day = f.day
left join kept_as_they_are p on p.dataset = f.dataset and p.day = f.day
