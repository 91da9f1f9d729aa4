"""Where rows of Bronze come from: a place (a folder of delivered files), and a reader of what lies there."""

LATER = "created_at later than the clock"
"""How rows are counted that are younger than their delivery: a clock is wrong, or they are not what they say."""
