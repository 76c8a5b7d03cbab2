"""The only column types that tenant and platform tables may use.

Each one round-trips exactly and compares equal alike on SQLite (STRICT), PostgreSQL and SQL Server.
None of them is meant for an order that people see: that uses a stored sort key. The
dialects of servers are imported where one is in use: each takes a good while.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import uuid_utils.compat
from sqlalchemy import types as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

#: SQL Server's binary order over code points, so that comparisons equal SQLite's and PostgreSQL's.
MSSQL_BINARY = "Latin1_General_100_BIN2"
_MSSQL_MOST = 4000
#: An escaped NUL whose backslash is not itself escaped.
_JSON_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def new_id() -> uuid.UUID:
    """A UUIDv7: made by the application, ordered by time (RFC 9562, section 5.7)."""
    return uuid_utils.compat.uuid7()


def made_at(identity: str) -> datetime | None:
    """When an id of :func:`new_id` was made, by its hexadecimal digits; None for any other text."""
    try:
        found = uuid.UUID(identity)
    except ValueError:
        return None
    if found.version != 7:
        return None
    return datetime.fromtimestamp((found.int >> 80) / 1000, UTC)


class CanonicalJson(str):
    """What :func:`canonical_json` made of a value, for a column that would do it once more."""

    __slots__ = ()


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, no NaN (in the manner of RFC 8785)."""
    return _CANONICAL.encode(value)


def to_image(value: Any) -> Any:
    """A column's Python value as JSON, for the change log and for bundles.

    Raises:
        TypeError: the value comes from none of the types of this module.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, uuid.UUID | Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict | list):
        return value
    raise TypeError(f"{type(value).__name__} is not a value that a MOSAIC column can hold")


def _is_unicode(text: str) -> bool:
    """Whether text has no half of a surrogate pair, which no encoding has."""
    if text.isascii():  # known without looking
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class MosaicType(TypeDecorator[Any]):
    """The base of every permitted type; ``from_image`` undoes ``to_image``."""

    impl: Any = sa.Unicode
    cache_ok = True

    def to_image(self, value: Any) -> Any:
        """What the column holds once ``value`` is stored, as JSON."""
        return to_image(value)

    def from_image(self, image: Any) -> Any:
        return image


class Text(MosaicType):
    """Unicode text without NUL or lone surrogates; ``length`` in characters, None for any."""

    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.TEXT())
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.TEXT(collation="C"))
        if dialect.name == "mssql":
            # It counts in halves of surrogate pairs, and knows no more than 4000 of them by number.
            halves = 2 * self.length if self.length is not None else None
            if halves is not None and halves > _MSSQL_MOST:
                halves = None
            return dialect.type_descriptor(sa.NVARCHAR(halves, collation=MSSQL_BINARY))
        return dialect.type_descriptor(sa.Unicode(self.length))

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        process, length = super().bind_processor(dialect), self.length
        if process is None or dialect.name != "sqlite":
            return process

        def bind(value: Any) -> Any:
            # Most of what is written is such text, and each write has dozens of values.
            plain = type(value) is str and value.isascii() and "\0" not in value
            if plain and (length is None or len(value) <= length):
                return value
            return process(value)

        return bind

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise TypeError(f"a text column takes str, not {type(value).__name__}")
        if "\0" in value:
            raise ValueError("text cannot contain the NUL character")
        if not _is_unicode(value):
            raise ValueError("text cannot contain half a surrogate pair")
        if self.length is not None and len(value) > self.length:
            raise ValueError(f"text has {len(value)} characters, at most {self.length} fit")
        return value


class UTCDateTime(MosaicType):
    """An instant in UTC with microseconds; takes aware datetimes only."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.TEXT())
        if dialect.name == "postgresql":
            from sqlalchemy.dialects import postgresql

            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True, precision=6))
        if dialect.name == "mssql":
            from sqlalchemy.dialects import mssql

            return dialect.type_descriptor(mssql.DATETIME2(6))  # type: ignore[no-untyped-call]
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        if not isinstance(value, datetime) or value.utcoffset() is None:
            raise TypeError("an instant needs a datetime with a time zone")
        try:
            utc = value.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{value} is outside the years 1 to 9999 in UTC") from None
        if dialect.name == "sqlite":
            # Fixed width, so that the text's order is the order in time.
            return utc.isoformat(timespec="microseconds")
        return utc.replace(tzinfo=None) if dialect.name == "mssql" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)

    def from_image(self, image: Any) -> Any:
        return None if image is None else datetime.fromisoformat(image)


class Exact(MosaicType):
    """An exact decimal with at most ``precision`` digits, ``scale`` of them after the point."""

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, precision: int = 18, scale: int = 4) -> None:
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":  # its NUMERIC is a float; text keeps every digit
            return dialect.type_descriptor(sa.TEXT())
        return dialect.type_descriptor(sa.Numeric(self.precision, self.scale, asdecimal=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        fixed = self._fixed(value)
        return str(fixed) if dialect.name == "sqlite" else fixed

    def _fixed(self, value: Any) -> Decimal:
        """With all decimal places, so that equal numbers are equal texts; there is no -0."""
        if not isinstance(value, Decimal) or not value.is_finite():
            raise TypeError("an exact number needs a finite Decimal")
        with localcontext() as context:
            context.prec = self.precision
            try:
                fixed = value.quantize(Decimal(1).scaleb(-self.scale)) + 0
            except InvalidOperation:  # too many digits
                fixed = None
        if fixed is None or fixed != value:
            raise ValueError(f"{value} does not fit {self.precision} digits, {self.scale} decimal")
        return fixed

    def to_image(self, value: Any) -> Any:
        return None if value is None else str(self._fixed(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)

    def from_image(self, image: Any) -> Any:
        return None if image is None else Decimal(image)


class Json(MosaicType):
    """A JSON value, stored as its canonical text, so that equal values are equal bytes."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.TEXT())
        if dialect.name == "mssql":
            return dialect.type_descriptor(sa.NVARCHAR(None, collation=MSSQL_BINARY))
        return dialect.type_descriptor(sa.UnicodeText())

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if type(value) is CanonicalJson:
            text = str(value)
        else:
            _check_keys(value)
            text = canonical_json(value)
        if "\\u0000" in text and _JSON_NUL.search(text):  # looking for the latter takes long
            raise ValueError("text inside JSON cannot contain the NUL character")
        if not _is_unicode(text):
            raise ValueError("text inside JSON cannot contain half a surrogate pair")
        return text

    def to_image(self, value: Any) -> Any:
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


#: What has values in it; a tuple is looked at several times faster than a union of types.
_NESTS = (dict, list, tuple)


def _check_keys(value: Any) -> None:
    """Keys that are not text would become text, and sort differently from then on."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"a key in JSON is text, not {key!r}")
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for inner in value:
        if isinstance(inner, _NESTS):
            _check_keys(inner)


class Uuid(MosaicType):
    """A UUID made by the application."""

    impl = sa.Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.TEXT())
        if dialect.name == "mssql":  # its UNIQUEIDENTIFIER puts the last bytes first in order
            from sqlalchemy.dialects import mssql

            return dialect.type_descriptor(mssql.VARBINARY(16))  # type: ignore[no-untyped-call]
        return dialect.type_descriptor(sa.Uuid(as_uuid=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        if not isinstance(value, uuid.UUID):
            raise TypeError(f"a UUID column takes uuid.UUID, not {type(value).__name__}")
        if dialect.name == "mssql":
            return value.bytes
        return str(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> uuid.UUID | None:
        if value is None or type(value) is uuid.UUID:
            return value
        if isinstance(value, bytes | bytearray):
            return uuid.UUID(bytes=bytes(value))
        # A driver may have a class of its own for it, and other classes are other values to some.
        return uuid.UUID(int=value.int) if isinstance(value, uuid.UUID) else uuid.UUID(value)

    def from_image(self, image: Any) -> Any:
        return None if image is None else uuid.UUID(image)


class Integer(MosaicType):
    """A 64-bit integer."""

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.INTEGER())
        return dialect.type_descriptor(sa.BigInteger())

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"an integer column takes int, not {type(value).__name__}")
        if not -(2**63) <= value < 2**63:
            raise ValueError("the integer does not fit 64 bits")
        return value


class Boolean(MosaicType):
    """True or False."""

    impl = sa.Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.INTEGER())
        return dialect.type_descriptor(sa.Boolean())

    def process_bind_param(self, value: Any, dialect: Dialect) -> bool | None:
        if value is not None and not isinstance(value, bool):
            raise TypeError(f"a boolean column takes bool, not {type(value).__name__}")
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> bool | None:
        return None if value is None else bool(value)


class Bytes(MosaicType):
    """Bytes as they are; ``length`` says how many at most, None for any number.

    SQL Server has no index of a column without a length.
    """

    impl = sa.LargeBinary
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.BLOB())
        if dialect.name == "mssql":
            from sqlalchemy.dialects import mssql

            return dialect.type_descriptor(mssql.VARBINARY(self.length or "max"))  # type: ignore[no-untyped-call]
        return dialect.type_descriptor(sa.LargeBinary())

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        if value is None:
            return None
        if not isinstance(value, bytes):
            raise TypeError(f"a bytes column takes bytes, not {type(value).__name__}")
        if self.length is not None and len(value) > self.length:
            raise ValueError(f"there are {len(value)} bytes, at most {self.length} fit")
        return value

    def from_image(self, image: Any) -> Any:
        return None if image is None else base64.b64decode(image)
