-- The moments of the record: where somebody decided, where readers began to get something else, where something failed.
-- Who goes through the past steps from one to the next.
-- Kept by event, in order of position.
select
    position,
    "at",
    case topic
        when 'backfill.requested' then 'asked'
        when 'run.layer_failed' then 'attempt failed'
        when 'backfill.failed' then 'failed'
        when 'incremental_run.failed' then 'failed'
        when 'incremental_run.cancelled' then 'cancelled'
        when 'dataset.logic_versioned' then 'versioned'
        when 'dataset.version_deprecated' then 'deprecated'
        when 'dataset.version_restored' then 'restored'
        when 'dataset.partitions_protected' then 'protected'
        when 'dataset.partitions_unprotected' then 'unprotected'
        when 'dataset.files_lost' then 'lost'
        when 'dataset.files_erased' then 'erased'
        when 'dataset.files_pruned' then 'pruned'
        when 'pipeline_state.overridden' then 'state moved'
        when 'policy.set' then 'policy'
        when 'policy.recorded' then 'policy'
        when 'pipeline_state.opened' then 'begun'
        when 'lake.epoch_begun' then 'epoch'
        else split_part(topic, '.', 2)
    end as moment,
    coalesce(run_id, data ->> '$.run') as run_id,
    coalesce(dataset, if(topic = 'backfill.requested', data ->> '$.dataset', null)) as dataset,
    if(topic in ('dataset.logic_versioned', 'dataset.version_deprecated', 'dataset.version_restored'), logic_version, null)
        as logic_version,
    coalesce(data ->> '$.reason', data ->> '$.message', data ->> '$.why') as reason,
    "by"
from events
where (topic <> 'dataset.logic_versioned' or logic_version > 1) and topic in (
    'backfill.requested', 'backfill.approved', 'backfill.rejected', 'backfill.expired', 'backfill.cancelled',
    'backfill.paused', 'backfill.resumed', 'backfill.failed', 'backfill.reverted', 'run.held', 'run.released',
    'run.published', 'run.layer_failed', 'incremental_run.failed', 'incremental_run.cancelled',
    'dataset.logic_versioned', 'dataset.version_deprecated', 'dataset.version_restored',
    'dataset.partitions_protected', 'dataset.partitions_unprotected', 'dataset.files_lost', 'dataset.files_erased',
    'dataset.files_pruned', 'pipeline_state.overridden', 'policy.set', 'policy.recorded', 'pipeline_state.opened',
    'lake.epoch_begun'
)
