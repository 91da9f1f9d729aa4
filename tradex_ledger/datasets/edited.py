"""A pipeline in which one definition is another: that of a file that lies anywhere."""

from __future__ import annotations

from pathlib import Path

from tradex_ledger.datasets.definition import Definition, Pipeline, parse_definition, read_text, upstream_first
from tradex_ledger.errors import NotFoundError


class NoSuchFileError(NotFoundError):
    """There is no file of that name."""

    code = "no-such-file"

    def __init__(self, file: Path) -> None:
        super().__init__(f"there is no file {file}", mend="name the file of a definition: --file my.sql")


def with_file(pipeline: Pipeline, folder: Path, name: str, file: Path) -> Pipeline:
    """The pipeline as it would be with the text of a file for a dataset, be it new. Reference data lies beside the
    file, or in the pipeline's `folder`.

    Raises: `NoSuchFileError`, `DefinitionError`, `EnvironmentFault`.
    """
    if not file.exists():
        raise NoSuchFileError(file)
    beside = {
        **{p.name: p for p in sorted(folder.glob("*.csv"))},
        **{p.name: p for p in sorted(file.parent.glob("*.csv"))},
    }
    text = read_text(file)
    named = {csv: read_text(path) for csv, path in beside.items() if csv in text}
    return with_definition(pipeline, parse_definition(name, text, named))


def with_definition(pipeline: Pipeline, definition: Definition) -> Pipeline:
    """The pipeline with another definition of a dataset, or one more. Raises `DefinitionError`."""
    return Pipeline(pipeline.name, upstream_first({**pipeline.definitions, definition.name: definition}))
