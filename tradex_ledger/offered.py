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


class Late:
    """A library that is loaded when the first of it is used: Arrow takes 0.2 s and 50 MB, and who finds all days as
    they were, or has workers for what is to be built, needs none of it."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> object:
        from importlib import import_module

        found: object = getattr(import_module(self._module), name)
        vars(self)[name] = found
        return found
