"""Mirrors as the settings name them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from tradex_ledger.config import Config
from tradex_ledger.config_places import POSTGRESQL
from tradex_ledger.domain.mirrors import DELTA, MirrorSetting
from tradex_ledger.errors import NotFoundError, meant
from tradex_ledger.lake.port import Lake
from tradex_ledger.ledger.ask import has_topic
from tradex_ledger.ledger.select import Store
from tradex_ledger.mirrors.delta import DeltaMirror, read_note
from tradex_ledger.mirrors.ducklake import DuckLakeMirror, Erased
from tradex_ledger.mirrors.ducklake_place import CatalogPlace
from tradex_ledger.mirrors.files import Point, nowhere
from tradex_ledger.mirrors.port import Held, Mirror, UnfitMirrorError
from tradex_ledger.mirrors.readers import ERASED
from tradex_ledger.relations.data import ERASED_FILES
from tradex_ledger.sealing.roots import root_at
from tradex_ledger.views import AsOf, shared_views

NO_ROOT = "no such position"
"""What a mirror finds where it asks for the root at a position that the ledger has not."""


class NoSuchMirrorError(NotFoundError):
    """The settings name no such mirror."""

    code = "no-such-mirror"

    def __init__(self, name: str, known: list[str]) -> None:
        there = f"there are: {', '.join(known)}" if known else "name one in tradex.toml under [mirrors.NAME]"
        super().__init__(f"there is no mirror {name!r}", mend=f"{meant(name, known)}{there}")


def named(config: Config, name: str | None) -> list[MirrorSetting]:
    """The mirror of that name; None: all of them. Raises `NoSuchMirrorError`."""
    found = [one for one in config.mirrors if name in (None, one.name)]
    if name is not None and not found:
        raise NoSuchMirrorError(name, [one.name for one in config.mirrors])
    return found


def open_mirror(setting: MirrorSetting, store: Store, lake: Lake, point: Point = nowhere) -> Mirror:
    """A mirror, to be written. Raises `UnfitMirrorError` where it cannot be what the settings say."""
    name, place = setting.name, setting.place
    at_hand = lake.at_hand()
    if at_hand is not None and not place.startswith(POSTGRESQL) and _is_within(Path(place), at_hand):
        raise UnfitMirrorError(name, f"lies in the lake {lake.name}", "give it another place, under [mirrors]")
    if setting.kind != DELTA and CatalogPlace(place).is_ledger():
        raise UnfitMirrorError(name, "has a ledger's own file for its place", "give it another, under [mirrors]")
    root_of = _roots(store)
    if setting.kind == DELTA:
        if at_hand is None:
            raise UnfitMirrorError(
                name,
                f"cannot be of the lake {lake.name}, which is no folder: a Delta log names files under its own",
                'have kind = "ducklake", which names them by their URL',
            )
        return DeltaMirror(name, Path(place), at_hand, store.ledger, root_of, point)
    data_path = f"{lake.name if at_hand is None else at_hand}".rstrip("/") + "/"
    return DuckLakeMirror(name, CatalogPlace(place), data_path, store.ledger, root_of, partial(erased_at, store), point)


def held(setting: MirrorSetting) -> Held | None:
    """How far a mirror has come, without what writes it. Raises what `Mirror.held` raises."""
    if setting.kind == DELTA:
        noted = read_note(setting.name, Path(setting.place))
        return noted.held if noted else None
    return CatalogPlace(setting.place).held(setting.name)


def left_out(setting: MirrorSetting) -> dict[str, str]:
    """The datasets that a mirror has no table of, and why. Raises what `Mirror.held` raises."""
    if setting.kind == DELTA:
        noted = read_note(setting.name, Path(setting.place))
        return noted.left_out if noted else {}
    return CatalogPlace(setting.place).left_out(setting.name)


def erased_at(store: Store, position: int) -> Erased:
    """What stands, as of a position, in the place of each file of which rows were erased."""
    if not has_topic(store, ERASED, upto=position):
        return {}
    with shared_views(store, AsOf(position, None), ERASED_FILES.name) as connection:
        return {row.path: row.now for row in ERASED_FILES.read(connection)}


def _roots(store: Store) -> Callable[[int], str]:
    @cache
    def root_of(position: int) -> str:
        return root_at(store, position).hex() if 0 <= position <= store.position() else NO_ROOT

    return root_of


def _is_within(place: Path, lake: Path) -> bool:
    here, there = place.resolve(), lake.resolve()
    return here == there or there in here.parents or here in there.parents
