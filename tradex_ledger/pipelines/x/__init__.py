"""The pipeline from X posts to signals."""
