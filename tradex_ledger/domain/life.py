"""The statuses of a run, in sets. `schema/lifecycle.csv` has the life as a whole, with the event that leads to each;
a test holds these sets, and what each event assigns, against it. No I/O here.
"""

from __future__ import annotations

ACTIVE = ("PLANNED", "APPROVED", "RUNNING", "FAILED", "PAUSED", "HELD")
"""It may still publish."""
DRIVABLE = ("APPROVED", "RUNNING", "FAILED")
"""A driver may take it up, for the first time or again."""
ENDED = ("SUCCESS", "CANCELLED", "REJECTED", "EXPIRED", "REVERTED")
"""Nobody drives it any more; a success may be reverted."""
