-- Each publication: what a run built became visible at once, and up to which position it had compared its inputs.
-- Kept by event, in order of position.
select run_id, run_kind, base, "by", "at", position
from events
where topic = 'run.published'
