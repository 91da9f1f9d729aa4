"""What is on record, built again and held against it: it asks the ledger, and drives windows and readers."""
