-- What somebody said to know of: of each alert or notice, by its position, the newest word.
select
    alert_position,
    max_by("by", position) as acknowledged_by,
    max_by(reason, position) as acknowledged_why,
    max_by(until, position) as acknowledged_until
from (
    select
        unnest(from_json(data -> '$.alerts', '["BIGINT"]')) as alert_position, "by", position,
        data ->> '$.reason' as reason,
        coalesce((data ->> '$.until')::timestamp, 'infinity'::timestamp) as until
    from events
    where topic = 'alerts.acknowledged'
)
group by alert_position
