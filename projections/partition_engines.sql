-- Which engines built each current partition of Silver and Gold: whoever wrote these very files from these very inputs,
-- or came to the same bytes.
with starts as (
    select run_id, position, data ->> '$.executor.duckdb' as duckdb from events where topic = 'run.layer_started'
),
-- Few builds are still current: of the others nobody asks who made them.
builds as (
    select run_id, position, dataset, partition, logic_version, inputs, files
    from events
    semi join partitions using (dataset, partition, logic_version, inputs)
    where topic = 'run.partition_rebuilt' and outcome in ('written', 'identical')
),
built as (
    select b.dataset, b.partition, b.logic_version, b.inputs, b.files, s.duckdb
    from builds b
    asof join starts s on b.run_id = s.run_id and b.position >= s.position
)
select dataset, partition, logic_version, list('duckdb ' || duckdb order by duckdb) as engines
from (
    select distinct dataset, partition, logic_version, duckdb
    from partitions
    join built using (dataset, partition, logic_version, inputs, files)
)
group by dataset, partition, logic_version
