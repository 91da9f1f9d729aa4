-- What was proposed, recorded and decided about the policy: whatever answers a proposal is behind it. Plans and approvals
-- name a policy by its digest; what that stands for is the text beside it.
select
    split_part(topic, '.', 2) as decision,
    data ->> '$.digest' as digest,
    data ->> '$.reason' as reason,
    "by",
    "at",
    position,
    data ->> '$.text' as text
from events
where topic in ('policy.expired', 'policy.proposed', 'policy.recorded', 'policy.rejected', 'policy.set')
