"""What is delivered of X: posts, and what comes among them."""

from __future__ import annotations

NOUN = "post"
"""What a row is called. It stands here for who needs the word and no reader."""
