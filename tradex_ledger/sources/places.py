"""Where the sources of a workspace deliver to, as its settings say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tradex_ledger.config_places import S3
from tradex_ledger.errors import UsageError
from tradex_ledger.paths import current_folder

if TYPE_CHECKING:
    from tradex_ledger.domain.spending import Prices
    from tradex_ledger.sources.source import Place

_NAMED = re.compile(r"([a-z][a-z0-9_]*)=(.+)", re.DOTALL)
_NEXT = re.compile(r", (?=[a-z][a-z0-9_]*=(?:files|x-api):)")
OF_EACH = "^([a-z][a-z0-9_]*)=(?:files|x-api):"
"""A regular expression that takes the name of a source from how it is described, where there are several."""


class NoPlaceError(UsageError):
    """Nothing says where a source delivers to."""

    code = "no-place"

    def __init__(self, source: str, others: Sequence[str]) -> None:
        several = f" ([source] stands for one, and {', '.join(others)} has none of its own either)" if others else ""
        super().__init__(
            f"nothing says where the source {source} delivers to{several}",
            mend=f'say it in tradex.toml, in a section of its own: [sources.{source}], and below it uri = "files:PATH"',
        )


@dataclass(frozen=True, slots=True)
class Places:
    """URIs of places by the names of sources; `default` is that of the one source that has none of its own.

    Relative folders belong to `base`, the folder of the workspace. `prices` are by source, too; that of the default "".
    """

    named: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None
    base: Path | None = None
    prices: Mapping[str, Prices] = field(default_factory=dict)

    def open(self, sources: Sequence[str]) -> dict[str, Place]:
        """The place of each of a pipeline's sources. Raises: `NoPlaceError`, `UsageError` for a URI that is none."""
        without = [name for name in sources if name not in self.named]
        if without and (self.default is None or len(without) > 1):
            raise NoPlaceError(without[0], without[1:] if self.default is not None else ())
        uris = {**self.named, **({without[0]: self.default} if without and self.default is not None else {})}
        prices = {name: self.prices.get(name if name in self.named else "") for name in sources}
        return {name: open_place(uris[name], self.base, prices[name]) for name in sources}


def chosen(texts: Iterable[str], base: Path | None) -> Places:
    """Places as somebody names them: `files:PATH`, or `NAME=files:PATH` for each of several sources.

    Raises: `UsageError` for two of one name.
    """
    named: dict[str, str] = {}
    default: str | None = None
    for text in texts:
        name, uri = _parts(text)
        if name is None and default is None:
            default = text
        elif name is not None and name not in named:
            named[name] = uri
        else:
            raise UsageError(
                "two places are given for one source", mend="write NAME=files:PATH for each of several sources"
            )
    return Places(named, default, base)


def _parts(text: str) -> tuple[str | None, str]:
    """The name of `NAME=files:PATH`, and the URI; without a name, the text is the URI."""
    match = _NAMED.fullmatch(text)
    return (None, text) if match is None else (match[1], match[2])


def open_place(uri: str, base: Path | None = None, prices: Prices | None = None) -> Place:
    """The place that a URI names: `files:FOLDER`, `files:s3://BUCKET/PREFIX`, `x-api:QUERY`. What is relative, or kept,
    belongs to `base`.

    `prices` are those of the settings, for a place that is called; None: those that are known.

    Raises: `UsageError` for a URI of another kind, or what follows it that cannot be used.
    """
    scheme, _, rest = uri.partition(":")
    if scheme == "x-api" and rest:
        from tradex_ledger.sources.x_api.place import PRICES, XApiPlace

        return XApiPlace(rest, base or current_folder(), prices or PRICES)
    if scheme != "files" or not rest:
        said = "a URL (not repeated: it may hold a secret)" if "://" in uri else repr(uri)
        raise UsageError(
            f"{said} names no source",
            mend="write files:PATH, the folder of delivered files, files:s3://BUCKET/PREFIX, or x-api:QUERY",
        )
    if prices is not None:
        raise UsageError("a folder of files takes no money", mend="leave row_price and count_price out of its section")
    if rest.startswith(S3):
        from tradex_ledger.sources.s3_files import S3FilesPlace

        return S3FilesPlace.named(rest, base or current_folder())
    from tradex_ledger.sources.files import open_folder  # walks folders: who only reads what texts say does not

    return open_folder(rest, base)


def described(places: Mapping[str, Place], names: Sequence[str]) -> str:
    """Some of a pipeline's places as one text, for an event: with their names, where there are several sources."""
    if len(places) == 1:
        return next(iter(places.values())).describe()
    return ", ".join(f"{name}={places[name].describe()}" for name in names)


def names_in(text: str) -> tuple[str, ...]:
    """The sources that such a text names; none where there was one alone."""
    return tuple(name for part in _NEXT.split(text) if (name := _parts(part)[0]) is not None)


def are_meant(places: Mapping[str, Place], names: Sequence[str], text: str) -> bool:
    """Whether such a text, however it was written, means these very places."""
    said: dict[str, str] = {}
    for part in _NEXT.split(text):
        name, uri = _parts(part)
        said[next(iter(names), "") if name is None else name] = uri
    return said.keys() == set(names) and all(places[name].is_meant(uri) for name, uri in said.items())
