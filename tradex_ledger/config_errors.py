"""What can be wrong with the URL of a ledger, a lake or a source. It is not repeated: it may hold a secret."""

from __future__ import annotations

import re

from tradex_ledger.errors import UsageError

_DATABASES = ("mysql", "mariadb", "mssql", "oracle", "duckdb")


class NoDatabaseError(UsageError):
    """A ledger's URL of a kind that is not supported. It is not repeated: it may hold a password, or be one."""

    code = "unknown-database"

    def __init__(self, url: str) -> None:
        kind = re.split(r"[+:]", url)[0]
        said = f"a URL of {kind}" if kind in _DATABASES else "what is given as the ledger (not repeated: a secret?)"
        super().__init__(
            f"{said} names no database that a ledger can live in",
            mend="use sqlite:///PATH or postgresql://USER@HOST/DATABASE",
        )


class PasswordInUrlError(UsageError):
    """A ledger's URL with a password: settings are read by many, and copied."""

    code = "password-in-url"

    def __init__(self) -> None:
        super().__init__(
            "the URL of the ledger (not repeated) holds a password",
            mend="leave it out, and give it by PGPASSWORD or a password file (PGPASSFILE, ~/.pgpass)",
        )


class NoS3PlaceError(UsageError):
    """A URL that names no place in S3. It is not repeated: it may hold a secret."""

    code = "lake-url"

    def __init__(self, problem: str, what: str = "lake") -> None:
        super().__init__(
            f"the {what}'s URL (not repeated: it may hold a secret) {problem}",
            mend="s3://BUCKET/PREFIX; endpoint and credentials come from the environment: AWS_ENDPOINT_URL, "
            "AWS_REGION, AWS_ACCESS_KEY_ID, …",
            code="" if what == "lake" else UsageError.code,
        )
