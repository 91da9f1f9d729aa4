"""Every projection as a table: a page of it, or all of it as CSV, JSON or Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tradex_ledger.audit.answer import Answer
from tradex_ledger.audit.documents.projection import contracts
from tradex_ledger.datasets.statement import quoted
from tradex_ledger.errors import NotFoundError
from tradex_ledger.views.projected import Contract
from tradex_ledger.web.at import At
from tradex_ledger.web.frame import Frame, page
from tradex_ledger.web.site import Site
from tradex_ledger.web.within import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = 100
MOST = 1_000_000
"""Rows that are handed over at once."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run."""
_KINDS: Mapping[str, str] = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
_OWN = ("at", "before", "key")


class NoFormError(NotFoundError):
    """A table is asked for in a form that there is not."""

    code = "no-form"

    def __init__(self, form: str) -> None:
        super().__init__(f"there is no form {form[:40]!r}", mend=f"one of: {', '.join(_KINDS)}")


def tables(request: Request) -> Response:
    """All projections: what a row of each is."""
    return page(Frame.of(request), "tables.html", contracts=contracts())


def table(request: Request) -> Response:
    """One of them: a page, or whole in a form that other programs read. Columns of the address filter it."""
    frame = Frame.of(request)
    name, dot, form = str(request.path_params.get("name")).partition(".")
    (contract,) = contracts(name)
    wanted = _filter(request, contract)
    if dot:
        if form not in _KINDS:
            raise NoFormError(form)
        return _file(frame, contract, wanted, form)
    begin = _begin(request)
    asked = ("table", name, tuple(wanted.items()), begin)
    found = frame.site.ask(frame.at, asked, lambda: _answer(frame.site, frame.at, contract, wanted, PAGE + 1, begin))
    return page(
        frame,
        "table.html",
        contract=contract,
        found=found,
        rows=found.rows[:PAGE],
        begin=begin,
        more=begin + PAGE if len(found.rows) > PAGE else None,
        wanted=wanted,
        cell=cell,
    )


def _begin(request: Request) -> int:
    return number_of(request.query_params.get("before"), digits=9) or 0


def _filter(request: Request, contract: Contract) -> dict[str, str]:
    names = {column.name for column in contract.columns}
    return {name: value for name, value in request.query_params.items() if name in names and name not in _OWN and value}


def _answer(site: Site, at: At, contract: Contract, wanted: Mapping[str, str], most: int, begin: int = 0) -> Answer:
    """Some rows, the newest first where there is a position."""
    names = {column.name for column in contract.columns}
    where = " and ".join(f"{quoted(name)}::varchar = {_literal(value)}" for name, value in wanted.items())
    order = "position desc" if "position" in names else "all"
    chosen = f"select * from {contract.name} {'where ' + where if where else ''}"
    sql = f"{chosen} order by {order} limit {most} offset {begin}"
    return site.look.query(sql, as_of=at.as_of)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _file(frame: Frame, contract: Contract, wanted: Mapping[str, str], form: str) -> Response:
    found = _answer(frame.site, frame.at, contract, wanted, MOST)
    name = f"{contract.name}-{frame.at.token}.{form}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    if form == "parquet":
        return Response(_parquet(found), media_type=_KINDS[form], headers=headers)
    lines = _csv(found.columns, found.rows) if form == "csv" else _json(found.columns, found.rows)
    return StreamingResponse(lines, media_type=_KINDS[form], headers=headers)


def _parquet(found: Answer) -> bytes:
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(found.arrow(), out, compression="zstd")
    return out.getvalue()


def _csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Each value in quotes; what is null stands without any. No cell is a formula to who opens it."""
    yield ",".join(_quoted(name) for name in columns) + "\r\n"
    for row in rows:
        yield ",".join("" if value is None else _quoted(cell(value)) for value in row) + "\r\n"


def _quoted(said: str) -> str:
    safe = f"'{said}" if said.startswith(_FORMULA) and not _is_number(said) else said
    return '"' + safe.replace('"', '""') + '"'


def _is_number(said: str) -> bool:
    try:
        float(said)
    except ValueError:
        return False
    return True


def _json(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[bytes]:
    """A list of objects, a row a line."""
    yield b"["
    for number, row in enumerate(rows):
        told = orjson.dumps(dict(zip(columns, row, strict=True)), default=str, option=orjson.OPT_NON_STR_KEYS)
        yield (b",\n" if number else b"\n") + told
    yield b"\n]\n"


def cell(value: object) -> str:
    """A value as text."""
    if value is None:
        return "–"
    if isinstance(value, list | tuple | dict):
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return str(value)
