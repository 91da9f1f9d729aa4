"""What is worked out before anything moves: the catalog, plans, estimates, and what stands in their way."""
