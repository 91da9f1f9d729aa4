-- Where each pipeline's cursor stands: everything created before it has been processed.
select pipeline, cursor, move as last_move, caused_by, "by", "at" as moved_at, position
from pipeline_state_history
qualify row_number() over (partition by pipeline order by position desc) = 1
