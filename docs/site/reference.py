"""The reference, made from the code: commands, events, projections, settings, errors."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent.parent


def write_reference(folder: Path) -> None:
    """One page each, in Markdown."""
    folder.mkdir(parents=True)
    pages = {
        "commands": commands_page(),
        "events": events_page(),
        "projections": projections_page(),
        "settings": settings_page(),
        "errors": errors_page(),
        "python": python_page(),
    }
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of Markdown; a bar or a break within a cell divides nothing."""

    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"

    return line(head) + line(("---",) * len(head)) + "".join(line(row) for row in rows)


def leaves(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Each command that does something, by its group."""
    if not isinstance(command, click.Group):
        yield command, context
        return
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None, name
        yield from leaves(below, click.Context(below, parent=context, info_name=name))


def commands_page() -> str:
    """What `--help` says of each command."""
    from tradex_ledger.cli.main import cli

    top = click.Context(cli, info_name="tradex", max_content_width=100, terminal_width=100)
    parts = ["# Commands\n", "What each says with `--help`.\n", f"```text\n{cli.get_help(top)}\n```\n"]
    group = ""
    for command, context in leaves(cli, top):
        words = context.command_path.split()
        if words[1] != group:
            group = words[1]
            parts.append(f"## tradex {group}\n")
        if len(words) > 2:
            parts.append(f"### {context.command_path}\n")
        parts.append(f"```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def _type(field: dict[str, Any]) -> str:
    kind = field.get("type", "any of these" if "anyOf" in field or "oneOf" in field else "")
    return " or ".join(kind) if isinstance(kind, list) else str(kind or ("reference" if "$ref" in field else "any"))


def events_page() -> str:
    """Each event in each version, from its schema."""
    parts = [
        "# Events\n",
        "What the ledger is made of. An event's meaning never changes: another meaning is another version. The schemas "
        "lie in `schema/events`; which event a run may have next stands in `schema/lifecycle.csv`.\n",
    ]
    for path in sorted((ROOT / "schema" / "events").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        parts.append(f"## {path.stem.rpartition('.v')[0]}, version {path.stem.rpartition('.v')[2]}\n")
        parts.append(schema.get("description", "") + "\n")
        needed = set(schema.get("required", ()))
        rows = [
            (f"`{name}`", _type(field) + ("" if name in needed else ", optional"), field.get("description", ""))
            for name, field in schema.get("properties", {}).items()
        ]
        if rows:
            parts.append(table(("field", "type", "meaning"), rows))
    return "\n".join(parts)


def projections_page() -> str:
    """Each projection with its columns."""
    parts = [
        "# Projections\n",
        "The read side: `tradex query` asks them by these names, as of any position. Each is one SQL file in "
        "`projections/`.\n",
    ]
    for path in sorted((ROOT / "schema" / "projections").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = [(f"`{one['name']}`", one["type"], one["meaning"]) for one in content["columns"]]
        parts += [f"## {content['name']}\n", content["row"] + "\n", table(("column", "type", "meaning"), rows)]
    return "\n".join(parts)


def settings_page() -> str:
    """A fresh `tradex.toml`, which names every setting, and the variables of the environment."""
    from tradex_ledger.config import FORMAT
    from tradex_ledger.fresh import fresh_settings

    text = fresh_settings(
        FORMAT, ledger="sqlite:///ledger.db", lake="lake", source="files:posts", sources={}, pipeline=None, name=None,
        row="post",
    )  # fmt: skip
    return (
        "# Settings\n\n`tradex init` writes this `tradex.toml`. What is behind a `#` holds unless it is said.\n\n"
        f"```toml\n{text}\n```\n"
    )


def errors_page() -> str:
    """Each code that a failing command says, with its exit status."""
    with (ROOT / "schema" / "codes.csv").open(encoding="utf-8", newline="") as file:
        rows = [(f"`{one['code']}`", one["exit_status"], one["meaning"]) for one in csv.DictReader(file)]
    return (
        "# Errors\n\nA command that fails says what is so, the values, and the mend; with `--json` a document with one "
        "of these codes. A code has one meaning, and keeps it.\n\n" + table(("code", "exit status", "meaning"), rows)
    )


def python_page() -> str:
    """The names that `tradex_ledger` gives, as Python documents them."""
    import inspect

    import tradex_ledger
    from tradex_ledger.workspace import Workspace

    parts = ["# Python\n", "What `from tradex_ledger import …` gives.\n"]
    for name in sorted(tradex_ledger.OFFERED):
        thing = getattr(tradex_ledger, name)
        parts.append(f"## {name}\n\n```text\n{inspect.getdoc(thing) or ''}\n```\n")
    parts.append("## The rooms of a workspace\n")
    for name, member in inspect.getmembers(Workspace):
        if not name.startswith("_") and (text := inspect.getdoc(member)):
            parts.append(f"### {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)
