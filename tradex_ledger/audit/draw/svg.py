"""SVG as text: each value is escaped, each number short."""

from __future__ import annotations

from functools import cache

from markupsafe import Markup, escape


def tag(name: str, *inside: object, **attributes: object) -> Markup:
    """An element. `_` in a name is `-`, one at its end is dropped (`class_`); what is None is left out."""
    said = "".join([f' {_name(key)}="{_value(value)}"' for key, value in attributes.items() if value is not None])
    within = "".join([str(one) if type(one) is Markup else escape(one) for one in inside])
    return Markup(f"<{name}{said}>{within}</{name}>")


def text(x: float, y: float, said: object, class_: str | None = None, anchor: str | None = None) -> Markup:
    """Words at a place."""
    return tag("text", said, x=x, y=y, class_=class_, text_anchor=anchor)


def picture(
    width: float, height: float, *inside: object, label: str, class_: str = "", role: str = "img", **more: object
) -> Markup:
    """A whole picture with what it shows, in words; one with links in it is a `group`."""
    return tag(
        "svg",
        *inside,
        class_=f"picture {class_}".strip(),
        width=width,
        height=height,
        viewBox=f"0 0 {_text(width)} {_text(height)}",
        role=role,
        aria_label=label,
        **more,
    )


def cut(said: str, most: int) -> str:
    """Words for a place that has room for so many characters: there, nothing makes a new line."""
    return said if len(said) <= most else f"{said[: most - 1]}…"


@cache
def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: object) -> str:
    """A page has some ten thousand of these, most of them numbers, in which there is nothing to escape."""
    return _text(value) if isinstance(value, int | float) else escape(str(value))


def _text(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
