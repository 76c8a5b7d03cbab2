"""Themes: a folder of templates and assets with a manifest, loaded once and kept."""

from __future__ import annotations

import hashlib
import mimetypes
import re
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateError
from markupsafe import Markup

from mosaic_core.errors import ConfigurationError, NotFound
from mosaic_core.hooks import ThemeFolder
from mosaic_core.plugins import Plugins

_BUILT_IN = Path(__file__).parent / "themes"
_SLOT = re.compile("\x02([a-z_]+)\x03")
_CSS_URL = re.compile(r"""url\(\s*["']?([\w.-]+)["']?\s*\)""")
#: The slots of a shell, each used once.
SLOTS = ("title", "head", "body_class", "main")
ASSET_PREFIX = "/-/assets/"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of a theme under its hashed name."""

    name: str
    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Shell:
    """Everything around a page: the pieces between the slots, and which slot follows each."""

    pieces: tuple[str, ...]
    slots: tuple[str, ...]

    def around(self, **values: str) -> bytes:
        """The whole document."""
        parts = [self.pieces[0]]
        for slot, piece in zip(self.slots, self.pieces[1:], strict=True):
            parts += (values[slot], piece)
        return "".join(parts).encode()


class Theme:
    """A loaded theme. ``revision`` changes with every byte of it.

    Raises:
        ConfigurationError: naming the theme and the file that is wrong.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        try:
            self.manifest = tomllib.loads((folder / "theme.toml").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"The theme {name!r} has no valid theme.toml: {error}."
            ) from error
        self.layouts = frozenset(self.manifest.get("layouts", {}))
        self.assets: dict[str, Asset] = {}
        self._hashed: dict[str, str] = {}
        self._load_assets(folder / "assets")
        self.revision = self._revision(folder)
        self._environment = Environment(
            loader=FileSystemLoader(folder / "templates"),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(date=_date, isodate=_isodate)
        self._templates: dict[str, Template] = {}
        for file in sorted((folder / "templates").glob("*.html")):
            try:
                self._templates[file.stem] = self._environment.get_template(file.name)
            except TemplateError as error:
                raise ConfigurationError(
                    f"The theme {name!r} has a faulty template {file.name}: {error}."
                ) from error

    def asset(self, name: str) -> str:
        """The address of an asset, with a hash of its content in it.

        Raises:
            NotFound: the theme has no such asset.
        """
        if name not in self._hashed:
            raise NotFound(f"The theme {self.name!r} has no asset {name!r}.")
        return ASSET_PREFIX + self._hashed[name]

    def settings(self, given: dict[str, Any]) -> dict[str, Any]:
        """A site's settings for this theme, completed; a choice that is none gets the default."""
        settings = {}
        for key, known in self.manifest.get("settings", {}).items():
            value = given.get(key)
            settings[key] = value if value in known["choices"] else known["default"]
        return settings

    def render(self, template: str, **context: Any) -> str:
        """What goes into the main slot, from the template of a layout."""
        return self._templates[template].render(**context)

    def shell(self, **context: Any) -> Shell:
        """The shell for one state of a site."""
        text = self._templates["shell"].render(asset=self.asset, slot=_slot, **context)
        pieces = _SLOT.split(text)
        slots = tuple(pieces[1::2])
        if sorted(slots) != sorted(SLOTS):
            raise ConfigurationError(
                f"The shell of the theme {self.name!r} must use each of the slots "
                f"{', '.join(SLOTS)} once; it uses {', '.join(slots) or 'none'}."
            )
        return Shell(tuple(pieces[0::2]), slots)

    def _load_assets(self, folder: Path) -> None:
        files = {file.name: file.read_bytes() for file in sorted(folder.glob("*.*"))}
        # Style sheets last: they name other assets by their hashed names.
        for name in sorted(files, key=lambda name: (name.endswith(".css"), name)):
            content = files[name]
            if name.endswith(".css"):
                content = _CSS_URL.sub(self._rewritten, content.decode("utf-8")).encode()
            digest = hashlib.sha256(content).hexdigest()[:12]
            stem, _, suffix = name.rpartition(".")
            hashed = f"{stem}-{digest}.{suffix}"
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            if kind.startswith("text/") or kind.endswith("javascript"):
                kind += "; charset=utf-8"
            self._hashed[name] = hashed
            self.assets[hashed] = Asset(hashed, content, kind)

    def _rewritten(self, match: re.Match[str]) -> str:
        name = match.group(1)
        return f'url("{self._hashed[name]}")' if name in self._hashed else match.group(0)

    @staticmethod
    def _revision(folder: Path) -> str:
        digest = hashlib.sha256()
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
                digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()[:16]


class Themes:
    """Every theme that sites can choose: those that ship, and the plugins'."""

    def __init__(self, plugins: Plugins) -> None:
        folders = [ThemeFolder("iznik", _BUILT_IN / "iznik")]
        folders += [offer.value for offer in plugins.offers("mosaic_themes")]
        self._themes = {folder.name: Theme(folder.name, folder.path) for folder in folders}
        self.assets = {
            name: asset for theme in self._themes.values() for name, asset in theme.assets.items()
        }

    def get(self, name: str) -> Theme:
        """The theme of this name, or the first one that ships, so that a page is always served."""
        return self._themes.get(name) or self._themes["iznik"]

    def __contains__(self, name: str) -> bool:
        return name in self._themes


def _slot(name: str) -> Markup:
    """A mark that no text can contain, at which the shell is split."""
    return Markup("\x02{}\x03").format(name)


def _date(value: datetime | None) -> str:
    return f"{value.day} {value:%B %Y}" if value is not None else ""


def _isodate(value: datetime | None) -> str:
    return value.date().isoformat() if value is not None else ""
