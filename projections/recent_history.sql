-- What of the history of partitions says how they stand: of Bronze all batches; of other layers, of each version of a
-- partition the two newest that were published, and of each partition what the last two runs wrote that changed it.
-- Kept over partition_history by dataset, partition, in order of dataset, partition, position.
with changed as (
    select dataset, partition, run_id, max(position) as position, max(published_position) as published_position
    from partition_history
    where layer <> 'bronze' and published_position is not null and outcome = 'written'
    group by dataset, partition, run_id
),
-- Which those are is found among few columns: to carry along what all the files are costs more than the rest.
needed as (
    select unnest(max_by(position, (published_position, position), 2)) as position
    from changed
    group by dataset, partition
    union
    select unnest(max_by(position, (published_position, position), 2))
    from partition_history
    where layer <> 'bronze' and published_position is not null
    group by dataset, logic_version, partition
)
select *
from partition_history
where layer = 'bronze' or position in (select position from needed)
