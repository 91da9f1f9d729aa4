"""Signed heads of the ledger's tree: what others keep, so that nobody can take back what was told once."""
