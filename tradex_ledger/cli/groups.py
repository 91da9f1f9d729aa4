"""Groups of commands, which know where a name that is none of theirs belongs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click

from tradex_ledger.errors import meant


class Group(click.Group):
    """A group that says which commands of the whole program a wrong name may have meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Click's own. Raises: `click.UsageError` with the commands that may have been meant."""
        name = args[0]
        if not name.startswith("-") and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            if there := _elsewhere(ctx, name):
                ctx.fail(f"No such command {name!r} here; did you mean {' or '.join(there)}?")
            if like := meant(name, self.list_commands(ctx)):
                ctx.fail(f"No such command {name!r}; {like.strip()}")
        return super().resolve_command(ctx, args)


def group(name: str, **more: Any) -> Callable[[Callable[..., object]], click.Group]:
    """`click.group` for a `Group`."""
    return click.group(name, cls=Group, **more)


def _elsewhere(ctx: click.Context, name: str) -> list[str]:
    """The commands of that name in the other groups, as they are called."""
    root = ctx.find_root()
    return [" ".join(path) for path in _paths(root.command, root, (str(root.info_name),)) if path[-1] == name]


def _paths(command: click.Command, ctx: click.Context, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            if below is not None and not below.hidden:
                yield from _paths(below, ctx, (*path, name))
