"""The site: its addresses, and errors as pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cache
from importlib import import_module
from types import ModuleType

from anyio.to_thread import current_default_thread_limiter
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from tradex_ledger.errors import NotFoundError, TradexError
from tradex_ledger.web.errors import ForgedFormError, NotLetInError, status_of
from tradex_ledger.web.forms import body_of
from tradex_ledger.web.frame import THEME, THEMES, Frame, folder, templates
from tradex_ledger.web.guard import Guard
from tradex_ledger.web.site import Site
from tradex_ledger.web.within import is_within, number_of, path_of

Page = Callable[[Request], Response]
Handler = Callable[[Request], Awaitable[Response]]
_AT_ONCE = 10
"""Pages that are worked out at once: each holds memory, and more of them do not go faster."""
SLOWEST_FORM_SECONDS = 4
"""Less than a server that is told to end waits for: nothing is cut off in the middle."""
_YEAR = 365 * 86_400
_HARD = 5
"""How hard answers are compressed, of nine: they are made anew for each who asks."""


class NoPageError(NotFoundError):
    """There is no page at that address."""

    code = "no-page"

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no page {path[:200]}", mend="begin at the first page: /")


def make_app(site: Site) -> ASGIApp:
    """The site as an application, behind its door."""
    routes = [
        *(Route(path, shown(page), methods=["GET"]) for path, page in PAGES),
        Route("/runs/{run_id}/{deed}", decided, methods=["POST"]),
        Route("/look", looked, methods=["POST"]),
        Route("/live", live, methods=["GET"]),
        Route("/theme", theme, methods=["GET"]),
        Mount("/static", StaticFiles(directory=folder("static"))),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(GZipMiddleware, minimum_size=1_000, compresslevel=_HARD)],
        lifespan=_following,
        exception_handlers={TradexError: _refused, HTTPException: _without_page},
    )
    app.state.site = site
    app.state.has_answered = asyncio.Event()
    return Guard(app, site)


PAGES: tuple[tuple[str, str], ...] = (
    ("/", "today.today"),
    ("/runs", "runs.runs"),
    ("/runs/{run_id}", "run.run"),
    ("/runs/{run_id}/report.html", "files.report"),
    ("/runs/{run_id}/reversal", "reversal.reversal"),
    ("/runs/{run_id}/parts", "parts.parts"),
    ("/runs/{run_id}/sign", "sign.sign"),
    ("/runs/{run_id}/approval.txt", "sign.text"),
    ("/datasets", "datasets.datasets"),
    ("/datasets/{name}", "dataset.dataset"),
    ("/datasets/{name}/{day}", "day.day"),
    ("/tables", "tables.tables"),
    ("/tables/{name}", "tables.table"),
    ("/log", "log.log"),
    ("/log/{position}", "log.event"),
    ("/moments", "around.moments"),
    ("/metrics", "files.metrics"),
)
"""Address and function of each page. A module is loaded once it is asked, or nobody waits: half of a start was that."""


@cache
def named(page: str) -> Page:
    """The function of a page."""
    module, _, function = page.partition(".")
    found: Page = getattr(import_module(f"tradex_ledger.web.pages.{module}"), function)
    return found


def load() -> tuple[ModuleType, ...]:
    """All pages."""
    from tradex_ledger.web.pages import (
        around,
        dataset,
        datasets,
        day,
        files,
        log,
        parts,
        reversal,
        run,
        runs,
        sign,
        tables,
        today,
    )

    return around, dataset, datasets, day, files, log, parts, reversal, run, runs, sign, tables, today


def shown(page: str) -> Handler:
    """A page as what answers its address: it is worked out beside the others, in a thread."""

    async def handler(request: Request) -> Response:
        _check_let_in(request)
        with request.app.state.site.now.asking():
            answer = await run_in_threadpool(lambda: named(page)(request))
        request.app.state.has_answered.set()
        return answer

    return handler


async def decided(request: Request) -> Response:
    """A deed on a run."""
    return await run_in_threadpool(_decide, request, await _form_of(request))


def _decide(request: Request, form: Mapping[str, str]) -> Response:
    from tradex_ledger.web.pages.decide import decide

    return decide(request, form)


async def looked(request: Request) -> Response:
    """A look at the source."""
    return await run_in_threadpool(_look, request, await _form_of(request))


def _look(request: Request, form: Mapping[str, str]) -> Response:
    from tradex_ledger.web.pages.look import look

    return look(request, form)


async def _form_of(request: Request) -> Mapping[str, str]:
    """The form of somebody who was let in. Raises `ForgedFormError` where it does not come, or is none."""
    _check_let_in(request)
    try:
        async with asyncio.timeout(SLOWEST_FORM_SECONDS):
            return await body_of(request)
    except TimeoutError:
        raise ForgedFormError(f"it took more than {SLOWEST_FORM_SECONDS} seconds to come") from None


async def live(request: Request) -> Response:
    """Each position that the ledger comes to, as it comes."""
    _check_let_in(request)
    told = request.app.state.site.live.told(number_of(request.query_params.get("after")) or 0)
    return StreamingResponse(told, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def theme(request: Request) -> Response:
    """Light or dark, kept in a cookie: so nothing flashes, and no script is needed."""
    _check_let_in(request)
    back = request.query_params.get("back", "/")
    answer = RedirectResponse(back if is_within(back) else "/", status_code=303)
    wanted = request.query_params.get("to")
    if wanted in THEMES:
        answer.set_cookie(THEME, str(wanted), max_age=_YEAR, httponly=True, samesite="strict", path="/")
    return answer


@asynccontextmanager
async def _following(app: Starlette) -> AsyncIterator[None]:
    site: Site = app.state.site
    current_default_thread_limiter().total_tokens = _AT_ONCE
    loading = asyncio.create_task(_load_the_rest(app.state.has_answered))
    follower = asyncio.create_task(site.live.follow(site.store.position))
    try:
        yield
    finally:
        loading.cancel()
        site.live.stopping.set()
        with suppress(TradexError):  # a look that failed as it stopped
            await follower


async def _load_the_rest(has_answered: asyncio.Event) -> None:
    """Behind the first answer, for which somebody waits."""
    await has_answered.wait()
    await run_in_threadpool(load)


def _check_let_in(request: Request) -> None:
    refused: TradexError | None = request.state.refused
    if refused is not None:
        raise refused


def _refused(request: Request, error: Exception) -> Response:
    """An error as a page: what, with the values, and what mends it."""
    assert isinstance(error, TradexError)
    bare = templates().get_template("error.html")
    frame: Frame | None = None
    if request.state.is_let_in:
        with suppress(TradexError):  # what is wrong may be the very position
            frame = Frame.of(request)
    again = _again(request) if isinstance(error, NotLetInError) else None
    return HTMLResponse(bare.render(frame=frame, error=error, again=again), status_code=status_of(error))


def _again(request: Request) -> str:
    """The address that was asked for. A browser that follows a link from elsewhere keeps the cookie to itself; one that
    follows this one does not."""
    path, query = path_of(request.url.path), request.url.query
    return f"{path}?{query}" if query and "key=" not in query else path


def _without_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if request.state.refused is not None:
        return _refused(request, request.state.refused)
    if error.status_code == 404:
        return _refused(request, NoPageError(request.url.path))
    return Response(status_code=error.status_code, headers=error.headers)
