"""The block types there are: MOSAIC's own and the plugins'."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from mosaic_cms.blocks.base import DESCRIBED, Block, require_whole
from mosaic_cms.blocks.stored import Regions, Stored, blocks_in, changed, regions_of
from mosaic_core.errors import InvalidInput, PluginConflict, PluginInvalid
from mosaic_core.plugins import Plugins
from mosaic_core.settings_problems import nearest

Level = Literal["problem", "warning"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a block: a problem keeps its page from being published.

    Attributes:
        where: the place, such as ``main[2].alt``.
        what: in words for an editor.
        block_id: of the block.
    """

    where: str
    what: str
    block_id: str
    level: Level = "problem"


class BlockTypes:
    """Every block type by name.

    Raises:
        PluginInvalid: a declaration is no block type.
        PluginConflict: two types have one name.
    """

    def __init__(self, own: Iterable[type[Block]], plugins: Plugins | None = None) -> None:
        self._types: dict[str, type[Block]] = {}
        for kind in own:
            self._add(kind, "MOSAIC itself", {})
        origins = dict.fromkeys(self._types, "MOSAIC itself")
        for offer in plugins.offers("mosaic_blocks") if plugins is not None else ():
            self._add(offer.value, offer.plugin.origin, origins)

    def _add(self, kind: Any, origin: str, origins: dict[str, str]) -> None:
        if not (isinstance(kind, type) and issubclass(kind, Block)):
            raise PluginInvalid(
                f"mosaic_blocks of {origin} declares {kind!r}, which is no subclass of Block.",
                hint="Derive the model from mosaic_cms.sdk.Block.",
            )
        try:
            require_whole(kind, f"{kind.__name__} of {origin}")
        except InvalidInput as error:
            raise PluginInvalid(error.message, hint=error.hint) from error
        if kind.name in self._types:
            raise PluginConflict(
                f"The block type {kind.name!r} is declared by {origins[kind.name]} and by "
                f"{origin}.",
                hint="Select one of the two plugins in [platform] plugins.",
            )
        origins[kind.name] = origin
        self._types[kind.name] = kind

    def __iter__(self) -> Iterator[type[Block]]:
        return iter(sorted(self._types.values(), key=lambda kind: kind.name))

    def get(self, name: str) -> type[Block] | None:
        """The type of this name, if it is known here."""
        return self._types.get(name)

    def read(self, stored: Stored, *, described: Collection[str] | None = None) -> Block:
        """A stored block as its model; older data are brought forward.

        Args:
            described: the pictures of which the library says what they show, where it is asked
                whether the block can be published.

        Raises:
            InvalidInput: the type or its version is unknown here, or the data do not fit it.
        """
        kind = self._known(stored)
        context = None if described is None else {DESCRIBED: described}
        try:
            return kind.model_validate(self._forward(kind, stored)["data"], context=context)
        except ValidationError as error:
            problems = tuple(_told(error))
            raise InvalidInput(
                f"A block {kind.name!r}: {problems[0][0]}: {problems[0][1]}.", problems=problems
            ) from error

    def kept(self, given: Any) -> Regions:
        """A page's content as it is to be saved: its shape checked, its HTML sanitised.

        Raises:
            InvalidInput: it is no content of a page; it names the place.
        """
        result: Regions = changed(regions_of(given), self._kept)
        return result

    def forward(self, regions: Regions) -> Regions:
        """The same with every block's data brought to its type's version."""
        result: Regions = changed(regions, self._forwarded)
        return result

    def faults(self, regions: Regions, *, described: Collection[str] = ()) -> list[Fault]:
        """All that is wrong with a page's blocks, in their order, each with its place.

        Args:
            described: ``media:<id>`` of the pictures of which the library says what they show.
        """
        found: list[Fault] = []
        for region, blocks in regions.items():
            for number, stored in enumerate(blocks):
                found += self._faults(stored, f"{region}[{number}]", described)
        return found

    def unknown(self, regions: Regions) -> list[Fault]:
        """The blocks that visitors do not see, since nobody here knows them: what :meth:`faults`
        only warns of."""
        return [
            fault
            for region, blocks in regions.items()
            for number, stored in enumerate(blocks)
            for fault in self._unknown(stored, f"{region}[{number}]")
        ]

    def _unknown(self, stored: Stored, where: str) -> Iterator[Fault]:
        try:
            self._known(stored)
        except InvalidInput as error:
            yield Fault(where, error.message, stored["id"], "warning")
            return
        for number, inner in enumerate(_inside(stored)):
            yield from self._unknown(inner, f"{where}.{inner['type']}[{number}]")

    def _faults(self, stored: Stored, where: str, described: Collection[str]) -> Iterator[Fault]:
        try:
            self._known(stored)
        except InvalidInput as error:
            yield Fault(where, error.message, stored["id"], "warning")
            return
        try:
            self.read(stored, described=described)
        except InvalidInput as error:
            for place, what in error.problems:
                yield Fault(f"{where}.{place}" if place else where, what, stored["id"])
        for number, inner in enumerate(_inside(stored)):
            yield from self._faults(inner, f"{where}.{inner['type']}[{number}]", described)

    def _known(self, stored: Stored) -> type[Block]:
        kind = self._types.get(stored["type"])
        if kind is None:
            raise InvalidInput(
                f"There is no block type {stored['type']!r}{nearest(stored['type'], self._types)} "
                f"It is kept as it is, and visitors do not see it."
            )
        if stored["version"] > kind.version:
            raise InvalidInput(
                f"The block {stored['type']!r} was made by a newer version "
                f"({stored['version']}; here is {kind.version}). It is kept as it is, and visitors "
                f"do not see it."
            )
        return kind

    def _kept(self, stored: Stored) -> Stored:
        """What fits its type is kept as the type's fields made it; the rest as it is, which no
        visitor sees before it fits."""
        kind = self._types.get(stored["type"])
        if kind is None or stored["version"] != kind.version:
            return stored
        try:
            block = kind.model_validate(stored["data"])
        except ValidationError:
            return stored
        return {**stored, "data": block.model_dump(mode="json", exclude_unset=True)}

    def _forwarded(self, stored: Stored) -> Stored:
        kind = self._types.get(stored["type"])
        if kind is None or stored["version"] >= kind.version:
            return stored
        try:
            return self._forward(kind, stored)
        except InvalidInput:
            return stored

    @staticmethod
    def _forward(kind: type[Block], stored: Stored) -> Stored:
        data = stored["data"]
        for version in range(stored["version"], kind.version):
            try:
                data = kind.upgrades[version](dict(data))
            except Exception as error:
                raise InvalidInput(
                    f"The data of a block {kind.name!r} cannot be brought from version {version} "
                    f"to {version + 1}: {type(error).__name__}: {error}.",
                    problems=(("", "its old data cannot be brought forward"),),
                ) from error
        return {**stored, "version": kind.version, "data": data}


def _inside(stored: Stored) -> list[Stored]:
    """The blocks right inside a block."""
    found: list[Stored] = []
    below: set[str] = set()
    for inner in blocks_in(stored["data"]):
        if inner["id"] not in below:
            found.append(inner)
            below |= {deeper["id"] for deeper in blocks_in(inner["data"])}
    return found


def _told(error: ValidationError) -> Iterator[tuple[str, str]]:
    """The problems of a block's data as an editor is told them."""
    for item in error.errors():
        place = ""
        for part in item["loc"]:
            place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
        message = str(item["ctx"]["error"]) if item["type"] == "value_error" else item["msg"]
        if item["type"] == "missing":
            message = "it is missing"
        yield place, message[:1].lower() + message[1:]
