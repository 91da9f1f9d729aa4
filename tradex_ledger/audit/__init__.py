"""Answers: every one is a query over the events, as of any position."""
