"""What stands around every page: the templates, and the head with its slider."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tradex_ledger.audit.draw import words
from tradex_ledger.audit.draw.icons import icon
from tradex_ledger.clock import new_token
from tradex_ledger.domain.day import last_before
from tradex_ledger.web.at import At, at_of
from tradex_ledger.web.draw.slider import MOST, slider
from tradex_ledger.web.moments import Moment, newest
from tradex_ledger.web.site import Site
from tradex_ledger.web.tokens import token
from tradex_ledger.web.within import path_of

SECTIONS = (("/", "Today"), ("/runs", "Runs"), ("/datasets", "Datasets"), ("/log", "Log"), ("/tables", "Tables"))
THEMES = ("light", "dark")
THEME = "tradex-theme"


def folder(name: str) -> Path:
    """A folder of files that travel with the package."""
    return Path(str(resources.files("tradex_ledger.web").joinpath(name)))


@cache
def templates() -> Environment:
    """The templates: what is put into one is escaped, and what is not known is an error."""
    found = Environment(
        loader=FileSystemLoader(folder("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.globals |= {"words": words, "icon": icon, "last_before": last_before}
    return found


@dataclass(frozen=True, slots=True)
class Frame:
    """What is around a page: of which site, for whom, as of where."""

    site: Site
    at: At
    actor: str | None
    path: str
    query: str
    theme: str | None

    @staticmethod
    def of(request: Request) -> Frame:
        """That of a request. Raises what `at_of` raises."""
        site: Site = request.app.state.site
        theme = request.cookies.get(THEME)
        return Frame(
            site=site,
            at=_at(site, request.query_params.get("at")),
            actor=request.state.actor,
            path=path_of(request.url.path),
            query=request.url.query,
            theme=theme if theme in THEMES else None,
        )

    @property
    def sections(self) -> list[tuple[str, str, bool]]:
        """Address, name, and whether this page is within."""
        return [
            (href, name, self.path == href or (href != "/" and self.path.startswith(f"{href}/")))
            for href, name in SECTIONS
        ]

    @property
    def slider(self) -> Markup:
        """Moments up to where the page is as of: a page that is pinned says nothing of what came later."""
        return self.site.ask(self.at, ("slider", self.path), lambda: slider(self._moments, self.at, self.path))

    @property
    def _moments(self) -> list[Moment]:
        return self.site.read(self.at, "moments", lambda reader: newest(reader, MOST))

    @property
    def steps(self) -> tuple[int | None, int | None]:
        """The moment before this position, and the last one up to it where the page is pinned."""
        before = next((one.position for one in reversed(self._moments) if one.position < self.at.position), None)
        return before, None

    @property
    def last(self) -> str:
        """What happened at the position, in a few words."""
        return next((one.what for one in reversed(self._moments) if one.position == self.at.position), "")

    @property
    def may_decide(self) -> bool:
        """Whether anything can be decided here: not in the past, and by nobody."""
        return self.actor is not None and not self.at.is_pinned

    def token(self, run_id: str) -> str:
        """What binds a form of this page to this person and that run."""
        return token(self.site.secret, self.actor or "", run_id, self.site.clock(), new_token())


def _at(site: Site, asked: str | None) -> At:
    if asked and asked.strip():
        return at_of(site.store, asked)
    return site.now.at(site.live.position, lambda: at_of(site.store, None))


def page(frame: Frame, template: str, **found: object) -> Response:
    """A page as an answer."""
    text = templates().get_template(template).render(frame=frame, at=frame.at, **found)
    return HTMLResponse(text)
