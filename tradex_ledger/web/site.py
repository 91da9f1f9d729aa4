"""What a site is made of: a workspace that is only read, who may look at it, and what was answered before."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from tradex_ledger.audit.look import Look
from tradex_ledger.audit.reader import Reader
from tradex_ledger.ledger.select import Store
from tradex_ledger.web.answers import Answers
from tradex_ledger.web.at import At
from tradex_ledger.web.lenses import Lenses
from tradex_ledger.web.live import Live
from tradex_ledger.web.now import Now

if TYPE_CHECKING:
    from tradex_ledger.workspace import Workspace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Alone:
    """One person on this machine: who opens the printed address, which holds the `key`, acts as `actor`."""

    key: str
    actor: str


@dataclass(frozen=True, slots=True)
class Many:
    """Persons behind a proxy, which says in a `header` who asks; with a `secret`, only who sends that is believed."""

    header: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class Site:
    """A workspace as pages. `hosts` are the names that it answers to, `secret` is what forms are bound with.

    `look` is all that most pages ask; `opened` is the workspace itself, which is opened by who first needs it.
    """

    look: Look
    opened: Callable[[], Workspace]
    who: Alone | Many
    hosts: frozenset[str]
    secret: bytes
    clock: Callable[[], datetime]
    open_as: Callable[[str], AbstractContextManager[Workspace]]
    answers: Answers = field(default_factory=Answers)
    lenses: Lenses = field(default_factory=Lenses)
    live: Live = field(default_factory=Live)
    now: Now = field(default_factory=Now)
    looking: Lock = field(default_factory=Lock)

    @property
    def workspace(self) -> Workspace:
        """The workspace, which is only read here."""
        return self.opened()

    @property
    def name(self) -> str:
        """What the workspace is called: its folder."""
        return self.look.config.folder.resolve().name

    @property
    def store(self) -> Store:
        """The ledger."""
        return self.look.store

    def ask(self, at: At, what: Hashable, work_out: Callable[[], T]) -> T:
        """What is known as of a position, worked out once; what is told of today beside it belongs to a live page."""
        return self.answers.get((at.position, at.is_pinned, what), work_out)

    def read(self, at: At, what: Hashable, work_out: Callable[[Reader], T]) -> T:
        """The same of what is worked out by the projections as of there."""
        return self.ask(at, what, lambda: self.lenses.read(self.store, at.as_of, work_out))
