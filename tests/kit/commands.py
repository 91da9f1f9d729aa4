"""The commands that there are, in tests."""

from __future__ import annotations

import click


def paths(command: click.Command, path: str = "") -> dict[str, bool]:
    """Each command and group by its path; whether it is a group that does nothing by itself."""
    alone = isinstance(command, click.Group) and not command.invoke_without_command
    found = {path: alone} if path else {}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found |= paths(inner, f"{path} {name}".strip())
    return found
