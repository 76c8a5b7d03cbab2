"""Whose players and maps a page may name, and the address of each that keeps visitors private.

Nothing here is fetched: a page shows a card with a link, and no request leaves the site before a
visitor follows it. ``embed`` is for a portal or theme that asks for consent by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Embedded:
    """What an address of a provider stands for.

    Attributes:
        provider: its name, for people.
        kind: ``video``, ``audio``, ``map`` or ``code``.
        url: where a visitor sees it at the provider's own.
        embed: the address for a frame, the one that tracks least.
    """

    provider: str
    kind: str
    url: str
    embed: str


@dataclass(frozen=True, slots=True)
class _Provider:
    name: str
    kind: str
    pattern: re.Pattern[str]
    url: Callable[[re.Match[str]], str]
    embed: Callable[[re.Match[str]], str]


def embedded(address: str) -> Embedded | None:
    """What an address is of, or None when no provider here has such addresses."""
    for provider in _PROVIDERS:
        if found := provider.pattern.fullmatch(address):
            return Embedded(
                provider.name, provider.kind, provider.url(found), provider.embed(found)
            )
    return None


def provider_names(kind: str | None = None) -> tuple[str, ...]:
    """The names of the providers, or of those of one kind."""
    return tuple(p.name for p in _PROVIDERS if kind is None or p.kind == kind)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(rf"https?://{text}", re.ASCII)


def _around(found: re.Match[str]) -> str:
    """The edges of what a map shows: west, south, east, north, in degrees."""
    zoom, lat, lon = min(int(found["zoom"]), 19), float(found["lat"]), float(found["lon"])
    lat, lon = max(-85.0, min(85.0, lat)), max(-180.0, min(180.0, lon))
    wide, high = 360 / 2**zoom, 180 / 2**zoom
    edges = ",".join(
        f"{edge:.5f}"
        for edge in (lon - wide, max(lat - high, -85), lon + wide, min(lat + high, 85))
    )
    return f"https://www.openstreetmap.org/export/embed.html?bbox={quote(edges)}&layer=mapnik"


_PROVIDERS = (
    _Provider(
        "YouTube",
        "video",
        _pattern(
            r"(?:(?:www\.|m\.)?youtube\.com/(?:watch\?(?:[\w.=&%-]*&)?v=|shorts/|live/|embed/)"
            r"|youtu\.be/|www\.youtube-nocookie\.com/embed/)(?P<id>[\w-]{11})(?:[?&#][^\s]*)?"
        ),
        lambda found: f"https://www.youtube.com/watch?v={found['id']}",
        lambda found: f"https://www.youtube-nocookie.com/embed/{found['id']}",
    ),
    _Provider(
        "Vimeo",
        "video",
        _pattern(
            r"(?:www\.)?(?:vimeo\.com|player\.vimeo\.com/video)/(?P<id>\d{1,12})(?:[/?#][^\s]*)?"
        ),
        lambda found: f"https://vimeo.com/{found['id']}",
        lambda found: f"https://player.vimeo.com/video/{found['id']}?dnt=1",
    ),
    _Provider(
        "OpenStreetMap",
        "map",
        _pattern(
            r"(?:www\.)?openstreetmap\.org/[\w/]{0,60}(?:\?[\w.=&-]*)?"
            r"#map=(?P<zoom>\d{1,2})/(?P<lat>-?\d{1,2}(?:\.\d{1,8})?)/(?P<lon>-?\d{1,3}(?:\.\d{1,8})?)"
            r"(?:&[\w=&-]*)?"
        ),
        lambda found: (
            f"https://www.openstreetmap.org/#map={found['zoom']}/{found['lat']}/{found['lon']}"
        ),
        _around,
    ),
    _Provider(
        "Spotify",
        "audio",
        _pattern(
            r"open\.spotify\.com/(?:intl-[a-z]{2}/)?(?:embed/)?"
            r"(?P<what>track|album|playlist|episode|show|artist)/(?P<id>[A-Za-z0-9]{22})(?:\?[^\s]*)?"
        ),
        lambda found: f"https://open.spotify.com/{found['what']}/{found['id']}",
        lambda found: f"https://open.spotify.com/embed/{found['what']}/{found['id']}",
    ),
    _Provider(
        "SoundCloud",
        "audio",
        _pattern(r"(?:www\.|m\.)?soundcloud\.com/(?P<id>[\w-]+(?:/sets)?/[\w-]+)(?:\?[^\s]*)?"),
        lambda found: f"https://soundcloud.com/{found['id']}",
        lambda found: (
            "https://w.soundcloud.com/player/?url="
            + quote(f"https://soundcloud.com/{found['id']}", safe="")
        ),
    ),
    _Provider(
        "CodePen",
        "code",
        _pattern(
            r"codepen\.io/(?P<who>[\w-]+)/(?:pen|embed|full|details)/(?P<id>\w+)(?:[/?#][^\s]*)?"
        ),
        lambda found: f"https://codepen.io/{found['who']}/pen/{found['id']}",
        lambda found: f"https://codepen.io/{found['who']}/embed/{found['id']}?default-tab=result",
    ),
)
