"""What an editor writes as a time is one exact instant, or is refused with what can be meant."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_cms.content.due import Which, local_time, parse_due, shown
from mosaic_core.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "UTC",
)


def parse(text: str, zone: str, which: Which | None = None) -> str:
    return parse_due(text, zone, now=EPOCH, which=which).isoformat().removesuffix("+00:00")


def refusal(text: str, zone: str, now: datetime = EPOCH) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse_due(text, zone, now=now)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-11-01 09:00", "Europe/Berlin", "2026-11-01T08:00:00"),
        ("2026-07-01T09:00:30", "Europe/Berlin", "2026-07-01T07:00:30"),
        ("2026-07-01 09:00", "America/New_York", "2026-07-01T13:00:00"),
        ("2026-07-01 09:00", "Asia/Kathmandu", "2026-07-01T03:15:00"),
        ("2026-01-01 09:00", "Australia/Lord_Howe", "2025-12-31T22:00:00"),
        ("2026-11-01T09:00:00Z", "Europe/Berlin", "2026-11-01T09:00:00"),
        ("2026-11-01T09:00+05:45", "Europe/Berlin", "2026-11-01T03:15:00"),
        ("2026-11-01T09:00:00.25-0330", "UTC", "2026-11-01T12:30:00.250000"),
        ("  9999-12-31 12:00 ", "UTC", "9999-12-31T12:00:00"),
    ],
)
def test_a_time_is_an_exact_instant(text: str, zone: str, instant: str) -> None:
    assert parse(text, zone) == instant


@pytest.mark.parametrize(
    ("text", "zone", "last", "following"),
    [
        ("2026-03-29 02:30", "Europe/Berlin", "2026-03-29 01:59", "2026-03-29 03:00"),
        ("2026-03-08 02:00", "America/New_York", "2026-03-08 01:59", "2026-03-08 03:00"),
        ("2026-10-04 02:29", "Australia/Lord_Howe", "2026-10-04 01:59", "2026-10-04 02:30"),
        ("2011-12-30 18:00", "Pacific/Apia", "2011-12-29 23:59", "2011-12-31 00:00"),
        ("1986-01-01 00:10", "Asia/Kathmandu", "1985-12-31 23:59", "1986-01-01 00:15"),
        ("1972-01-07 00:30", "Africa/Monrovia", "1972-01-06 23:59", "1972-01-07 00:44:30"),
    ],
)
def test_a_skipped_time_is_refused_with_its_neighbours(
    text: str, zone: str, last: str, following: str
) -> None:
    assert refusal(text, zone).endswith(
        f"put forward from {last} to {following}. Use {last} or {following}."
    )
    step = datetime.fromisoformat(parse(following, zone)) - datetime.fromisoformat(
        parse(last, zone)
    )
    assert step == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "zone", "first", "second"),
    [
        ("2026-10-25 02:30", "Europe/Berlin", "+02:00", "+01:00"),
        ("2026-11-01 01:00", "America/New_York", "-04:00", "-05:00"),
        ("2026-04-05 01:45", "Australia/Lord_Howe", "+11:00", "+10:30"),
    ],
)
def test_a_time_that_comes_twice_needs_a_word(
    text: str, zone: str, first: str, second: str
) -> None:
    message = refusal(text, zone)
    assert f"first at UTC{first}, then at UTC{second}" in message
    assert message.endswith("Say 'first' or 'second'.")
    assert parse(text, zone, "first") == parse(text + first, zone)
    assert parse(text, zone, "second") == parse(text + second, zone)
    assert shown(parse_due(text, zone, now=EPOCH, which="second"), zone) == (
        f"{text} {zone} (UTC{second})"
    )


def test_what_is_past_is_refused_with_what_to_do() -> None:
    now = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
    message = refusal("2026-11-01 09:00", "Europe/Berlin", now)
    assert message == (
        "2026-11-01 09:00 Europe/Berlin (UTC+01:00) is past: it is 2026-11-01 09:00 Europe/Berlin "
        "(UTC+01:00) now. Give a later time, or do it at once without a schedule."
    )
    assert parse_due("2026-11-01 09:00:01", "Europe/Berlin", now=now) > now


@pytest.mark.parametrize(
    ("zone", "suggested"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("Asia/Katmandoo", "Asia/Katmandu"),
        ("utc", "UTC"),
    ],
)
def test_an_unknown_zone_suggests_the_nearest(zone: str, suggested: str) -> None:
    message = refusal("2026-11-01 09:00", zone)
    assert f"There is no time zone {zone!r}; did you mean {suggested!r}?" in message


@pytest.mark.parametrize(
    "zone", ["", "../etc/passwd", "/etc/localtime", "Europe", "localtime", "x\0y", "q" * 9999]
)
def test_what_is_no_zone_is_refused(zone: str) -> None:
    message = refusal("2026-11-01 09:00", zone)
    assert "There is no time zone" in message
    assert len(message) < 400


@pytest.mark.parametrize(
    "text",
    [
        *("", "tomorrow", "2026-11-01", "2026-02-29 09:00", "2026-11-01 24:00", "2026-13-01 09:00"),
        *("2026-11-01 09:60", "2026-11-01 09:00:60", "01.11.2026 09:00", "٢٠٢٦-11-01 09:00"),
        *("2026-11-01 09:00+25:00", "2026-11-01 09:00 CET", "2026-11-01 09:00\n2026", "9" * 9999),
    ],
)
def test_what_is_no_time_is_refused_with_how_to_write_it(text: str) -> None:
    message = refusal(text, "Europe/Berlin")
    assert "is no date and time" in message
    assert "Write it as in '2026-11-01 09:00'" in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("1969-12-31 23:59", "UTC"),
        ("0001-01-01 00:00", "Asia/Kathmandu"),
        ("1970-01-01 00:30", "Asia/Kathmandu"),
        ("9999-12-31 23:00", "America/New_York"),
        ("9999-12-31T23:00Z", "Asia/Kathmandu"),
    ],
)
def test_other_years_are_refused(text: str, zone: str) -> None:
    assert "outside the years 1970 to 9999" in refusal(text, zone)


@given(
    st.datetimes(
        datetime(1970, 1, 2), datetime(9999, 12, 29), timezones=st.just(UTC), allow_imaginary=False
    ),
    st.sampled_from(ZONES),
)
def test_an_instant_is_read_back_from_the_clocks_of_its_zone(instant: datetime, zone: str) -> None:
    _is_read_back(instant, zone)


@given(
    st.integers(-4 * 3600, 4 * 3600),
    st.sampled_from(
        [
            ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
            ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
            ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
            ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
            ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
        ]
    ),
)
def test_so_is_one_near_a_change_of_the_clocks(seconds: int, change: tuple[str, datetime]) -> None:
    _is_read_back(change[1] + timedelta(seconds=seconds), change[0])


def _is_read_back(instant: datetime, zone: str) -> None:
    local = instant.astimezone(zoneinfo.ZoneInfo(zone))
    written = local_time(instant, zone)
    which: Which = "second" if local.fold else "first"
    assert parse_due(written, zone, now=EPOCH, which=which) == instant
    assert parse_due(instant.isoformat(), zone, now=EPOCH) == instant
    if local.utcoffset() == local.replace(fold=not local.fold).utcoffset():
        assert parse_due(written, zone, now=EPOCH) == instant
    else:
        assert "comes twice" in refusal(written, zone)
