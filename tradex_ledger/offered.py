"""What a package offers, loaded by who asks for it: `tradex --version` asks for nothing, who only reads for a part."""

from __future__ import annotations

from collections.abc import Callable, Mapping


def offering(package: str, where: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a package: the names that it offers (its `__init__.pyi` has them, too), by their modules."""

    def find(name: str) -> object:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(where[name]), name)

    return find
