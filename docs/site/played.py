"""Blocks of commands that are run when the site is made, with what they said below them.

```{played}
tradex init ws --source files:posts
tradex -C ws run            ← each line is a command; a line that ends with \\ goes on
```

The blocks of a page share one folder and one environment, and run in order. `bf-…` in a command is the last backfill
that anything above has named, `run-…` the last incremental run. A command that ends otherwise than with 0 fails the
site, unless the block says `:ends: N`. `:first: N` shows the first lines of what each said, and how many more there
were; `:quiet:` shows the commands alone, `:hidden:` nothing at all.

A page that begins with a hidden block begins where that block ends: pages that begin with the same one share it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent.parent
_NAMED = re.compile(r"\b(bf|run)-[0-9a-z]{13}\b")
_LAST = re.compile(r"\b(bf|run)-…")
SECONDS = 300
ROOMS = "PLAYED_ROOMS"
"""Names the folder of the stages, for all pages of a site; without it a page has one of its own."""


class PlayedError(Exception):
    """A block of a page that does not do what the page says."""


def on_terminal(command: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command line on a terminal of 80 columns; returns its exit status and what is to be seen there."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (10_000, 80))
    running = subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)

    def end() -> None:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)  # whoever is left of it would keep the terminal open

    guard = threading.Timer(SECONDS, end)
    guard.start()
    told = b""
    with suppress(OSError):  # the last writer has closed the terminal
        while got := os.read(ours, 65536):
            told += got
    os.close(ours)
    ended = running.wait()
    guard.cancel()
    lines = told.decode(errors="replace").replace("\r\n", "\n").split("\n")
    return ended, "\n".join(line.rpartition("\r")[2].rstrip() for line in lines).strip("\n")


@dataclass
class Stage:
    """Where the blocks of one page are run: a folder, and the runs that were named in it so far."""

    folder: Path
    last: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """No setting of who makes the site gets in: a home of its own, 80 columns, no colour."""
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        home = self.folder.parent / "home"
        home.mkdir(exist_ok=True)
        path = f"{self.folder.parent / 'bin'}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        more = {"HOME": str(home), "PATH": path, "NO_COLOR": "1", "TERM": "dumb", "TRADEX_ACTOR": "ana"}
        more |= {"PAGER": "cat", "TRADEX_PAGER": "cat"}
        return {**kept, **more}

    def play(self, command: str, ends: int) -> tuple[str, str]:
        """Run one command line; returns it as it was run, and what it said. Raises `PlayedError`."""
        said = _LAST.sub(lambda match: self.last.get(match[1], match[0]), command)
        ended, told = on_terminal(said, self.folder, self.environment())
        if ended != ends:
            raise PlayedError(f"{said}\nended with {ended}, not {ends}:\n{told}")
        for match in _NAMED.finditer(f"{said}\n{told}"):
            self.last[match[1]] = match[0]
        return said, told


def stage(folder: Path) -> Stage:
    """A stage in an empty folder, with `tradex` being the program of this tree."""
    for name in ("bin", "at"):
        (folder / name).mkdir()
    for name, what in (("tradex", str(ROOT / "cli.py")), ("python", "")):
        program = folder / "bin" / name
        start = shlex.join(["env", f"PYTHONPATH={ROOT}", sys.executable, *filter(None, [what])])
        program.write_text(f'#!/bin/sh\nexec {start} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    return Stage(folder / "at")


@dataclass
class Room:
    """A place for a stage, one page's at a time: the lock goes with the page. A stage is always at the same path then,
    so that what was played there once is still right where it is laid again."""

    folder: Path
    lock: IO[str]
    rooms: object = None

    def empty(self) -> Stage:
        """A stage on which nothing was played."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        return stage(self.folder)

    def begun(self, lines: list[str]) -> Stage:
        """A stage on which a block was played: here once, and laid again for each other page."""
        kept = self.folder.with_name(f"{self.folder.name}-{hashlib.sha256(repr(lines).encode()).hexdigest()[:16]}")
        last = kept / "last.json"
        if not last.exists():
            made = self.empty()
            for command in commands(lines):
                made.play(command, 0)
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(self.folder, kept, symlinks=True)
            last.write_text(json.dumps(made.last), encoding="utf-8")
            return made
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(kept, self.folder, symlinks=True, ignore=shutil.ignore_patterns(last.name))
        return Stage(self.folder / "at", json.loads(last.read_text(encoding="utf-8")))


def room() -> Room:
    """The first room that no other page is in."""
    own = None if ROOMS in os.environ else tempfile.TemporaryDirectory(prefix="played-")
    rooms = Path(own.name if own else os.environ[ROOMS])
    for number in count():
        lock = (rooms / f"{number}.lock").open("w")
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return Room(rooms / str(number), lock, own)
        lock.close()
    raise AssertionError


def commands(lines: list[str]) -> list[str]:
    """The commands of a block: a line each, unless it goes on."""
    found, whole = [], ""
    for line in lines:
        whole = f"{whole}\n{line}" if whole else line
        if not line.endswith("\\"):
            found += [whole] if whole.strip() else []
            whole = ""
    return found


def short(text: str, first: int | None) -> str:
    """The first lines of a text, and how many more it has."""
    lines = text.split("\n")
    if first is None or len(lines) <= first:
        return text
    return "\n".join([*lines[:first], f"… ({len(lines) - first} more lines)"])


class Played(SphinxDirective):
    """```{played}"""

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {
        "ends": directives.nonnegative_int,
        "first": directives.positive_int,
        "quiet": directives.flag,
        "hidden": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        stages = self.env.temp_data
        if "played" not in stages:
            stages["played-room"] = room()  # gone with the page
            if "hidden" in self.options and not self.options.get("ends"):
                try:
                    stages["played"] = stages["played-room"].begun(list(self.content))
                except PlayedError as error:
                    raise self.error(str(error)) from None
                return []
            stages["played"] = stages["played-room"].empty()
        shown = []
        for command in commands(list(self.content)):
            try:
                said, told = stages["played"].play(command, self.options.get("ends", 0))
            except PlayedError as error:
                raise self.error(str(error)) from None
            shown += [
                f"$ {said}",
                *([short(told, self.options.get("first"))] if told and "quiet" not in self.options else []),
            ]
        if "hidden" in self.options:
            return []
        text = "\n".join(shown).replace(f"{stages['played'].folder}/", "")
        block = nodes.literal_block(text, text)
        block["language"] = "text"
        return [block]


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls to load this as an extension."""
    app.add_directive("played", Played)
    return {"parallel_read_safe": True}
