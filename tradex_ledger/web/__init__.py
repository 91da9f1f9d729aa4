"""The page that its people open every day: what the ledger says as of a position, drawn on the server.

It reads by the audit's documents and the projections, and writes through the workspace only. Every answer is as of a
position, by that position's time; nothing on a page that is pinned asks the clock.
"""
