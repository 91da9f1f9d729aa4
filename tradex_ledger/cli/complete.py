"""Words that a shell completes: runs, datasets, versions, projections, topics. What goes wrong offers nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from tradex_ledger.cli.days import MomentType
from tradex_ledger.errors import TradexError

_Offer = Callable[[click.Context, str], Iterable[tuple[str, str]]]
_LAYERS = (("bronze", "layer"), ("silver", "layer"), ("gold", "layer"))


def _folder(ctx: click.Context) -> str:
    """The workspace that is meant by what stands before the word."""
    contexts = [ctx]
    while (above := contexts[-1].parent) is not None:
        contexts.append(above)
    said = next((found for one in contexts if (found := one.params.get("workspace"))), None)
    return str(said or os.environ.get("TRADEX_WORKSPACE") or ".")


def _runs(ctx: click.Context, word: str) -> Iterable[tuple[str, str]]:
    from tradex_ledger.audit.names import runs

    return runs(_folder(ctx), word)


def _datasets(ctx: click.Context, word: str) -> Iterable[tuple[str, str]]:
    from tradex_ledger.audit.names import datasets

    del word
    return datasets(_folder(ctx))


def _either(ctx: click.Context, word: str) -> Iterable[tuple[str, str]]:
    return [*_runs(ctx, word), *_datasets(ctx, word)]


def _scopes(ctx: click.Context, word: str) -> Iterable[tuple[str, str]]:
    return [*_LAYERS, *_datasets(ctx, word)]


def _versions(ctx: click.Context, word: str) -> Iterable[tuple[str, str]]:
    from tradex_ledger.audit.names import datasets, versions

    del word
    folder = _folder(ctx)
    known = {name for name, _ in datasets(folder)}
    # Asked of the words: while an option lacks a value, click has not come to the arguments.
    named = [said for said in os.environ.get("COMP_WORDS", "").split() if said in known]
    return versions(folder, named[-1]) if named else ()


def _projections(ctx: click.Context, word: str) -> Iterable[tuple[str, str]]:
    from tradex_ledger.audit.names import projections

    del ctx, word
    return projections()


def _topics(ctx: click.Context, word: str) -> Iterable[tuple[str, str]]:
    from tradex_ledger.audit.names import topics

    del ctx, word
    return topics()


_OFFERS: dict[str, _Offer] = {
    **dict.fromkeys(("run_id", "run", "--run", "--candidate", "--allow-overlap"), _runs),
    **dict.fromkeys(("dataset", "--dataset", "DATASET", "dataset name"), _datasets),
    **dict.fromkeys(("ID", "RUN|DATASET", "[RUN|DATASET]"), _either),
    "request dataset": _scopes,
    **dict.fromkeys(("version", "--versions"), _versions),
    "projection name": _projections,
    "--topic": _topics,
    **dict.fromkeys(("--as-of", "--since", "--until", "--between"), _runs),
}
"""What is offered for a parameter: by its name behind that of its group, its metavar, its option or name."""


def _offer_of(parameter: click.Parameter, group: str) -> _Offer | None:
    names = [f"{group} {parameter.name}", str(parameter.metavar), *parameter.opts]
    return next((_OFFERS[name] for name in names if name in _OFFERS), None)


def complete(command: click.Command, group: str) -> None:
    """Have the parameters of a command complete what there is by name."""
    for parameter in command.params:
        offer = _offer_of(parameter, group)
        if offer is None:
            continue
        if isinstance(parameter.type, MomentType):
            parameter.type = _Moment(offer, is_last=parameter.type.is_last)
        elif parameter.type is click.INT:
            parameter.type = _Number(offer)
        elif parameter.type is click.STRING:
            parameter.type = _Text(offer)


def _items(offer: _Offer, ctx: click.Context, word: str) -> list[CompletionItem[str]]:
    try:
        found = [(text, about) for text, about in offer(ctx, word) if text.startswith(word)]
    except (TradexError, OSError, LookupError):  # a ledger that is broken, or somebody else's: other commands say so
        return []
    return [CompletionItem(text, help=about or None) for text, about in found]


class _Text(click.types.StringParamType):
    def __init__(self, offer: _Offer) -> None:
        self.offer = offer

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        del param
        return _items(self.offer, ctx, incomplete)


class _Number(click.types.IntParamType):
    def __init__(self, offer: _Offer) -> None:
        self.offer = offer

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        del param
        return _items(self.offer, ctx, incomplete)


class _Moment(MomentType):
    def __init__(self, offer: _Offer, *, is_last: bool) -> None:
        super().__init__(is_last=is_last)
        self.offer = offer

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        del param
        days = [CompletionItem(word) for word in ("today", "yesterday") if word.startswith(incomplete)]
        return [*days, *_items(self.offer, ctx, incomplete)]
