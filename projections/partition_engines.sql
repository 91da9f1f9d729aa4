-- Which engines built each current partition of Silver and Gold: whoever wrote these very files from these very inputs,
-- or came to the same bytes.
with starts as (
    select run_id, position, data ->> '$.executor.duckdb' as duckdb from events where topic = 'run.layer_started'
),
built as (
    select e.dataset, e.partition, e.logic_version, e.inputs, e.files, s.duckdb
    from events e
    asof join starts s on e.run_id = s.run_id and e.position >= s.position
    where e.topic = 'run.partition_rebuilt' and e.outcome in ('written', 'identical')
)
select dataset, partition, logic_version, list('duckdb ' || duckdb order by duckdb) as engines
from (
    select distinct dataset, partition, logic_version, duckdb
    from partitions
    join built using (dataset, partition, logic_version, inputs, files)
)
group by dataset, partition, logic_version
