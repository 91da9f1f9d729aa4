"""What a form sends."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import Request

from tradex_ledger.web.errors import ForgedFormError

LONGEST_BODY = 65_536
_FORM = "application/x-www-form-urlencoded"


async def body_of(request: Request) -> Mapping[str, str]:
    """The fields of a form. Raises: `ForgedFormError` for what no form of ours sends."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise ForgedFormError(f"that is no form: {request.headers.get('content-type', '')[:60]!r}")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise ForgedFormError(f"it has more than {LONGEST_BODY} bytes")
    try:
        found = parse_qs(body.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=40)
    except ValueError as error:
        raise ForgedFormError(f"it cannot be read ({error})") from None
    return {name: values[-1].replace("\r\n", "\n") for name, values in found.items()}
