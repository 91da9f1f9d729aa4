"""Reference data: what a CSV beside a definition becomes, and what cannot be one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.kit.made import definition
from tests.kit.tree import ROOT
from tradex_ledger.datasets.definition import DefinitionError
from tradex_ledger.datasets.fingerprint import columns
from tradex_ledger.datasets.references import add_references
from tradex_ledger.datasets.statement import connect


def table(text: str) -> tuple[list[str], list[tuple[object, ...]]]:
    with connect() as connection:
        add_references(connection, (("words", text),), dataset="made")
        found = connection.sql("from words")
        return found.columns, found.fetchall()


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("word,weight\nup,1\ndown,-1\n", ["word", "weight"], [("up", "1"), ("down", "-1")]),
        ("word,weight\r\nup,1\r\n\r\n", ["word", "weight"], [("up", "1")]),
        ("word,weight\nup\n", ["word", "weight"], [("up", None)]),
        ('word\n"a ""b"", c"\n', ["word"], [('a "b", c',)]),
        ("word,weight\n", ["word", "weight"], []),
        ("", ["value"], []),
        ("a,,b\n1,2,3\n", ["a", "v1", "b"], [("1", "2", "3")]),
        (",V0\n1,2\n", ["v0", "V0_1"], [("1", "2")]),
    ],
)
def test_a_csv_becomes_a_table_of_texts(text: str, names: list[str], rows: list[tuple[object, ...]]):
    assert table(text) == (names, rows)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("word,weight\nup,1\nup,1,2\n", "line 3 holds 3 values, and the first names 2 columns"),
        ("word,weight,Word\nup,1,2\n", "it names the column 'word' twice"),
        ('word,weight\n"up,1\ndown,1\n', "unexpected end of data"),
        (f"word\n{'x' * 140_000}\n", "field limit"),
    ],
)
def test_what_would_be_lost_or_taken_otherwise_is_refused_with_its_file(text: str, problem: str):
    made = definition(
        "select day, 1 as id from base, words",
        references={"words.csv": text},
        more='references = ["words.csv"]',
    )
    with pytest.raises(DefinitionError, match=rf"the definition of made .*words\.csv: .*{problem}") as caught:
        columns(made, {"base": [("day", "DATE")]})
    assert caught.value.mend == "mend words.csv"


def test_neither_pandas_nor_arrow_is_loaded_for_it():
    """Half a second of each process that describes or builds, where pandas is installed."""
    program = (
        "import sys; from tradex_ledger.datasets.references import add_references as add; "
        "from tradex_ledger.datasets.statement import connect; "
        "add(connect(), (('words', 'word\\nup\\n'),), dataset='made'); print({'pandas', 'pyarrow'} & {*sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
