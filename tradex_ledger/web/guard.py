"""The door: which hosts are answered, who somebody is, what a form must bring along, and what each answer says of
itself to browsers.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradex_ledger.domain.person import check_actor
from tradex_ledger.errors import TradexError
from tradex_ledger.web.errors import ForgedFormError, NotByProxyError, NotLetInError, OtherHostError
from tradex_ledger.web.site import Alone, Many, Site
from tradex_ledger.web.tokens import is_same, session
from tradex_ledger.web.within import path_of

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
SECRET = "x-tradex-secret"
"""The header by which a proxy shows that it is the proxy, where there is a shared secret."""
COOKIE = "tradex"
_SAFE = ("GET", "HEAD")


class Guard:
    """Wraps the site: nothing of it is asked before all that stands here holds."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app, self._site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        request = Request(scope)
        scope["state"] = {**scope.get("state", {}), "actor": None, "refused": None, "is_let_in": False}
        try:
            self._check_host(request.headers)
            if self._brings_key(request):
                await self._signed_in(request)(scope, receive, told)
                return
            if not scope["path"].startswith("/static/"):
                scope["state"] |= {"actor": self._actor(request), "is_let_in": True}
            if request.method not in _SAFE:
                self._check_origin(request)
        except TradexError as error:
            scope["state"] |= {"refused": error}  # the site has the words, and says them
        await self._app(scope, receive, told)

    def _check_host(self, headers: Mapping[str, str]) -> None:
        host = headers.get("host", "").lower()
        if host not in self._site.hosts:
            raise OtherHostError(host)

    def _brings_key(self, request: Request) -> bool:
        who = self._site.who
        given = request.query_params.get("key") if request.method == "GET" else None
        return isinstance(who, Alone) and given is not None and is_same(given, who.key)

    def _signed_in(self, request: Request) -> RedirectResponse:
        """The key goes into a cookie that no script reads, and out of the address."""
        assert isinstance(self._site.who, Alone)
        answer = RedirectResponse(path_of(request.url.path), status_code=303)
        answer.set_cookie(cookie_of(request), session(self._site.who.key), httponly=True, samesite="strict", path="/")
        return answer

    def _actor(self, request: Request) -> str | None:
        """Who asks; None: nobody that anybody vouches for, who may read. Raises: `NotLetInError`, `NotByProxyError`."""
        who = self._site.who
        if isinstance(who, Alone):
            if not is_same(_cookies(request).get(cookie_of(request), ""), session(who.key)):
                raise NotLetInError
            return who.actor
        return _named(request.headers, who)

    def _check_origin(self, request: Request) -> None:
        """A form comes from a page of this very site. Raises `ForgedFormError`."""
        origin, fetched = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        if origin is None and fetched is None:
            raise ForgedFormError("nothing says from which page it was sent")
        if fetched is not None and fetched != "same-origin":
            raise ForgedFormError(f"it was sent from elsewhere ({fetched[:40]})")
        if origin is not None and not self._is_own(origin, request):
            raise ForgedFormError(f"it was sent from a page of {origin[:100]!r}")

    def _is_own(self, origin: str, request: Request) -> bool:
        """Behind a proxy nobody here knows whether it is asked by https; the host is the one that was asked for."""
        scheme, _, host = origin.lower().partition("://")
        wanted = ("http",) if isinstance(self._site.who, Alone) else ("http", "https")
        return scheme in wanted and host == request.headers.get("host", "").lower()


def cookie_of(request: Request) -> str:
    """What the cookie is called: browsers tell sites by name, not by port."""
    return f"{COOKIE}-{request.url.port or 80}"


def _cookies(request: Request) -> dict[str, str]:
    try:
        return {name: one.value for name, one in SimpleCookie(request.headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _named(headers: Headers, who: Many) -> str | None:
    """Who the proxy says that it is. Raises: `NotByProxyError`, `ActorNameError`."""
    if who.secret is not None and not is_same(headers.get(SECRET, ""), who.secret):
        raise NotByProxyError(f"it has not the secret that proxy and site share, in the header {SECRET}")
    named = headers.getlist(who.header)
    if len(named) > 1 or "," in "".join(
        named
    ):  # RFC 9110, 5.3: whoever stands between may have joined several by commas
        raise NotByProxyError(f"{who.header} says several names")
    if not named or not named[0].strip():
        return None
    return check_actor(_as_sent(named[0]))


def _as_sent(name: str) -> str:
    """Headers are read as Latin-1; names are sent as UTF-8."""
    try:
        return name.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return name
