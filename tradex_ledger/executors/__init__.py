"""What does the work: extract, rebuild, publish, and the driver that reacts to a run's own events."""
