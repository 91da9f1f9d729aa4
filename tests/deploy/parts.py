"""What is in `deploy/`: the commands that its files give, and the settings that they hold."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml

from tests.kit.tree import ROOT
from tradex_ledger.cli.main import cli

DEPLOY = ROOT / "deploy"
UNITS = sorted(path for pattern in ("*.service", "*.timer") for path in (DEPLOY / "systemd").glob(pattern))
COMPOSE = DEPLOY / "compose" / "compose.yaml"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
SCRIPTS = sorted((DEPLOY / "scripts").glob("*.sh"))
BIN = "/opt/tradex/bin/"


def unit(path: Path) -> dict[str, dict[str, list[str]]]:
    """The sections of a unit, each with all values of each name."""
    found: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = heading[1]
            assert section not in found, f"{path}: [{section}] twice"
            found[section] = {}
            continue
        name, sign, value = line.partition("=")
        assert sign and section and name.isalpha(), f"{path}: {line}"
        found[section].setdefault(name, []).append(value)
    return found


def manifests() -> list[Any]:
    """Every object of every manifest."""
    return [one for path in MANIFESTS for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def compose() -> Any:
    """The compose file, with its merges made."""
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))


def pod(made: Any) -> Any:
    """The pod of an object that has one, else nothing."""
    spec = made.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    return spec.get("template", {}).get("spec", {})


def containers(made: Any) -> list[Any]:
    """Those of a pod, the first ones first."""
    found = pod(made)
    return [*found.get("initContainers", []), *found.get("containers", [])]


def bare(words: list[str]) -> list[str]:
    """A command without the shell around it: what `sh -c` makes up is a word of its own."""
    if words[:1] and words[0].rpartition("/")[2] == "sh":
        inner = re.sub(r"\$+\([^)]*\)", "made-up", words[2]).removeprefix("exec ")
        return bare(shlex.split(inner))
    return [words[0].removeprefix(BIN), *words[1:]]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command that a file gives, with where it stands."""
    for path in UNITS:
        for name, values in unit(path).get("Service", {}).items():
            if name.startswith("Exec"):
                yield from ((f"{path.name} {name}", bare(shlex.split(value))) for value in values)
    for name, service in compose()["services"].items():
        if "command" in service:
            yield f"compose {name}", bare(service["command"])
        if "healthcheck" in service:
            yield f"compose {name} healthcheck", bare(service["healthcheck"]["test"][1:])
    for made in manifests():
        for one in containers(made):
            yield f"{made['metadata']['name']} {one['name']}", bare(one["command"])
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe in one:
                    yield f"{made['metadata']['name']} {probe}", bare(one[probe]["exec"]["command"])


def parse(words: list[str]) -> click.Context:
    """The words after `tradex`, as the program takes them. Raises `click.UsageError`."""
    context = cli.make_context("tradex", list(words))
    while isinstance(context.command, click.Group) and (context._protected_args or context.args):
        name, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None
        context = command.make_context(name, list(rest), parent=context)
    return context
