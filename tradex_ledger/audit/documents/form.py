"""The one form of a document as JSON: its fields in their order, what is said of a field beside it in its metadata."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

HOW = "form"
SPREAD = {HOW: "spread"}
"""Of a field whose own fields stand in the document; None adds nothing."""
HIDDEN = {HOW: "hidden"}
"""Of a field that is for people only."""
BARE = {HOW: "bare"}
"""Of a field whose value is JSON already, as deep as it may be."""

IF_ANY = {HOW: "if any"}
"""Of a field that is left out where it is empty."""


def to_json(document: object) -> Any:
    """A document as what JSON's writer takes: objects, lists, and plain values (days and times among them)."""
    if as_it_says := getattr(document, "as_json", None):
        return as_it_says()
    if isinstance(document, list):
        return [to_json(item) for item in document]
    if isinstance(document, dict):
        return {name: to_json(value) for name, value in document.items()}
    if isinstance(document, tuple):
        names = getattr(document, "_fields", None)
        values = [to_json(value) for value in document]
        return dict(zip(names, values, strict=True)) if names else values
    if not is_dataclass(document):
        return document
    if as_stored := getattr(document, "to_event", None):  # what events carry has one form, that of the event
        return as_stored()
    found: dict[str, object] = {}
    for field in fields(document):
        how, value = field.metadata.get(HOW), getattr(document, field.name)
        if how == "spread":
            found |= to_json(value) if value is not None else {}
        elif how != "hidden" and (value or how != "if any"):
            found[field.name] = value if how == "bare" else to_json(value)
    return found
