"""Addresses that stay within the site, whatever somebody wrote into them."""

from __future__ import annotations


def path_of(said: str) -> str:
    """A path as one of this site: browsers take what begins with `//` or `/\\` for the name of another host."""
    return "/" + said.lstrip("/\\")


def is_within(said: str) -> bool:
    """Whether an address names nothing but a page of this site."""
    return said == path_of(said) and said.isprintable()


def number_of(said: str | None, digits: int = 18) -> int | None:
    """A number of an address; None for what is none, or has more digits."""
    return int(said) if said and said.isascii() and said.isdecimal() and len(said) <= digits else None
