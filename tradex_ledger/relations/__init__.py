"""The projections as typed relations: what SQL answers, with names that a type checker knows."""
