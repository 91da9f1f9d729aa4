"""How documents look to people, one layout a document: facts, tables and sentences; `--json` needs none of it."""
