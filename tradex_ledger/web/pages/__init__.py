"""A module a page: what is asked for it, and how that is laid out."""
