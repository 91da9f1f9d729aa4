"""Where a workspace's parts are: what settings write, made absolute, and back."""

from __future__ import annotations

import re
from pathlib import Path

from tradex_ledger.config_errors import NoDatabaseError, NoS3PlaceError, PasswordInUrlError
from tradex_ledger.paths import check_lake_name, check_name, check_no_url, given, written

SQLITE = "sqlite:///"
POSTGRESQL = "postgresql://"
S3 = "s3://"
_FILES = "files:"
_LEDGER = re.compile(r"sqlite(\+pysqlite)?:///")
_SHARED = re.compile(r"postgres(?:ql)?(?:\+psycopg)?://")
_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/+[\w!.*'()=+-]+)*)/*", re.ASCII)
_PASSWORD = re.compile(r"//[^/@]*:[^/@]*@|[?&]\w*password=", re.IGNORECASE)


def ledger_url(text: str, folder: Path) -> str:
    """The URL of a ledger's database, a path in it absolute.

    Raises: `NoDatabaseError`, `PasswordInUrlError`, `UrlAsPathError`.
    """
    if (shared := _SHARED.match(text)) is not None and shared.end() < len(text):
        if _PASSWORD.search(text):
            raise PasswordInUrlError
        return f"{POSTGRESQL}{text[shared.end() :]}"
    found = _LEDGER.match(text)
    if found is None or found.end() == len(text):
        raise NoDatabaseError(text)
    return resolve_uri(f"{SQLITE}{text[found.end() :]}", SQLITE, folder)


def ledger_text(url: str, folder: Path) -> str:
    """How the settings in a folder name the ledger at a URL that `ledger_url` made."""
    return f"{SQLITE}{written(Path(url.removeprefix(SQLITE)), folder)}" if url.startswith(SQLITE) else url


def lake_place(text: str, folder: Path) -> str:
    """Where a lake is: an absolute path, or a URL as it is; `lake/open.py` serves some. Raises: `UnusablePathError`."""
    if "://" in text:
        return text
    lake = given(text, folder)
    check_lake_name(lake)
    return str(lake)


def lake_text(place: str, folder: Path) -> str:
    """How the settings in a folder name the lake at an absolute path, or at a URL."""
    return place if "://" in place else written(Path(place), folder)


def pipeline_folder(text: str, folder: Path) -> Path:
    """The folder of definitions. Raises: `UnusablePathError`, `UrlAsPathError`."""
    check_no_url(text, "the pipeline")
    own = given(text, folder)
    check_name(own, "the pipeline")
    return own


def source_uri(uri: str, folder: Path) -> str:
    """The URI of a place that a source delivers to, a path in it absolute.

    Raises: `NoS3PlaceError`, `UnusablePathError`, `UrlAsPathError`.
    """
    if uri.startswith(f"{_FILES}{S3}"):
        s3_place(uri.removeprefix(_FILES), "source")
        return uri
    return resolve_uri(uri, _FILES, folder)


def s3_place(url: str, what: str = "lake") -> tuple[str, str]:
    """The bucket and the prefix (`a/b`, or empty) of a URL, of a lake or `what` it is. Raises `NoS3PlaceError`."""
    match = _S3.fullmatch(url)
    parts = [part for part in match[2].split("/") if part] if match else []
    if match is None or {".", ".."} & set(parts):
        raise NoS3PlaceError("is no bucket and prefix", what)
    return match[1], "/".join(parts)


def resolve_uri(uri: str, prefix: str, folder: Path) -> str:
    """A URI of that kind with its path absolute; all that follows the prefix is the path, as it is. Others stay."""
    text = uri.removeprefix(prefix)
    if text == uri or not text:
        return uri
    check_no_url(text, f"what follows {prefix}")
    path = given(text, folder)
    check_name(path, prefix.rstrip("/"))
    return f"{prefix}{path}"
