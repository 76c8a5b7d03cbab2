"""When something is due: what an editor writes, as an exact instant, and back again.

A time of day in a zone names one instant on most days. On the day the clocks change it may name
none, or two; both are refused with the times that can be meant.
"""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from mosaic_core.errors import InvalidInput

#: Which of two instants an ambiguous time means.
Which = Literal["first", "second"]

_WRITTEN = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
    r"\s*(Z|[+-][0-9]{2}:?[0-9]{2}(?::[0-9]{2})?)?"
)
_FORM = "Write it as in '2026-11-01 09:00', or as an instant such as '2026-11-01T09:00:00+01:00'."
_FIRST_YEAR = 1970
#: What the system's folder of zones has besides the zones.
_NO_ZONES = frozenset({"localtime", "Factory", "posixrules"})


def parse_due(text: str, zone: str, *, now: datetime, which: Which | None = None) -> datetime:
    """The instant that is meant, in UTC.

    Args:
        text: ``2026-11-01 09:00`` (or with seconds) in the zone, or an ISO instant with an offset.
        zone: an IANA name such as ``Europe/Berlin``.
        now: an instant; what is due lies after it.
        which: of the two instants of a time that comes twice; it says nothing at other times.

    Raises:
        InvalidInput: it is no time, is past, is skipped or comes twice in that zone, or the zone is
            not known; the message names the times that can be meant.
    """
    place = find_zone(zone)
    written, offset = _read(text)
    if offset is not None:
        instant = _in_utc(written.replace(tzinfo=offset), text)
    else:
        instant = _meant(written, place, which, text)
    _local(instant, place)  # every instant that is taken can be shown
    if instant <= now:
        raise InvalidInput(
            f"{shown(instant, zone)} is past: it is {shown(now, zone)} now.",
            hint="Give a later time, or do it at once without a schedule.",
        )
    return instant


def find_zone(name: str) -> ZoneInfo:
    """The zone of an IANA name.

    Raises:
        InvalidInput: there is none; the message suggests the nearest name.
    """
    zones = _zones()
    if name in zones:
        return ZoneInfo(name)
    if not zones:
        raise InvalidInput(
            "This machine has no time zones.", hint="Install the Python package tzdata."
        )
    folded = {zone.casefold(): zone for zone in sorted(zones)}
    cities = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(zones)}
    given = name[:80].strip().replace(" ", "_").casefold()
    near = (
        folded.get(given) or cities.get(given) or _nearest(given, folded) or _nearest(given, cities)
    )
    raise InvalidInput(
        f"There is no time zone {name[:80]!r}" + (f"; did you mean {near!r}?" if near else "."),
        hint="Use an IANA name such as 'Europe/Berlin', or 'UTC'.",
    )


def local_time(instant: datetime, zone: str) -> str:
    """An instant on the clocks of a zone, as :func:`parse_due` reads it."""
    return _clock(_local(instant, find_zone(zone)))


def shown(instant: datetime, zone: str) -> str:
    """An instant for people: ``2026-11-01 09:00 Europe/Berlin (UTC+01:00)``."""
    local = _local(instant, find_zone(zone))
    return f"{_clock(local)} {zone} ({_offset(local)})"


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - _NO_ZONES)


def _nearest(name: str, known: dict[str, str]) -> str | None:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return known[close[0]] if close else None


def _read(text: str) -> tuple[datetime, timezone | None]:
    """What is written: a time without a zone, and the offset beside it."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(f"{text[:80]!r} is no date and time.", hint=_FORM)
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    micro = int((found[7] or "").ljust(6, "0"))
    try:
        written = datetime(year, month, day, hour, minute, second, micro)
        offset = _written_offset(found[8]) if found[8] else None
    except ValueError as error:
        raise InvalidInput(f"{text[:80]!r} is no date and time: {error}.", hint=_FORM) from error
    if year < _FIRST_YEAR:
        raise _out_of_range(text)
    return written, offset


def _written_offset(text: str) -> timezone:
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:] or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(f"no offset from UTC is {text}")
    size = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return timezone(-size if text[0] == "-" else size)


def _meant(written: datetime, zone: ZoneInfo, which: Which | None, text: str) -> datetime:
    """The instant of a time on a zone's clocks."""
    before = _in_utc(written.replace(tzinfo=zone, fold=0), text)
    after = _in_utc(written.replace(tzinfo=zone, fold=1), text)
    if before == after:
        return before
    # Before a change, clocks show more when it turns them back, and less when it skips some time.
    if before > after:
        raise _skipped(written, zone, after, before)
    if which is None:
        first, second = (_offset(_local(instant, zone)) for instant in (before, after))
        raise InvalidInput(
            f"{_clock(written)} comes twice in {zone.key}, because the clocks are turned back: "
            f"first at {first}, then at {second}.",
            hint="Say 'first' or 'second'.",
        )
    return before if which == "first" else after


def _skipped(written: datetime, zone: ZoneInfo, low: datetime, high: datetime) -> InvalidInput:
    """The refusal of a time that no clock shows; the change lies after ``low``, by ``high``."""
    start = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        if middle.astimezone(zone).utcoffset() == start:
            low = middle
        else:
            high = middle
    change = high.replace(microsecond=0)
    last = _clock(_local(change - timedelta(minutes=1), zone))
    following = _clock(_local(change, zone))
    return InvalidInput(
        f"There is no {_clock(written)} in {zone.key}: the clocks are put forward from {last} "
        f"to {following}.",
        hint=f"Use {last} or {following}.",
    )


def _in_utc(moment: datetime, text: str) -> datetime:
    try:
        instant = moment.astimezone(UTC)
    except OverflowError as error:
        raise _out_of_range(text) from error
    if instant.year < _FIRST_YEAR:
        raise _out_of_range(text)
    return instant


def _out_of_range(text: str) -> InvalidInput:
    return InvalidInput(
        f"{text.strip()[:80]!r} is outside the years {_FIRST_YEAR} to 9999.", hint=_FORM
    )


def _local(instant: datetime, zone: ZoneInfo) -> datetime:
    try:
        return instant.astimezone(zone)
    except OverflowError as error:
        raise _out_of_range(_clock(instant)) from error


def _clock(moment: datetime) -> str:
    """Date and time, as precise as they must be."""
    precision = "seconds" if moment.second else "minutes"
    if moment.microsecond:
        precision = "microseconds"
    return moment.replace(tzinfo=None).isoformat(" ", precision)


def _offset(moment: datetime) -> str:
    return timezone(moment.utcoffset() or timedelta()).tzname(None)
