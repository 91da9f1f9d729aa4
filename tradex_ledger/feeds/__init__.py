"""Who is told of the ledger: OpenLineage to a file or a receiver, CloudEvents to webhooks; in order, each once."""
