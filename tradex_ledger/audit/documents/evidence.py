"""What is proven of a ledger, as documents: an event, a run's evidence, its tiles, and what a check has found."""

from __future__ import annotations

from dataclasses import dataclass

from tradex_ledger.sealing.checkpoint import SignedCheckpoint


@dataclass(frozen=True, slots=True)
class HeadDocument:
    """The checkpoint that something is proven by: of how many events, their root (hex), and who has cosigned it."""

    origin: str
    size: int
    root: str
    cosigned_by: list[str]

    @staticmethod
    def of(signed: SignedCheckpoint) -> HeadDocument:
        """Of a signed checkpoint."""
        head = signed.checkpoint
        others = [one.key.name for one in signed.opened.verified if one.second is not None]
        return HeadDocument(head.origin, head.size, head.root.hex(), others)


@dataclass(frozen=True, slots=True)
class ProofDocument:
    """The proof of an event: where it lies, if it was laid anywhere, and its text."""

    position: int
    topic: str
    stream: str
    checkpoint: HeadDocument
    file: str | None
    text: str


@dataclass(frozen=True, slots=True)
class EvidenceDocument:
    """The evidence of a run: in which folder, of how many events, in how many files.

    `signed` and `unsigned` are the positions of decisions on its plan; `lacking` is named by events, and not on
    record.
    """

    run: str
    folder: str
    events: int
    files: int
    checkpoint: HeadDocument
    signed: list[int]
    unsigned: list[int]
    lacking: list[str]


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """The report of a run: where it lies, how long it is, its SHA-256 (hex)."""

    run: str
    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TilesDocument:
    """A ledger's tiles: in which folder; how many files were made, and were there; how many of them are `lines/…`."""

    folder: str
    checkpoint: HeadDocument
    made: int
    there: int
    elsewhere: int


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """What is wrong with a file."""

    file: str
    problem: str


@dataclass(frozen=True, slots=True)
class CheckDocument:
    """What a check has found: how many events are proven, and by which checkpoint, where that is good."""

    run: str | None
    proven: int
    checkpoint: HeadDocument | None
    findings: list[FoundDocument]
