"""The lake: immutable files, visible only where an event says so."""
