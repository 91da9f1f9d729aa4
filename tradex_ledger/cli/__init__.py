"""The command line: one file a noun; `show.py` is the only place that prints."""
