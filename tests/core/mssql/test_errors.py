"""What SQL Server says through ODBC is told in the platform's own errors."""

from __future__ import annotations

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from mosaic_core.database.mssql import is_in_use, is_lost, translating, where
from mosaic_core.errors import (
    Conflict,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseError,
    DatabaseMissing,
    DatabaseReadOnly,
    DiskFull,
    InvalidInput,
    MosaicError,
)

_SAYS = "[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]"


class OdbcError(Exception):
    """As the driver raises them."""


OdbcError.__module__ = "pyodbc"


def _error(state: str, said: str, number: int = 0) -> OdbcError:
    return OdbcError(state, f"[{state}] {_SAYS}{said} ({number}) (SQLExecDirectW)")


def _told(error: Exception, server: str = "") -> MosaicError:
    with pytest.raises(MosaicError) as told, translating("The database of 'acme'", server):
        raise error
    assert told.value.__cause__ is error
    return told.value


@pytest.mark.parametrize(
    ("state", "number", "kind"),
    [
        *(("40001", number, DatabaseBusy) for number in (1205, 3960, 3961)),
        *(("42000", number, DatabaseBusy) for number in (1222, 1807, 40197, 40501, 40613)),
        *(("HY000", number, DatabaseBusy) for number in (49918, 49919, 49920, 10928, 10929)),
        *(("08S01", number, DatabaseBusy) for number in (0, 10053, 10054, 10060, 64)),
        *(("HYT00", 0, DatabaseBusy), ("08001", 258, DatabaseBusy)),
        *(("42S02", 208, DatabaseMissing), ("42000", 4060, DatabaseMissing)),
        *(("42000", 2760, DatabaseMissing), ("08004", 911, DatabaseMissing)),
        *(("23000", number, Conflict) for number in (2627, 2601, 547, 515)),
        *(("42S01", 2714, Conflict), ("42000", 1801, Conflict), ("42000", 2759, Conflict)),
        *(("22001", number, InvalidInput) for number in (2628, 8152)),
        *(("22003", 8115, InvalidInput), ("22007", 241, InvalidInput), ("22018", 0, InvalidInput)),
        *(("42000", 3906, DatabaseReadOnly), ("HY000", 824, DatabaseDamaged)),
        *(("42000", number, DiskFull) for number in (1105, 9002, 40544)),
        *(("28000", 18456, DatabaseError), ("42000", 229, DatabaseError)),
        *(("42000", 3952, DatabaseError), ("42000", 102, DatabaseError)),
    ],
)
def test_an_error_is_known_by_its_number_or_its_state(
    state: str, number: int, kind: type[MosaicError]
) -> None:
    error = _error(state, "It says so.", number)
    for raised in (error, DBAPIError("SELECT 1", (), error)):
        told = _told(raised)
        assert type(told) is kind
        assert told.message.startswith("The database of 'acme'")
        assert "It says so." in told.message
        assert "ODBC" not in told.message
    if kind is DatabaseBusy:
        assert told.transient


def test_of_several_things_that_are_said_the_first_one_counts() -> None:
    error = OdbcError(
        "42000",
        f'[42000] {_SAYS}Cannot open database "t" requested by the login. The login failed. (4060) '
        f"(SQLDriverConnect); [28000] {_SAYS}Login failed for user 'sa'. (18456)",
    )
    assert isinstance(_told(error), DatabaseMissing)
    assert "sa" not in _told(error).message.split()


def test_what_a_row_has_in_it_is_not_passed_on() -> None:
    said = (
        "Violation of PRIMARY KEY constraint 'pk_toys'. Cannot insert duplicate key in object "
        "'t.toys'. The duplicate key value is (their secret)."
    )
    for error in (
        _error("23000", said, 2627),
        _error("22001", "Data would be truncated. Truncated value: 'their secret'.", 2628),
    ):
        assert "secret" not in _told(error).message


def test_a_server_that_does_not_answer_is_named_and_nothing_else_of_its_url() -> None:
    server = where(make_url("mssql+aioodbc://mosaic:geheim@db.example:1444/site"))
    told = _told(_error("HYT00", "Login timeout expired"), server)
    assert "no SQL Server answers at db.example:1444" in told.message
    assert "geheim" not in f"{told.message} {told.hint}"
    assert told.transient


def test_a_driver_that_is_not_there_is_told_with_what_to_install() -> None:
    error = OdbcError(
        "01000", "[01000] [unixODBC][Driver Manager]Can't open lib '/nowhere' : file not found (0)"
    )
    assert "mssql-python-odbc" in _told(error).hint
    assert not _told(error).transient


def test_a_database_without_snapshots_says_how_to_get_them() -> None:
    assert "ALLOW_SNAPSHOT_ISOLATION" in _told(_error("42000", "It is not allowed.", 3952)).hint


def test_what_has_nothing_to_do_with_the_database_passes() -> None:
    for error in (KeyError("x"), OSError("no file"), Conflict("of the product's own")):
        with pytest.raises(type(error)) as passed, translating("The database of 'acme'"):
            raise error
        assert passed.value is error


def test_a_lost_connection_and_a_busy_database_are_told_apart() -> None:
    assert is_lost(_error("08S01", "Communication link failure"))
    assert is_lost(_error("42000", "Connection reset by peer", 10054))
    assert not is_lost(_error("40001", "You were chosen as the deadlock victim", 1205))
    assert is_in_use(_error("42000", 'Cannot drop the database "t": it is in use', 3702))
    assert not is_in_use(_error("42S02", "There is none", 3701))
