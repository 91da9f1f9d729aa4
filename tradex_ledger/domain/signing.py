"""The text that a person signs to approve or reject a plan, and what a decision knew. No I/O here.

The text has a fixed order, one `name: value` a line, and its version in the first line. No value can hold the end of a
line, so that none forges another; there is one text for some facts, and one reading of a text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TypeAlias

from tradex_ledger.domain.reason import check_text
from tradex_ledger.errors import TradexError, UsageError

NAMESPACE = "approval@tradex-ledger"
"""What a signature is made for (PROTOCOL.sshsig): one that was made for anything else approves nothing here."""
FIRST_LINE = "tradex-ledger approval v1"
APPROVE, REJECT = "approve", "reject"
NOTHING = "none"
"""How the text says that no signed checkpoint was known."""
LONGEST_TEXT = 4096
_WORD = re.compile(r"[!-~]{1,256}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NONCE = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_CHECKPOINT = re.compile(r"([!-~]{1,256})\n(0|[1-9][0-9]{0,14})\n([A-Za-z0-9+/]{43}=)\n", re.ASCII)


class ApprovalTextError(UsageError):
    """What was signed, or is to be, is no text of an approval."""

    code = "approval-text"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"that is no text of an approval: {why}",
            mend="sign the text as it was printed, byte for byte: tradex backfill approve ID --print-text FILE",
        )


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a decision was made on: the position that was shown, and the newest signed checkpoint known then.

    `checkpoint` is its body (origin, size and root, a line each). None: nobody was shown anything, none was known.
    """

    seen: int | None = None
    checkpoint: str | None = None


NO_KNOWLEDGE = Knowledge()


@dataclass(frozen=True, slots=True)
class SignedText:
    """What a person signs, each fact in the order of the lines. `expires` is a time as entries write it."""

    ledger: str
    request: str
    plan: str
    policy: str
    decision: str
    approver: str
    position: int
    checkpoint: str | None
    nonce: str
    expires: str

    def __post_init__(self) -> None:
        """Raise `ApprovalTextError` for a value that no text can have."""
        good = {
            "ledger": _WORD.fullmatch(self.ledger),
            "request": _WORD.fullmatch(self.request),
            "plan": _HEX.fullmatch(self.plan),
            "policy": _HEX.fullmatch(self.policy),
            "decision": self.decision in {APPROVE, REJECT},
            "approver": _is_one_line(self.approver),
            "position": _NUMBER.fullmatch(str(self.position)),
            "checkpoint": self.checkpoint is None or _CHECKPOINT.fullmatch(self.checkpoint),
            "nonce": _NONCE.fullmatch(self.nonce),
            "expires": _is_time(self.expires),
        }
        if bad := [name for name, fine in good.items() if not fine]:
            raise ApprovalTextError(f"its {bad[0]} is {getattr(self, bad[0])!a}")

    @property
    def text(self) -> str:
        """The text, byte for byte in UTF-8."""
        head = NOTHING if self.checkpoint is None else " ".join(self.checkpoint.split())
        values = {name: getattr(self, name) for name in NAMES} | {"checkpoint": head}
        return FIRST_LINE + "\n" + "".join(f"{name}: {value}\n" for name, value in values.items())

    def is_over(self, at: datetime) -> bool:
        """Whether its time has passed by then."""
        return at.astimezone(UTC) > datetime.fromisoformat(self.expires)


NAMES = tuple(field.name for field in fields(SignedText))
"""The names of the lines, in their order."""


def parsed(text: str) -> SignedText:
    """The facts that a text says. Raises: `ApprovalTextError` unless it is written just as texts are."""
    lines = text.split("\n") if len(text) <= LONGEST_TEXT else []
    pairs = [line.partition(": ") for line in lines[1:-1]]
    if lines[:1] != [FIRST_LINE] or lines[-1] != "" or tuple(name for name, _, _ in pairs) != NAMES:
        raise ApprovalTextError(f"it is not {FIRST_LINE!r} and then a line each of {', '.join(NAMES)}")
    said = {name: value for name, _, value in pairs}
    position, shown = said.pop("position"), said.pop("checkpoint")
    if not _NUMBER.fullmatch(position):
        raise ApprovalTextError(f"its position is {position!a}")
    body = None if shown == NOTHING else "\n".join([*shown.split(" "), ""])
    return SignedText(**said, position=int(position), checkpoint=body)


def _is_one_line(name: str) -> bool:
    try:
        check_text("approver", name)
    except TradexError:
        return False
    return bool(name) and name == name.strip() and len(name) <= 256


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return _TIME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that was verified (`sealing.approvals.verified` makes it): over what, the very text of the signature,
    and the fingerprint of the key, which was on record as the approver's."""

    said: SignedText
    armoured: str
    key: str


Basis: TypeAlias = Knowledge | Signature
"""What a person decides on: a signature, which says what was known, or that alone."""
