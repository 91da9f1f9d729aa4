"""What is refused at the door, before any page is asked."""

from __future__ import annotations

from tradex_ledger.errors import (
    BrokenLedgerError,
    ConflictError,
    EnvironmentFault,
    NotFoundError,
    RefusedError,
    TradexError,
    UsageError,
)

STATUS: tuple[tuple[type[TradexError], int], ...] = (
    (UsageError, 400),
    (RefusedError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (EnvironmentFault, 503),
    (BrokenLedgerError, 500),
)


def status_of(error: TradexError) -> int:
    """The status (HTTP) that an error is answered with."""
    own: int | None = getattr(error, "http_status", None)
    return own or next((status for kind, status in STATUS if isinstance(error, kind)), 500)


class OtherHostError(RefusedError):
    """The request names a host that this site is not."""

    code = "other-host"
    http_status = 421

    def __init__(self, host: str) -> None:
        super().__init__(
            f"this is not {host[:100]!r}",
            mend="open the address that tradex serve printed; behind a proxy, name it: tradex serve --host NAME",
        )


class NotLetInError(RefusedError):
    """Who asks has not opened the address with the key."""

    code = "not-let-in"
    http_status = 401

    def __init__(self) -> None:
        super().__init__(
            "this site is for who started it", mend="open the address that tradex serve printed: it holds the key"
        )


class NotByProxyError(RefusedError):
    """A request did not come by the proxy that says who asks."""

    code = "not-by-proxy"

    def __init__(self, why: str) -> None:
        super().__init__(f"the request is not believed: {why}", mend="ask through the proxy that signs persons in")


class ForgedFormError(RefusedError):
    """A form was not sent from a page of this site, or not by who was shown it."""

    code = "forged-form"

    def __init__(self, why: str) -> None:
        super().__init__(f"nothing was done: {why}", mend="open the page again, and decide there")


class NobodyError(RefusedError):
    """A deed takes a name."""

    code = "nobody"

    def __init__(self) -> None:
        super().__init__("nobody is signed in: this page is read-only", mend="sign in at the proxy, then open it again")


def somebody(actor: str | None) -> str:
    """The person who asks. Raises `NobodyError` for who only reads."""
    if actor is None:
        raise NobodyError
    return actor
