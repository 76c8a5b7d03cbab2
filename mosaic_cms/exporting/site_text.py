"""``site.toml`` of a site: what :mod:`mosaic_cms.importing.site_file` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mosaic_cms.content.models import Media, Menu, Site
from mosaic_cms.importing.report import Report

_SOURCE = "site.toml"


def site_text(
    site: Site,
    menus: Iterable[Menu],
    redirects: Sequence[tuple[str, str]],
    media: Sequence[tuple[str, Media]],
    paths: Mapping[str, str],
    report: Report,
) -> str:
    """The file. ``paths`` are the pages' by their ids; ``redirects`` are (from, to), ``media`` are
    the files with their rows."""
    lines = [
        f"title = {_value(site.title)}",
        f"tagline = {_value(site.tagline)}",
        f"language = {_value(site.language)}",
        f"languages = {_value(list(site.languages))}",
        f"time_zone = {_value(site.time_zone)}",
        f"theme = {_value(site.theme)}",
        f"footer = {_value(site.footer)}",
        f"settings = {_value(_settings(site, report))}",
    ]
    if site.api:
        lines += [
            f"api_public = {'true' if site.api.get('public') else 'false'}",
            f"api_origins = {_value(list(site.api.get('origins', ())))}",
        ]
    for menu in menus:
        entries = _entries(menu.items, paths, report)
        lines += [
            "",
            "[[menus]]",
            f"place = {_value(menu.place)}",
            f"language = {_value(menu.language)}",
            "entries = [",
            *(f"  {_value(entry)}," for entry in entries),
            "]",
        ]
    for old, new in redirects:
        lines += ["", "[[redirects]]", f"from = {_value(old)}", f"to = {_value(new)}"]
    for source, row in media:
        said = {name: getattr(row, name) for name in ("alt", "caption", "credit", "folder", "tags")}
        said = {name: value for name, value in said.items() if value}
        focal = "" if row.focal_x is None else f"focal = [{row.focal_x}, {row.focal_y}]"
        written = [f"{name} = {_value(value)}" for name, value in said.items()]
        if written or focal:
            lines += ["", "[[media]]", f"file = {_value(source)}", *written]
            lines += [focal] if focal else []
    return "\n".join(lines) + "\n"


def _settings(site: Site, report: Report) -> dict[str, str]:
    kept = {key: value for key, value in site.theme_settings.items() if isinstance(value, str)}
    for key in site.theme_settings.keys() - kept.keys():
        report.problem(_SOURCE, f"the theme's setting {key!r} is no text; left out")
    return kept


def _entries(
    items: Sequence[Mapping[str, Any]], paths: Mapping[str, str], report: Report
) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for item in items:
        below = _entries(item.get("items") or (), paths, report)
        target = str(item["target"])
        if target.startswith("page:"):
            key, mark, fragment = target.removeprefix("page:").partition("#")
            if key not in paths:
                report.note(_SOURCE, f"the entry {item['title']!r} of a menu leads nowhere")
                made += below
                continue
            target = f"{paths[key]}{mark}{fragment}"
        entry = {"title": item["title"], "target": target}
        made.append(entry | ({"items": below} if below else {}))
    return made


def _value(value: Any) -> str:
    """A value in TOML, on one line: text is written as in JSON, which TOML reads."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_value(str(key))} = {_value(item)}" for key, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return f"[{', '.join(_value(item) for item in value)}]"
