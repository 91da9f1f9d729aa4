"""The examples of the pages: their blocks as they stand there, and a stage on which commands are run as they are typed.

A command of the program runs in this process, as `tradex` does it, at a tenth of what a process of its own costs; what
a shell is needed for is given to one. What stands for something else on a page (`bf-1m83`, `/backups/`) is said by a
story: `meant`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.kit.tree import CLI, ROOT
from tradex_ledger.cli.main import run

PAGES = sorted(
    path for path in ROOT.rglob("*.md") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
_CODE = re.compile(r"^```.*?^```", re.M | re.S)
_FENCE = re.compile(r"^(?P<fence>```+)(?P<language>\S*) *\n(?P<text>.*?)^(?P=fence) *$", re.M | re.S)
_SHELL = frozenset("|<;&>()$`")
_FILE = re.compile(r"\$\(cat ([^\s()]+)\)")
_NAMED = re.compile(r"\b(bf|run|quar)-[0-9a-z]{13}\b")
_DUCKDB = """import sys, duckdb
reading = duckdb.connect(sys.argv[1], read_only=True)
for statement in reading.extract_statements(sys.argv[2]):
    print(reading.sql(statement))
"""
_DIGEST = re.compile(r"^(?:digest +|plan +|erasure )([0-9a-f]{12,64})\b", re.M)


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two fences of a page, from a line on."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return _CODE.sub("", page.read_text(encoding="utf-8"))


def blocks(page: str, *languages: str) -> list[Block]:
    """The blocks of a page, a path below the root of the tree: those in some languages, or all."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = [
        Block(page, text.count("\n", 0, one.start()) + 1, one["language"], one["text"]) for one in _FENCE.finditer(text)
    ]
    return [one for one in found if not languages or one.language in languages]


def commands(text: str) -> list[str]:
    """The commands of a block: a line each, unless it goes on or a quotation does."""
    found, whole = [], ""
    for line in text.splitlines():
        whole = f"{whole}\n{line}" if whole else line
        if line.endswith("\\") or not _is_closed(whole):
            continue
        found += [whole] if words(whole) else []
        whole = ""
    assert not whole, f"this ends in the middle: {whole}"
    return found


def _is_closed(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True


def words(command: str) -> list[str]:
    """A command as a shell takes it apart: without its comment, lines that go on being one."""
    return shlex.split(command.replace("\\\n", " "), comments=True)


def assigned(command: str) -> tuple[dict[str, str], list[str]]:
    """What a command is told by variables in front of it, and its words."""
    said = words(command)
    first = next(at for at, word in enumerate(said) if not re.match(r"[A-Z_]+=", word))
    return dict(word.split("=", 1) for word in said[:first]), said[first:]


def settled(settings: str, more: str) -> str:
    """Settings with those of a page in them, below the headings that are there."""
    for part in more.strip().split("\n\n"):
        heading, _, said = part.partition("\n")
        named = {line.partition(" = ")[0] for line in said.splitlines()}
        before, found, after = settings.partition(f"{heading}\n")
        if not found:
            settings = f"{settings.rstrip()}\n\n{part}\n"
            continue
        own, mark, rest = after.partition("\n[")
        kept = [line for line in own.splitlines() if line.partition(" = ")[0] not in named]
        settings = f"{before}{part}\n" + "\n".join(kept) + mark + rest
    return settings


def is_for_a_shell(command: str) -> bool:
    """Whether more than words is asked for: what goes into a file or to another command, values of variables."""
    parts = list(shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars=True))
    return words(command)[0] != "tradex" or any(part and set(part) <= _SHELL for part in parts)


@dataclass
class Stage:
    """Where the commands of a page are run, block by block; `meant` says what stands for something else there."""

    folder: Path
    said: pytest.CaptureFixture[str]
    left: list[Block]
    meant: dict[str, str] = field(default_factory=dict)

    def take(self) -> list[str]:
        """The commands of the next block, for who runs them by themselves."""
        return commands(self.left.pop(0).text)

    def block(self, **statuses: int) -> str:
        """Run the next block; returns all that it said.

        A command ends with 0, or with the status of the part of it that is named: `ledger_show=1`.
        """
        said = ""
        for command in self.take():
            named = [status for part, status in statuses.items() if part.replace("_", " ") in command]
            said += self.play(command, *named)
        return said

    def play(self, command: str, status: int = 0) -> str:
        """Run one command as it is meant; returns what it said. `bf-…` is the last backfill that was named."""
        for sign, value in sorted(self.meant.items(), key=lambda one: -len(one[0])):
            command = command.replace(sign, value)
        command = _FILE.sub(lambda file: (self.folder / file[1]).read_text("utf-8").strip(), command)
        ended, told = self._ended(command)
        assert ended == status, f"{command}\nended with {ended}, not {status}:\n{told}"
        self.meant |= {f"{one[1]}-…": one[0] for one in _NAMED.finditer(f"{command}\n{told}")}
        if digests := _DIGEST.findall(told):
            self.meant["3f2a…"] = digests[-1]
        return told

    def _ended(self, command: str) -> tuple[int, str]:
        if is_for_a_shell(command):
            done = subprocess.run(
                ["bash", "-c", command], cwd=self.folder, text=True, check=False, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            return done.returncode, done.stdout
        self.said.readouterr()
        home = re.compile(r"^~(?=/)")
        ended = run([home.sub(os.environ["HOME"], os.path.expandvars(word)) for word in words(command)[1:]])
        told = self.said.readouterr()
        return ended, told.out + told.err


def stage(page: str, folder: Path, said: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> Stage:
    """A stage in a folder for the `sh` blocks of a page: a home, a `tradex` for shells, and who acts."""
    home, programs = folder.parent / "home", folder.parent / "bin"
    for made in (home, programs):
        made.mkdir(exist_ok=True)
    for name, what in (("tradex", [str(CLI)]), ("python", []), ("duckdb", ["-c", _DUCKDB])):
        start = shlex.join(["env", f"PYTHONPATH={ROOT}", sys.executable, *what])
        (programs / name).write_text(f'#!/bin/sh\nexec {start} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    variables = {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}", "TRADEX_ACTOR": "ana"}
    for name, value in variables.items():
        patch.setenv(name, value)
    patch.chdir(folder)
    return Stage(folder, said, blocks(page, "sh"))
