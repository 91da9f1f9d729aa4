-- The keys that sign approvals: whose each is, since and until when it counts, and who put it on record or revoked it.
select
    a.data ->> '$.name' as name,
    a.data ->> '$.fingerprint' as fingerprint,
    split_part(a.data ->> '$.key', ' ', 1) as kind,
    a.data ->> '$.key' as key,
    a.data ->> '$.namespaces' as namespaces,
    a.data ->> '$.valid_after' as valid_after,
    a.data ->> '$.valid_before' as valid_before,
    a.data ->> '$.reason' as reason,
    a."by" as added_by,
    a.data ->> '$.proposed_by' as proposed_by,
    a."at" as added_at,
    a.position,
    r."by" as revoked_by,
    r."at" as revoked_at,
    r.position as revoked_position,
    r.data ->> '$.reason' as revoked_why
from events a
left join (
    select data, "by", "at", position from events where topic = 'approver_keys.revoked'
) r on r.data ->> '$.fingerprint' = a.data ->> '$.fingerprint'
where a.topic = 'approver_keys.added'
