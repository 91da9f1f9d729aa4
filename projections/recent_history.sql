-- What of the history of partitions says how they stand: of Bronze all batches; of other layers, of each version of a
-- partition the two newest that were published, and of each partition what the last two runs wrote that changed it.
-- Kept over partition_history by dataset, partition, in order of position, logic_version.
with changed as (
    select dataset, partition, run_id, max(position) as position, max(published_position) as published_position
    from partition_history
    where layer <> 'bronze' and published_position is not null and outcome = 'written'
    group by dataset, partition, run_id
),
last_changed as (
    select position
    from changed
    qualify row_number() over (partition by dataset, partition order by published_position desc, position desc) <= 2
)
select h.*
from partition_history h
left join last_changed c on c.position = h.position
where h.layer = 'bronze' or h.published_position is not null
qualify h.layer = 'bronze' or c.position is not null or row_number() over (
    partition by h.dataset, h.logic_version, h.partition order by h.published_position desc, h.position desc
) <= 2
