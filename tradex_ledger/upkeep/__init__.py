"""What is done between runs: proposals, late data, alerts, and the files of the lake."""
