"""What was judged, once and by hand: functions, types, and the shapes of a parsed statement.

`functions.csv` holds a verdict on each function, operator, macro, aggregate and window function that the engines listed
when it was written, and on the names that only the parser makes. A verdict is never asked of an engine, whose
description of itself changes between releases. What stands in no list here has not been judged, and is refused by name.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path

# Whose functions stand in the list, each and every one.
ENGINES = ("2.0.0", "2.0.1")

ZONE_MEND = "keep times as TIMESTAMP in UTC: make_timestamp(…), strptime(…) without %z, an interval for an offset"
# Verdict → (what such a function does, the mend). `{}` is the function's name.
PROBLEMS: dict[str, tuple[str, str]] = {
    "clock": (
        "calls {}, which tells the time of the call and does not give the same result each time",
        "take the day from `partitions`, or the time from the rows that are read",
    ),
    "dice": (
        "calls {}, which throws a die and does not give the same result each time",
        "derive the value from the rows, from md5() of the key for example",
    ),
    "world": (
        "calls {}, which looks outside the rows that are read and does not give the same result each time",
        "write the value into the definition, or into reference data beside it",
    ),
    "approximate": (
        "calls {}, which only estimates, and differently when rows come in another order",
        "use the exact function: count(distinct …), quantile_cont(…), or count(*) and an order by",
    ),
    "zone": (
        "calls {}, which gives or reads a time with a zone, and that means another thing in another session",
        ZONE_MEND,
    ),
    "engine": (
        "calls {}, which is of the engine's inside: another release may give something else",
        "use what is defined outside the engine: md5() or sha256() for a digest, order by for a sort",
    ),
    "ordered": (
        "calls {} without an order of its own, so that the result hangs on the order in which rows come",
        "say the order in the call, up to a key: list(… order by …); of one value among equals take max(…)",
    ),
    "unorderable": (
        "calls {}, which gathers rows in the order in which they come, and cannot be told another",
        "gather with an order, then convert: to_json(list(… order by …))",
    ),
    "ranked": (
        "calls {} over a window without an order, so that the result hangs on the order in which rows come",
        "say the order in the window, up to a key: over (partition by … order by …)",
    ),
    "unjudged": (
        "calls {}, which has not been judged: nobody has said that it gives the same result each time",
        "use a function that stands as safe in tradex_ledger/datasets/functions.csv, or have this one judged",
    ),
}
ZONED = "and a time with a zone means another thing in another session"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A column of a time with a zone, however it is spelled; `described` types are in capitals.
_ZONED = re.compile(
    r"\btimestamp\s*tz|\btime\s*tz|\b(?:timestamp|time)(?:\s*\(\d+\))?\s+with\s+time\s+zone", re.IGNORECASE
)
# What is written in a type beside types: the names of fields, the values of an enum.
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
_FIELD = re.compile(r"(?<=[(,])\s*[^\W\d]\w*(?=\s+[A-Z\"])")
_DESCRIBED_ZONE = re.compile(r"TIMESTAMP WITH TIME ZONE|TIME WITH TIME ZONE|TIMESTAMPTZ\w*(?=[,)\[]|$)")
# What a file of the lake cannot hold, or gives back as something else: bytes of the engine's, or a negative number.
_UNKEPT = re.compile(r"\b(INTERVAL|UNION|BIT|BIGNUM|VARIANT|UHUGEINT|GEOMETRY|(?:STRUCT|TUPLE)(?!\s*\())")
TYPES = _words("""
    array bigint bignum binary bit bitstring blob bool boolean bpchar bytea char date datetime dec decimal double enum
    float float4 float8 geometry guid hugeint int int1 int128 int16 int2 int32 int4 int64 int8 integer integral interval
    json list logical long map null numeric nvarchar oid real row short signed smallint string struct text time time_ns
    timestamp timestamp_ms timestamp_ns timestamp_s timestamp_us tinyint tuple ubigint uhugeint uint128 uint16 uint32
    uint64 uint8 uinteger union usmallint utinyint uuid varbinary varchar variant varint
""")
# Those of ICU follow its release.
COLLATIONS = frozenset({"binary", "c", "posix", "nocase", "noaccent", "nfc"})

# The shapes of a parsed form that the gate looks into. Expressions by class, and by type where a class has many.
EXPRESSIONS = _words("""
    BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA OPERATOR POSITIONAL_REFERENCE
    STAR SUBQUERY TYPE WINDOW
""")
OPERATORS = _words("""
    ARRAY_CONSTRUCTOR ARRAY_EXTRACT ARRAY_SLICE COMPARE_IN COMPARE_NOT_IN GROUPING_FUNCTION OPERATOR_COALESCE
    OPERATOR_IS_NOT_NULL OPERATOR_IS_NULL OPERATOR_NOT OPERATOR_NULLIF OPERATOR_TRY OPERATOR_UNPACK STRUCT_EXTRACT
""")
NODES = _words("""
    SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE CTE_NODE
    BASE_TABLE SUBQUERY JOIN TABLE_FUNCTION EXPRESSION_LIST EMPTY PIVOT SHOW_REF
    ORDER_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER
    ORDER_DEFAULT ASCENDING DESCENDING
""")
JOINS = frozenset({"REGULAR", "NATURAL", "CROSS", "ASOF", "DEPENDENT", "POSITIONAL"})


@cache
def _judged() -> dict[str, str]:
    text = (Path(__file__).parent / "functions.csv").read_text(encoding="utf-8")
    _, *rows = csv.reader(text.splitlines())
    return {function: given for function, given, *_ in rows}


def verdict(function: str) -> str:
    """The verdict on a function, in whatever case it is called; `unjudged` if it stands in no list."""
    return _judged().get(function.lower(), "unjudged")


def problem(given: str, called: str) -> tuple[str, str]:
    """What is wrong with a call under a verdict, and the mend."""
    sentence, mend = PROBLEMS[given]
    return sentence.format(called), mend


def says_zone(text: str) -> bool:
    """Whether a text that somebody wrote names a type with a time zone."""
    return _ZONED.search(text) is not None


def holds_zone(described: str) -> bool:
    """Whether a type as DuckDB describes it holds a time with a zone, at any depth."""
    return _DESCRIBED_ZONE.search(_QUOTED.sub("", described)) is not None


def unkept(described: str) -> str | None:
    """The type within a type as DuckDB describes it that a file of the lake does not keep; None: it keeps all."""
    found = _UNKEPT.search(_FIELD.sub("", _QUOTED.sub("", described)))
    return found[1] if found else None
