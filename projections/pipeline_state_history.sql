-- Each move of the pipeline state, with the run that caused it.
-- Kept by event, in order of position.
select
    data ->> '$.pipeline' as pipeline,
    stream,
    split_part(topic, '.', 2) as move,
    data ->> '$.cursor_before' as cursor_before,
    data ->> '$.cursor' as cursor,
    run_id as caused_by,
    "by",
    "at",
    position
from (
    select * replace (
        json_merge_patch(data, json_object('pipeline', stream[10:])) as data
    )
    from events
    where stream like 'pipeline-%' and topic in ('pipeline_state.opened', 'pipeline_state.advanced', 'pipeline_state.overridden')
)
