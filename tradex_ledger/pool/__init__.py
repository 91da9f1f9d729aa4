"""Where tasks run: worker processes of this machine, or the workers of a cluster."""
