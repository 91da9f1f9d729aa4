"""Whether a ledger and its lake are what they say: everything is hashed again, and what is not right is named.

Nothing is believed that was worked out before: no cache, no projection, no index beside the entries. A check is a
module here; each yields findings (`finding.py`), and what it could not judge.
"""
