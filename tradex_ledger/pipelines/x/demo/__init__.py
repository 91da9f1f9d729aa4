"""Made-up deliveries for trying things out: the same seed, the same bytes."""
