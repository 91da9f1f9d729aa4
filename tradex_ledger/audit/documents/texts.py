"""How the definition of a dataset differs between two of its versions, or between one and the file of today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from itertools import chain

FILE = "the file"


@dataclass(frozen=True, slots=True)
class Side:
    """A definition: what it is called, its text, reference data by name, column types by name, and its fingerprint."""

    name: str
    text: str
    references: Mapping[str, str]
    columns: Mapping[str, str]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class TextsDocument:
    """Two definitions beside each other.

    `what`: which parts of the logic differ (none: it is the same logic, whatever its text). `columns`: names that are
    gone (`-`), new (`+`), or of another type (`old → new`). `same_as`: versions with the text of the later side.
    `lines`: a unified diff of the texts, reference data behind the definition.
    """

    dataset: str
    before: str
    after: str
    before_fingerprint: str
    after_fingerprint: str
    what: list[str]
    columns: dict[str, str]
    same_as: list[int]
    lines: list[str]

    @property
    def differs(self) -> bool:
        """Whether anything does, be it a comment."""
        return bool(self.what or self.columns or self.lines)


def texts(
    dataset: str, before: Side, after: Side, what: Sequence[str], versions: Mapping[int, tuple[str, Mapping[str, str]]]
) -> TextsDocument:
    """Two sides beside each other; `versions` are the texts and reference data of all that there are."""
    files = {f"{dataset}.sql": (before.text, after.text)}
    for name in sorted({*before.references, *after.references}):
        files[f"{name}.csv"] = (before.references.get(name, ""), after.references.get(name, ""))
    lines = chain.from_iterable(
        unified_diff(old.splitlines(), new.splitlines(), f"{before.name}: {name}", f"{after.name}: {name}", lineterm="")
        for name, (old, new) in files.items()
    )
    same = [number for number, told in versions.items() if told == (after.text, dict(after.references))]
    return TextsDocument(
        dataset=dataset,
        before=before.name,
        after=after.name,
        before_fingerprint=before.fingerprint,
        after_fingerprint=after.fingerprint,
        what=list(what),
        columns=_columns(before.columns, after.columns),
        same_as=same,
        lines=list(lines),
    )


def _columns(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    found = {name: "-" for name in before if name not in after}
    for name, kind in after.items():
        if name not in before:
            found[name] = "+"
        elif before[name] != kind:
            found[name] = f"{before[name]} → {kind}"
    return found
