"""What went wrong between this machine and an object store, in our own words.

Answers of a store repeat what was asked, with key ids and signatures: nothing of them is shown but a code and a status.
"""

from __future__ import annotations

import re

from tradex_ledger.errors import EnvironmentFault

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_KIND = re.compile(r"kind: (\w{1,32}),")
_ODD_NAME = re.compile(r"invalid path: (?:Error parsing )?Path (\".*?\")(?: contained|: Encountered)", re.DOTALL)
_NO_CREDENTIALS = re.compile(r"latest/api/token|latest/meta-data|security-credentials|NoCredentials|MissingAccessKey")
_REFUSED = {
    "SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
    "AuthorizationHeaderMalformed", "InvalidClientTokenId", "AuthFailure",
}  # fmt: skip
_DAMAGED = {"XAmzContentSHA256Mismatch", "BadDigest", "InvalidDigest", "IncompleteBody", "RequestTimeout"}
_SKEWED = "RequestTimeTooSkewed"


class S3Fault(EnvironmentFault, OSError):
    """A fault of an object store. It is an `OSError`, too: what the port has for a lake that cannot be looked into."""


class UnreachableError(S3Fault):
    """The store does not answer, or is too busy."""

    code = "lake-unreachable"

    def __init__(self, place: str, why: str, endpoint: str) -> None:
        super().__init__(
            f"{place} cannot be reached: {why}",
            mend=f"see that {endpoint} answers, then run the same command again: it resumes",
            transient=True,
        )


class CredentialsError(S3Fault):
    """There are no credentials, or the store does not take them."""

    code = "lake-credentials"

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(
            f"{place} cannot be used: {problem}",
            mend="give the right ones in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile (AWS_PROFILE), and "
            "AWS_REGION",
        )


class NoBucketError(S3Fault):
    """There is no such bucket."""

    code = "lake-bucket"

    def __init__(self, place: str, endpoint: str) -> None:
        super().__init__(
            f"{place} has no bucket at {endpoint}",
            mend="make the bucket, or correct its name in tradex.toml, or AWS_ENDPOINT_URL",
        )


class OverwritesError(S3Fault):
    """The store overwrites where it was asked not to: two writers would lose each other's files."""

    code = "lake-overwrites"

    def __init__(self, place: str, endpoint: str) -> None:
        super().__init__(
            f"the store of {place} at {endpoint} does not heed If-None-Match: it overwrites what is there",
            mend="use a store, or a release of it, with conditional writes",
        )


def fault_of(error: Exception, place: str, endpoint: str, doing: str) -> S3Fault:
    """What an error of the client means for a place (such as "the lake s3://…"), while `doing` something there."""
    text = str(error)
    status, code, kind = (found[1] if (found := pattern.search(text)) else "" for pattern in (_STATUS, _CODE, _KIND))
    if _NO_CREDENTIALS.search(text):
        return CredentialsError(place, "no credentials were found")
    if (odd := _ODD_NAME.search(text)) is not None:
        return S3Fault(
            f"{place} holds an object whose name nobody can ask for: {odd[1]}",
            mend="give that object another name, without a part that is empty, . or .., and without control "
            "characters: it is none of this program's",
        )
    if code == "NoSuchBucket":
        return NoBucketError(place, endpoint)
    if code in _REFUSED:
        return CredentialsError(place, f"the store refused the credentials ({code})")
    if code == _SKEWED:
        return S3Fault(f"{place} refused the request: this machine's clock is wrong", mend="set the clock")
    if status in ("401", "403"):
        return S3Fault(
            f"no permission while {doing} in {place} ({code or status})",
            mend="give this user s3:ListBucket, s3:GetObject, s3:PutObject and, for gc, prune and markers, "
            "s3:DeleteObject there",
            code="no-permission",
        )
    if is_passing(error):
        why = " ".join(filter(None, (status, code))) or {
            "Connect": "no connection",
            "Timeout": "no answer in time",
        }.get(kind, "the connection broke")
        return UnreachableError(place, f"{why}, while {doing}", endpoint)
    told = " ".join(filter(None, (status, code))) or type(error).__name__
    return S3Fault(f"{place} answered {told} while {doing}", mend="run the same command again: it resumes")


def is_passing(error: Exception) -> bool:
    """Whether the same request may well succeed later: no answer, a broken one, a busy or failing server, a request
    that was damaged on its way."""
    text = str(error)
    found, code = _STATUS.search(text), _CODE.search(text)
    if found is None:
        return bool(_KIND.search(text))
    return found[1] in ("408", "429") or found[1].startswith("5") or (code is not None and code[1] in _DAMAGED)
