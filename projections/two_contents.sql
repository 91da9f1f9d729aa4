-- The datasets of which, under their current logic, one digest of inputs has stood for two contents, until the run that
-- found it was released by somebody, or the logic has a new version.
-- Empty without run.contents_differed.
with newest as (
    select dataset, max(logic_version) as logic_version
    from events
    where topic = 'dataset.logic_versioned'
    group by dataset
),
released as (
    select run_id, max(position) as position
    from events
    where topic = 'run.released'
    group by run_id
),
open as (
    select
        e.dataset,
        e.logic_version,
        count(distinct e.partition) as partitions,
        min(e.partition) as first,
        max(e.partition) as last,
        max(e.position) as position
    from events e
    join newest n on n.dataset = e.dataset and n.logic_version = e.logic_version
    left join released r on r.run_id = e.run_id
    where e.topic = 'run.contents_differed' and (r.position is null or r.position < e.position)
    group by e.dataset, e.logic_version
)
select
    dataset,
    logic_version,
    partitions,
    first,
    last,
    format(
        '{}: {} came out otherwise from the same inputs (see: tradex alerts); find what it takes from elsewhere, change '
        'that, and: tradex dataset bump {} --reason …',
        dataset, case when partitions = 1 then '1 partition' else format('{} partitions', partitions) end, dataset
    ) as message,
    position
from open
