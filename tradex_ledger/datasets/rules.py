"""What may be wrong with one part of a parsed statement: each rule reads a node, and says the problem and its mend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tradex_ledger.datasets import judged
from tradex_ledger.datasets.statement import Node, below, inner, nodes
from tradex_ledger.outside import Json

Problem = tuple[str, str]

# Names that call a function without brackets, when no table is named before them.
_CLOCKS = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})
_BARE = _CLOCKS | {"current_user", "user", "session_user", "current_role", "current_catalog", "current_schema"}
_SORTS = frozenset({"list_sort", "array_sort", "list_reverse_sort", "array_reverse_sort"})
_BY_NAME = frozenset({"list_aggregate", "list_aggr", "array_aggregate", "array_aggr", "aggregate"})
_BY_FORMAT = frozenset({"strptime", "try_strptime"})
_BY_STRUCTURE = frozenset({"json_transform", "json_transform_strict", "from_json", "from_json_strict"})
_ORDERING = frozenset({"COLUMN_REF", "POSITIONAL_REFERENCE", "STAR"})
_COUNTS = frozenset({"count", "count_star"})
# Where a window without an order begins and ends when it holds its whole partition: without one all rows are peers.
_WHOLE = frozenset({"UNBOUNDED_PRECEDING", "UNBOUNDED_FOLLOWING", "CURRENT_ROW_RANGE", "CURRENT_ROW_GROUPS"})


def problems(node: Node) -> Iterator[Problem]:
    """Whatever lets a node give other rows for the same input, as (problem, mend)."""
    shape, kind = node.get("type"), node.get("class")
    if not isinstance(shape, str):
        return
    yield from _shape(kind, shape)
    for applies, rule in _RULES.items():
        if applies in (kind, shape):
            yield from rule(node)
    if isinstance(node.get("sample"), dict):
        yield (
            "takes a sample of rows, which is another one each time, or when rows come in another order",
            "choose rows by what they hold: where md5(key) < '1'",
        )
    if isinstance(node.get("modifiers"), list):
        yield from _modifiers(below(node, "modifiers"))


def sorted_at_once(node: Node) -> Iterator[Node]:
    """`list_sort(list(x))`: the values are sorted, so it does not matter in which order they were gathered."""
    if node.get("class") == "FUNCTION" and str(node.get("function_name")).lower() in _SORTS:
        for value in _arguments(node)[:1]:
            if str(value.get("function_name")).lower() in ("list", "array_agg"):
                yield value


def _shape(kind: Json, shape: str) -> Iterator[Problem]:
    """What has a shape that nobody has looked at is refused, and not passed over."""
    known = shape in judged.NODES if kind is None else kind in judged.EXPRESSIONS
    if not known or (kind == "OPERATOR" and shape not in judged.OPERATORS):
        yield (
            f"uses {shape}, a part of a statement that has not been judged",
            "write it with parts that are known: select, join, group by, window functions",
        )


def _judge(node: Node, label: str = "") -> Iterator[Problem]:
    function = str(node.get("function_name")).lower()
    given = judged.verdict(function)
    if given == "safe" or (given in ("ordered", "ranked") and _has_order(_orders_of(node))):
        return
    yield judged.problem(given, label or f"{function}()")


def _function(node: Node) -> Iterator[Problem]:
    function, values = str(node.get("function_name")).lower(), _arguments(node)
    # `array(select x from t)` is parsed as a subquery that gathers its first column.
    by_place = function == "array_agg" and any(value.get("class") == "POSITIONAL_REFERENCE" for value in values)
    yield from _judge(node, "array(select …)" if by_place else "")
    if node.get("export_state"):
        yield judged.problem("engine", "export_state")
    # `made_at.age()` is age(made_at): what stands before the point is the first argument, or a schema.
    if function == "age" and len(values) + bool(node.get("schema")) < 2:
        yield judged.problem("clock", "age() of one time")
    # Of each argument what is written in it, joined: `'%' || 'z'` is one text.
    texts = ["".join(_texts(value)) for value in values]
    if function in _BY_NAME:
        names = (text for value in values if value.get("class") == "CONSTANT" for text in _texts(value))
        yield from _named_aggregate(function, next(names, ""))
    if function in _BY_FORMAT and any("%z" in text.lower() for text in texts):
        yield judged.problem("zone", f"{function}() with %z")
    if function in _BY_STRUCTURE and any(map(judged.says_zone, texts)):
        yield judged.problem("zone", f"{function}() for a time with a zone")


def _named_aggregate(function: str, name: str) -> Iterator[Problem]:
    """`list_aggregate(values, 'first')`: a list has an order, so that an aggregate that needs one has it."""
    given = judged.verdict(name)
    if given not in ("safe", "ordered"):
        yield judged.problem(given, f"{function}() for {name or 'what is no name'}")


def _window(node: Node) -> Iterator[Problem]:
    yield from _judge(node)
    whole = node.get("start") in _WHOLE and node.get("end") in _WHOLE
    if not whole and not _has_order(below(node, "orders")):
        yield judged.problem("ranked", f"{str(node.get('function_name')).lower()}() of some rows")


def _column(node: Node) -> Iterator[Problem]:
    parts = node.get("column_names")
    names = [str(part).lower() for part in parts] if isinstance(parts, list) else []
    if len(names) == 1 and names[0] in _BARE:
        problem, mend = judged.problem("clock" if names[0] in _CLOCKS else "world", names[0])
        yield problem, f"{mend}; a column that is called so is written with its table: t.{names[0]}"
    if names[-1:] == ["rowid"]:
        yield "reads rowid, which is where a row stands and not what it holds", "use the columns of the key"


def _type(node: Node) -> Iterator[Problem]:
    written = str(node.get("type_name"))
    if judged.says_zone(written):
        yield f"casts to {written.lower()}, {judged.ZONED}", judged.ZONE_MEND
    elif written.lower() not in judged.TYPES:
        yield f"casts to {written}, a type that has not been judged", "cast to a built-in type"


def _collate(node: Node) -> Iterator[Problem]:
    written = str(node.get("collation"))
    if not set(written.lower().split(".")) <= judged.COLLATIONS:
        yield (
            f"uses the collation {written}, whose order follows the release of the engine",
            f"use one of: {', '.join(sorted(judged.COLLATIONS))}",
        )


def _join(node: Node) -> Iterator[Problem]:
    mend = "join on the columns of a key"
    if node.get("ref_type") == "POSITIONAL":
        yield "pairs rows by where they stand (positional join)", mend
    elif node.get("ref_type") not in judged.JOINS:
        yield f"joins by {node.get('ref_type')}, which has not been judged", mend


def _show(_: Node) -> Iterator[Problem]:
    yield "reads what an engine says of a table (describe, summarize, show)", "select from datasets, by their names"


def _recursive(node: Node) -> Iterator[Problem]:
    if node.get("key_targets"):
        yield (
            "keeps one row of each key in a recursion (using key), whichever comes last",
            "keep all rows in the recursion, and choose among them after it, by max(…) or an order",
        )


_RULES: dict[str, Callable[[Node], Iterator[Problem]]] = {
    "FUNCTION": _function,
    "WINDOW": _window,
    "COLUMN_REF": _column,
    "TYPE": _type,
    "COLLATE": _collate,
    "JOIN": _join,
    "SHOW_REF": _show,
    "RECURSIVE_CTE_NODE": _recursive,
}


def _modifiers(modifiers: list[Node]) -> Iterator[Problem]:
    if _has_order((order for modifier in modifiers for order in below(modifier, "orders")), places=True):
        return
    mend = "add an order by to the same select, up to a key"
    for modifier in modifiers:
        if str(modifier.get("type")).startswith("LIMIT"):
            yield "takes some rows (limit, offset) without an order", mend
        if modifier.get("distinct_on_targets"):
            yield "keeps one row of several (distinct on) without an order", mend


def _has_order(orders: Iterable[Node], *, places: bool = False) -> bool:
    """Whether an order is one: it names a column, counts rows, or (`places`) names a column by its place. A constant
    orders nothing."""
    for order in orders:
        by = inner(order, "expression")
        if any(node.get("class") in _ORDERING or node.get("function_name") in _COUNTS for node in nodes(by)):
            return True
        if places and inner(by, "literal").get("kind") == "INTEGER":
            return True
    return False


def _orders_of(call: Node) -> list[Node]:
    """All orders that a call has: those in its brackets, and that of its window."""
    return [*below(inner(call, "order_bys"), "orders"), *below(call, "arg_orders"), *below(call, "orders")]


def _arguments(call: Node) -> list[Node]:
    return [inner(argument, "expression") for argument in below(call, "arguments")]


def _texts(value: Node) -> Iterator[str]:
    """The texts that are written in an expression."""
    for node in nodes(value):
        literal = node.get("literal") if node.get("class") == "CONSTANT" else None
        if isinstance(literal, dict) and literal.get("kind") == "STRING":
            yield str(literal.get("text"))
