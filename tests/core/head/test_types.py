"""Every column type keeps exactly what it takes, and refuses what it could not keep."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, create_engine, insert, select
from sqlalchemy.exc import StatementError

from mosaic_core import types
from mosaic_core.types import canonical_json, new_id, to_image
from tests.core.head.toys import Box, a_box, toy

CEST = timezone(timedelta(hours=2))
UTC12 = datetime(2026, 2, 3, 4, 5, 6, 789012, UTC)

KEPT = [
    (types.Text(), ""),
    (types.Text(), "plain"),
    (types.Text(), "Naïve 🧊 Ω \U0010ffff \ud7ff \ue000 \x01\x1f\x7f \r\n\t"),
    (types.Text(), "e\u0301 is not \u00e9"),
    (types.Text(3), "🧊🧊🧊"),
    (types.Text(), "x" * 3_000_000),
    (types.UTCDateTime(), UTC12),
    (types.UTCDateTime(), datetime(1, 1, 1, tzinfo=UTC)),
    (types.UTCDateTime(), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
    (types.UTCDateTime(), datetime(2026, 7, 1, 2, 0, 0, 1, CEST)),
    (types.Exact(), Decimal("0")),
    (types.Exact(), Decimal("-99999999999999.9999")),
    (types.Exact(12, 2), Decimal("0.1")),
    (types.Exact(38, 10), Decimal("1234567890123456789012345678.0123456789")),
    (types.Exact(6, 0), Decimal("1E+5")),
    (types.Json(), {"a": [1, 2.5, -0.0, 1e300, True, None, "ü🧊"], "b": {}}),
    (types.Json(), []),
    (types.Json(), "text"),
    (types.Json(), 1.5),
    (types.Json(), False),
    (types.Json(), 10**300),
    (types.Json(), "a backslash and u0000: \\u0000"),
    (types.Json(), {"x": "y" * 1_000_000}),
    (types.Uuid(), uuid.UUID(int=0)),
    (types.Uuid(), uuid.UUID(int=2**128 - 1)),
    (types.Integer(), 0),
    (types.Integer(), 2**63 - 1),
    (types.Integer(), -(2**63)),
    (types.Boolean(), True),
    (types.Boolean(), False),
    (types.Bytes(), b""),
    (types.Bytes(), bytes(range(256)) * 1000),
]

REFUSED = [
    (types.Text(), "a\0b", ValueError),
    (types.Text(), "\ud800", ValueError),
    (types.Text(), "ok \udfff", ValueError),
    (types.Text(3), "four", ValueError),
    (types.Text(), 5, TypeError),
    (types.Text(), b"bytes", TypeError),
    (types.UTCDateTime(), datetime(2026, 1, 1), TypeError),
    (types.UTCDateTime(), "2026-01-01T00:00:00Z", TypeError),
    (types.UTCDateTime(), UTC12.date(), TypeError),
    (types.UTCDateTime(), datetime.min.replace(tzinfo=CEST), ValueError),
    (types.UTCDateTime(), datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))), ValueError),
    (types.Exact(12, 2), Decimal("0.001"), ValueError),
    (types.Exact(4, 2), Decimal("100"), ValueError),
    (types.Exact(), Decimal("1E+400"), ValueError),
    (types.Exact(), Decimal("NaN"), TypeError),
    (types.Exact(), Decimal("Infinity"), TypeError),
    (types.Exact(), 1.5, TypeError),
    (types.Exact(), 1, TypeError),
    (types.Json(), float("nan"), ValueError),
    (types.Json(), [float("inf")], ValueError),
    (types.Json(), {"a": "b\0"}, ValueError),
    (types.Json(), {"a\0": 1}, ValueError),
    (types.Json(), ["\\\0"], ValueError),
    (types.Json(), {"a": ["\ud800"]}, ValueError),
    (types.Json(), {1: "a key that is no text"}, TypeError),
    (types.Json(), [{"a": {None: 1}}], TypeError),
    (types.Json(), {"a": Decimal(1)}, TypeError),
    (types.Json(), {"a": {1, 2}}, TypeError),
    (types.Uuid(), "00000000-0000-0000-0000-000000000000", TypeError),
    (types.Integer(), 2**63, ValueError),
    (types.Integer(), -(2**63) - 1, ValueError),
    (types.Integer(), True, TypeError),
    (types.Integer(), 1.0, TypeError),
    (types.Integer(), "1", TypeError),
    (types.Boolean(), 1, TypeError),
    (types.Boolean(), "true", TypeError),
    (types.Bytes(), "text", TypeError),
    (types.Bytes(), bytearray(b"x"), TypeError),
]


def _shown(value: Any) -> str | None:
    return None if isinstance(value, types.MosaicType) else repr(value)[:30].replace("\0", "␀")


def _stored(type_: types.MosaicType, value: Any) -> Any:
    """The value after a round trip through a STRICT table, next to its column's image."""
    table = Table("t", MetaData(), Column("v", type_), sqlite_strict=True)
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        table.create(connection)
        connection.execute(insert(table).values(v=value))
        found = connection.scalar(select(table.c.v))
        if value is not None:
            assert connection.scalar(select(table.c.v).where(table.c.v == value)) == found
    engine.dispose()
    return found


@pytest.mark.parametrize(("type_", "value"), KEPT, ids=_shown)
def test_what_a_type_takes_comes_back_exactly(type_: types.MosaicType, value: Any) -> None:
    found = _stored(type_, value)
    assert found == value
    assert type(found) is type(value)
    assert repr(_stored(type_, found)) == repr(found)
    if isinstance(value, datetime):
        assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(("type_", "value"), KEPT, ids=_shown)
def test_an_image_tells_what_the_column_holds(type_: types.MosaicType, value: Any) -> None:
    image = type_.to_image(value)
    assert canonical_json(image) == canonical_json(type_.to_image(_stored(type_, value)))
    assert type_.from_image(image) == value


@pytest.mark.parametrize("type_", [kind() for kind in types.MosaicType.__subclasses__()])
def test_nothing_stays_nothing(type_: types.MosaicType) -> None:
    assert _stored(type_, None) is None
    assert type_.to_image(None) is None
    assert type_.from_image(None) is None


@pytest.mark.parametrize(("type_", "value", "error"), REFUSED, ids=_shown)
def test_what_a_type_cannot_keep_is_refused(
    type_: types.MosaicType, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(StatementError) as caught:
        _stored(type_, value)
    assert isinstance(caught.value.orig, error)
    assert not isinstance(caught.value.orig, UnicodeError)


def test_a_zone_that_knows_no_offset_is_none() -> None:
    class Vague(tzinfo):
        def utcoffset(self, when: datetime | None) -> None:
            return None

    with pytest.raises(StatementError):
        _stored(types.UTCDateTime(), datetime(2026, 1, 1, tzinfo=Vague()))


def test_texts_of_instants_are_in_the_order_of_time() -> None:
    instants = [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(999, 1, 1, tzinfo=UTC),
        UTC12.replace(microsecond=0),
        UTC12.replace(microsecond=1),
        UTC12,
        datetime(2026, 2, 3, 7, 0, tzinfo=CEST),
        datetime(9999, 1, 1, tzinfo=UTC),
    ]
    table = Table("t", MetaData(), Column("v", types.UTCDateTime()), sqlite_strict=True)
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        table.create(connection)
        connection.execute(insert(table), [{"v": v} for v in reversed(instants)])
        assert connection.scalars(select(table.c.v).order_by(table.c.v)).all() == instants
    engine.dispose()


def test_equal_numbers_are_equal_texts() -> None:
    for text in ("1", "1.0", "1.0000", "0.1E+1"):
        assert types.Exact().to_image(Decimal(text)) == "1.0000"
    assert types.Exact().to_image(Decimal("-0")) == types.Exact().to_image(Decimal(0)) == "0.0000"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab🧊\\u"), inner),
)


@given(JSON)
def test_canonical_json_is_one_text_for_one_value(value: Any) -> None:
    import json

    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text
    if isinstance(value, dict):
        assert canonical_json(dict(reversed(value.items()))) == text


def test_only_values_of_columns_have_images() -> None:
    for value in (object(), {1}, 1.5):
        with pytest.raises(TypeError, match=type(value).__name__):
            to_image(value)


def test_ids_are_uuids_of_version_7_in_the_order_of_their_making() -> None:
    made = [new_id() for _ in range(200)]
    assert all(isinstance(i, uuid.UUID) and i.version == 7 for i in made)
    assert len(set(made)) == 200
    assert sorted(made) == made


def test_a_row_with_every_type_goes_through_the_head_and_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as toys:
            await toys.add(a_box(), Box(id="empty"))
            full, empty = await toys.get(Box, "a"), await toys.get(Box, "empty")
            for column in Box.__table__.columns:
                assert getattr(full, column.name) == getattr(a_box(), column.name)
                assert getattr(empty, column.name) in (None, 0, False, "empty")
            image = (await toys.rebuilt())["boxes"]["a"]
            assert image is not None
            for column in Box.__table__.columns:
                assert column.type.from_image(image[column.name]) == getattr(full, column.name)

    asyncio.run(main())


def test_a_strict_table_refuses_what_gets_past_the_types(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as toys:
            connection = sqlite3.connect(toys.path)
            for column in ("count", "sealed"):
                with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT"):
                    connection.execute(
                        f"INSERT INTO boxes (id, count, sealed, {column}) VALUES ('x', 1, 1, 'y')"
                        if column not in ("count", "sealed")
                        else f"UPDATE head SET {'version' if column == 'count' else 'epoch'} = 'y'"
                    )
            connection.close()

    asyncio.run(main())
