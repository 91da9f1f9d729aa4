"""The report of a run: one HTML file without a script, made of the events that are its evidence, readable by anybody.

What it says follows from the events and the head alone, so who checks a folder of evidence makes its report again. Its
form has a number: the template of a form, and what is here told to it, stay as they are, as contracts do. Only what is
beside the evidence (changed rows, the evidence as an archive) is added for a report that travels alone.
"""

from __future__ import annotations

import io
import re
import tarfile
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tradex_ledger import resources
from tradex_ledger.audit.report_facts import facts, leaf, told_of
from tradex_ledger.audit.report_words import Fact
from tradex_ledger.errors import BrokenLedgerError

if TYPE_CHECKING:
    from tradex_ledger.audit.bundle import Subject
    from tradex_ledger.ledger.entry import Entry

_FORM = re.compile(rb'<meta name="tradex-report" content="v([0-9]{1,6})">')
FORM = 2
FORMS = frozenset({1, 2})
"""Those that can be made: what was laid in another form is made again in that."""
# What cannot be seen, or turns the direction of what stands behind it; a newline and a tab are what they are.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)


class StrangeEventError(BrokenLedgerError):
    """An event of a run is none that this program would have written: nothing can be told of it."""

    code = "strange-event"

    def __init__(self, run: str, error: Exception) -> None:
        super().__init__(
            f"an event of {run[:80]!a} lacks what it must say ({type(error).__name__}: {str(error)[:80]!a})",
            mend="find who wrote it: tradex audit verify; then put back the last good copy of the ledger",
        )


def form_of(content: bytes) -> int | None:
    """The number of the form that a report has by its own word; None: it is no report."""
    said = _FORM.search(content[:4_096])
    return int(said[1]) if said else None


def report(
    subject: Subject,
    entries: Sequence[Entry],
    leaves: Sequence[bytes],
    note: str,
    *,
    alone: tuple[str, bytes] = ("", b""),
    rows: Mapping[str, object] | None = None,
    position: int | None = None,
    form: int = FORM,
) -> bytes:
    """The report of a run as of a head: of its `entries` with the bytes of each (`leaves`), and the head's `note`.

    With the words by which its evidence is checked and an archive of it, it stands `alone`; then it says as of which
    `position` it is, where that is not the head's.
    Raises `StrangeEventError`.
    """
    verify, archive = alone
    at = subject.head.size if position is None else position
    foot = f"{subject.run} · position {at} · head {subject.head.root.hex()}"
    style = resources.read_text("schema", "evidence", f"report.v{form}.css").replace("@FOOT@", foot)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    told: dict[str, Any] = {
        **_facts(subject, entries, form),
        "head": {"size": subject.head.size, "root": subject.head.root.hex(), "note": note},
        "leaves": [Fact(position=e.position, hash=leaf(b)) for e, b in zip(entries, leaves, strict=True)],
        "position": at,
        "count": len(entries),
        "verify": verify,
        "rows": rows,
        "archive": b64encode(archive).decode() if archive else None,
        "archive_bytes": len(archive),
        "archive_digest": sha256(archive).hexdigest() if archive else "",
    }
    return _rendered(told if form == 1 else told | _in_short(**told), style, digest, form).encode()


def _in_short(*, rows: Fact | None, verify: str, leaves: list[Fact], **told: Any) -> Fact:
    """What is folded is named by its size and digest, and what changed is summed up."""
    from tradex_ledger.audit import report_brief as brief

    texts = {
        name: [one | brief.weighed(one.get("text", "")) for one in told[name]] for name in ("definitions", "policies")
    }
    if rows is not None:
        found, samples = rows.get("partitions", ()), rows.get("samples", ())
        rows = {**rows, "summed": brief.summed(found), "chosen": brief.chosen(samples)}
    words = brief.weighed(verify)
    return {**texts, "rows": rows, "verify": words, "leaves": brief.leaves(leaves)}


def _facts(subject: Subject, entries: Sequence[Entry], form: int) -> Fact:
    try:
        found = facts(subject, entries)
        if form == 1:
            return found
        from tradex_ledger.audit.report_brief import brief

        own = [entry for entry in entries if entry.stream == subject.run]
        return found | brief(own, told_of(subject.run, entries), str(found.get("status")))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise StrangeEventError(subject.run, error) from error


def _rendered(told: Mapping[str, Any], style: str, digest: str, form: int) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=_spelled, keep_trailing_newline=True)
    template = environment.from_string(resources.read_text("schema", "evidence", f"report.v{form}.html"))
    return template.render(**told, style=Markup(style), style_digest=Markup(digest))


def _spelled(value: object) -> object:
    """A text in which everything can be seen: an escape is `\\x1b`, a turn of direction `\\u202e`."""
    if not isinstance(value, str) or (value.isascii() and value.isprintable()):
        return value
    spelled = _UNSEEN.sub(lambda found: found[0].encode("unicode_escape", "backslashreplace").decode(), value)
    return type(value)(spelled)


def archive_of(files: Mapping[str, bytes]) -> bytes:
    """Files as a tape archive: the same bytes for the same files, whenever and wherever it is made."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tape:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tape.addfile(member, io.BytesIO(content))
    return made.getvalue()
