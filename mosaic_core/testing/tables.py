"""Tables for the persistence contract: a toy that is logged, what visitors read, and search.

They have a metadata of their own, so that no product's tables are touched.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import ForeignKey, MetaData, bindparam, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from mosaic_core import types
from mosaic_core.database import History, TenantBase, TenantSchema, derived
from mosaic_core.head import Write
from mosaic_core.platform import TENANT_MIGRATIONS
from mosaic_core.search import Searchable, searched

_MIGRATIONS = Path(__file__).parent / "migrations"


class ToyBase(DeclarativeBase):
    """The base of the toys."""

    metadata = MetaData(schema="tenant", naming_convention=TenantBase.metadata.naming_convention)


class Toy(ToyBase):
    """A row that the change log records, with a column of every type."""

    __tablename__ = "toys"
    __table_args__ = ({"sqlite_strict": True},)

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    name: Mapped[str] = mapped_column(types.Text(200))
    price: Mapped[Decimal] = mapped_column(types.Exact(12, 2))
    count: Mapped[int] = mapped_column(types.Integer())
    sold: Mapped[bool] = mapped_column(types.Boolean())
    made_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    facts: Mapped[Any] = mapped_column(types.Json())
    picture: Mapped[bytes] = mapped_column(types.Bytes())


class Sticker(ToyBase):
    """A row that points to another one."""

    __tablename__ = "stickers"
    __table_args__ = ({"sqlite_strict": True},)

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    toy_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey("tenant.toys.id"))


class Shelf(ToyBase):
    """A derived row: what visitors see."""

    __tablename__ = "shelves"
    __table_args__ = ({"sqlite_strict": True, "info": derived(publishes=True)},)

    path: Mapped[str] = mapped_column(types.Text(200), primary_key=True)
    body: Mapped[str] = mapped_column(types.Text())
    facts: Mapped[Any] = mapped_column(types.Json())
    at: Mapped[datetime] = mapped_column(types.UTCDateTime())


_SEARCHED = Searchable(
    title="title", summary="summary", text="text", by=("room", "language"), key=("id", "title")
)


#: The room of leaflets, unless one is given.
ROOM = uuid.UUID("00000000-0000-7000-8000-000000000001")


class Leaflet(ToyBase):
    """A derived row that visitors search: one of a room, in a language."""

    __tablename__ = "leaflets"
    __table_args__ = (
        {"sqlite_strict": True, "info": derived(publishes=True) | searched(_SEARCHED)},
    )

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    language: Mapped[str] = mapped_column(types.Text(35), primary_key=True)
    room: Mapped[uuid.UUID] = mapped_column(types.Uuid())
    title: Mapped[str] = mapped_column(types.Text(300))
    summary: Mapped[str] = mapped_column(types.Text(1000))
    text: Mapped[str] = mapped_column(types.Text())


#: Constant queries, as the product has them: each is compiled once.
SHELF_AT: Any = select(Shelf.body, Shelf.facts, Shelf.at).where(Shelf.path == bindparam("path"))
ALL_SHELVES: Any = select(Shelf.path, Shelf.body).order_by(Shelf.path)


def make_toy(name: str, **values: Any) -> Toy:
    """A toy with something in every column."""
    given: dict[str, Any] = {
        "id": types.new_id(),
        "price": Decimal("9.90"),
        "count": 2**40,
        "sold": False,
        "made_at": datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC),
        "facts": {"wheels": 4, "colours": ["red", "grün"]},
        "picture": b"\x00\xff" + name.encode(),
    }
    return Toy(name=name, **(given | values))


async def put_toy(write: Write, name: str, **values: Any) -> Toy:
    """Adds a toy, in a write."""
    toy = make_toy(name, **values)
    write.session.add(toy)
    await write.session.flush()
    return toy


async def put_shelf(write: Write, path: str, body: str) -> None:
    """Publishes a shelf, or changes it, in a write."""
    shelf = await write.session.get(Shelf, path)
    if shelf is None:
        shelf = Shelf(path=path)
        write.session.add(shelf)
    shelf.body, shelf.facts, shelf.at = body, {"length": len(body)}, write.at
    await write.session.flush()


async def put_leaflet(
    write: Write,
    title: str,
    text: str = "",
    *,
    summary: str = "",
    room: uuid.UUID = ROOM,
    language: str = "en",
) -> Leaflet:
    """Publishes a leaflet, in a write."""
    leaflet = Leaflet(
        id=types.new_id(), language=language, room=room, title=title, summary=summary, text=text
    )
    write.session.add(leaflet)
    await write.session.flush()
    return leaflet


def toy_schema(*, newer: bool = False, wider: bool = False) -> TenantSchema:
    """The kernel's tables and the toys; with ``newer``, one migration further on, and with
    ``wider``, one that older code can do without."""
    folders = [TENANT_MIGRATIONS, _MIGRATIONS / "first"]
    if newer or wider:
        folders.append(_MIGRATIONS / ("second" if newer else "wider"))
    return TenantSchema(ToyBase.metadata, History("tenant", folders))
