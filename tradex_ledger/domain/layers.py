"""The layers of a lake, in the order in which data goes through them. It loads nothing: everything names them."""

from __future__ import annotations

LAYERS = ("bronze", "silver", "gold")
