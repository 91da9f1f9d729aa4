"""Lines of a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS), read into keys and written of them.

The principal is the name that acts. `namespaces=`, `valid-after=` and `valid-before=` mean what they mean there, with
times in UTC; authorities that certify keys are not supported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from tradex_ledger.domain.approver_keys import ApproverKey
from tradex_ledger.domain.person import person
from tradex_ledger.sealing.ssh_key import KINDS, KeyRefusedError, key_of_line

LONGEST = 64 * 1024
_TOKEN = re.compile(r'((?:[^\s"]|"[^"]*")+)(?:[ \t]+|$)')
_OPTION = re.compile(r'([A-Za-z-]+)(?:="([^"]*)")?(?:,|$)')
_MEAN_SOMETHING = frozenset('"*?!,#')
_FORMS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


def key_given(text: str, name: str) -> ApproverKey:
    """The one key of that person in a text: a `.pub` file's, or that of a line of allowed signers.

    Raises: `KeyRefusedError` where there is none, more than one, or a line that means something else.
    """
    if means := sorted(set(name) & _MEAN_SOMETHING):
        raise KeyRefusedError(
            f"a file of allowed signers would read the {means[0]!r} in {name!r} as something else",
            mend="act under a name without it: tradex --as NAME …",
        )
    lines = [line.strip() for line in text.splitlines()]
    keys = [key for line in lines if line and not line.startswith("#") for key in _of_line(line, name)]
    if len(keys) != 1:
        what = "there are several keys" if keys else f"there is none of {name}"
        raise KeyRefusedError(f"{what} in it", mend="give a file with one key, or with one line of that person")
    return keys[0]


def _of_line(line: str, name: str) -> Iterator[ApproverKey]:
    """The key of a line, if it is that person's."""
    if line.split(maxsplit=1)[0] in KINDS:
        key = key_of_line(line)
        yield ApproverKey(name, key.line, key.fingerprint)
        return
    words = _words(line)
    at = next((number for number, word in enumerate(words) if word in KINDS), 0)
    if at not in {1, 2}:
        key_of_line(line)  # says what is wrong with it
        raise KeyRefusedError("its line is neither that of a key nor one of allowed signers")
    principals = words[0].strip('"').split(",")
    if any(character in words[0] for character in "*?!"):
        raise KeyRefusedError(f"{words[0]} is a pattern: a key is one person's", mend="name the person in the line")
    if person(name) not in {person(one) for one in principals}:
        return
    key = key_of_line(" ".join(words[at:]))
    options = _options(words[1]) if at == 2 else {}
    after, before = options.get("valid-after"), options.get("valid-before")
    yield ApproverKey(
        name,
        key.line,
        key.fingerprint,
        options.get("namespaces", ""),
        after and _moment(after),
        before and _moment(before),
    )


def _words(line: str) -> list[str]:
    found, at = [], 0
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None:
            raise KeyRefusedError("a quotation in its line does not end")
        found.append(match[1])
        at = match.end()
    return found


def _options(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _OPTION.match(text, at)
        name = match[1].lower() if match else text[at:][:40]
        if name == "cert-authority":
            raise KeyRefusedError(
                "it is an authority's (cert-authority), and keys that are certified are not supported"
            )
        if match is None or match[2] is None or name not in {"namespaces", "valid-after", "valid-before"}:
            raise KeyRefusedError(f"its line has the option {name!r}, which nobody here knows")
        if name in found:
            raise KeyRefusedError(f"its line says {name} twice")
        found[name], at = match[2], match.end()
    return found


def _moment(text: str) -> str:
    """A time of allowed signers, as it is kept: ISO 8601, UTC."""
    digits = text.removesuffix("Z")
    form = _FORMS.get(len(digits), "")
    try:
        if not digits.isascii() or not digits.isdecimal():
            raise ValueError(text)
        moment = datetime.strptime(digits, form).replace(tzinfo=UTC)
    except ValueError:
        raise KeyRefusedError(f"{text!a} is no time of the form 20260131Z, or 20260131235900Z") from None
    if digits == text:
        raise KeyRefusedError(
            f"the time {text} would be that of a machine's time zone", mend="end it in Z: it is UTC then"
        )
    return moment.isoformat().replace("+00:00", "Z")


def allowed_signers(keys: Iterable[tuple[ApproverKey, datetime, datetime | None]]) -> str:
    """Keys as a file of allowed signers, for `ssh-keygen -Y verify -f`: each with the times since when, and until when
    it counts on record (None: it still does).

    Seconds are the finest that such a file can say.
    """
    return "".join(_line(key, since, until) for key, since, until in keys)


def _line(key: ApproverKey, since: datetime, until: datetime | None) -> str:
    after = max(since, datetime.fromisoformat(key.valid_after)) if key.valid_after else since
    ends = [one for one in (until, key.valid_before and datetime.fromisoformat(key.valid_before)) if one]
    options = [f'namespaces="{key.namespaces}"'] if key.namespaces else []
    options.append(f'valid-after="{_written(after)}"')
    options += [f'valid-before="{_written(min(ends))}"'] if ends else []
    name = f'"{key.name}"' if " " in key.name else key.name
    return f"{name} {','.join(options)} {key.key}\n"


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")
