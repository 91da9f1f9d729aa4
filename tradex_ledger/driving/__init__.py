"""What moves runs: extraction, rebuild, publication, and the driver that reacts to a run's own events."""
