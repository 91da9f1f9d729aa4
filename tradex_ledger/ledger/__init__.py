"""The ledger: events as exact bytes, in one dense order, in one tree."""
