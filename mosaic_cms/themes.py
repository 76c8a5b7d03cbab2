"""Themes: a folder of templates and assets with a manifest, loaded once and kept."""

from __future__ import annotations

import hashlib
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from jinja2 import (
    ChoiceLoader,
    DictLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
)
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.templating import block_templates
from mosaic_cms.pictures.picture import ROOM
from mosaic_cms.pictures.tag import image, image_url
from mosaic_cms.theme_assets import ASSET_PREFIX, Asset, Assets
from mosaic_cms.theme_filters import FILTERS
from mosaic_core.errors import ConfigurationError, NotFound, PluginConflict
from mosaic_core.hooks import ThemeFolder
from mosaic_core.plugins import Plugins
from mosaic_core.settings import problems

_BUILT_IN = Path(__file__).parent / "themes"
#: Templates that every theme may use as if they were its own: the words in each language.
_SHARED = _BUILT_IN / "_shared"
#: Stands for the slots while a shell is made. Nobody outside can write it into a title.
_MARK = secrets.token_hex(16)
_SLOT = re.compile(_MARK + "([a-z_]+);")
#: The slots of a shell, each used once.
SLOTS = ("title", "head", "body_class", "main")
#: Templates that every theme has beside those of its layouts.
_TEMPLATES = ("shell", "404", "500")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Layout(_Part):
    """What a page can look like; its template has the layout's name."""

    title: str
    regions: tuple[str, ...] = ("main",)


class Setting(_Part):
    """Something that a site chooses."""

    title: str
    choices: tuple[str, ...]
    default: str

    @model_validator(mode="after")
    def _default_is_a_choice(self) -> Self:
        if self.default not in self.choices:
            raise ValueError(f"the default {self.default!r} is none of the choices")
        return self


class Manifest(_Part):
    """``theme.toml``."""

    name: str
    title: str
    version: str
    description: str = ""
    author: str = ""
    #: How wide a picture in a text is at most, in CSS pixels.
    picture_width: Annotated[int, Field(ge=1, le=10_000)] = ROOM
    layouts: dict[str, Layout]
    settings: dict[str, Setting] = {}

    @model_validator(mode="after")
    def _has_a_page(self) -> Self:
        if "page" not in self.layouts:
            raise ValueError("there must be a layout 'page', which stands in for those missing")
        return self


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
    """A loaded theme. ``revision`` changes with every byte of it, and of the blocks' templates.

    ``blocks`` are the templates of block types by name (``blocks/quote``); the theme's own
    ``templates/blocks/quote.html`` comes before them.

    Raises:
        ConfigurationError: naming the theme, or the block type, and the file that is wrong.
    """

    def __init__(self, name: str, folder: Path, blocks: Mapping[str, str]) -> None:
        self.name = name
        self.manifest = self._read_manifest(folder / "theme.toml")
        self.layouts = frozenset(self.manifest.layouts)
        self._assets = self._load_assets(folder / "assets")
        self._blocks = blocks
        self._own = frozenset(
            file.relative_to(folder / "templates").with_suffix("").as_posix()
            for pattern in ("*.html", "blocks/*.html")
            for file in (folder / "templates").glob(pattern)
        )
        self.revision = self._revision(folder)
        self._templates = self._load_templates(folder / "templates")
        self.shell(menu=[], footer_menu=[], side_menu=[], site=self._specimen())

    def asset(self, name: str) -> str:
        """The address of an asset, with a hash of its content in it.

        Raises:
            NotFound: the theme has no such asset.
        """
        if name not in self._assets.names:
            raise NotFound(f"The theme {self.name!r} has no asset {name!r}.")
        return ASSET_PREFIX + self._assets.names[name]

    @property
    def assets(self) -> Mapping[str, Asset]:
        """Its assets by their hashed names."""
        return self._assets.files

    def settings(self, given: dict[str, Any]) -> dict[str, Any]:
        """A site's settings for this theme, completed; a choice that is none gets the default."""
        return {
            key: given[key] if given.get(key) in setting.choices else setting.default
            for key, setting in self.manifest.settings.items()
        }

    def render(self, template: str, **context: Any) -> str:
        """What goes into the main slot, from the template of a layout; or one block.

        Raises:
            ConfigurationError: the template fails; it names the theme and the file.
        """
        try:
            return self._templates[template].render(**context)
        except Exception as error:
            raise self._faulty_template(template, error) from error

    def shell(self, **context: Any) -> Shell:
        """The shell for one state of a site."""
        text = self.render("shell", asset=self.asset, slot=_slot, **context)
        pieces = _SLOT.split(text)
        slots = tuple(pieces[1::2])
        if sorted(slots) != sorted(SLOTS):
            raise ConfigurationError(
                f"The theme {self.name!r} has a faulty templates/shell.html: it must use each of "
                f"the slots {', '.join(SLOTS)} once; it uses {', '.join(slots) or 'none'}."
            )
        return Shell(tuple(pieces[0::2]), slots)

    def _faulty(self, file: str, error: object) -> ConfigurationError:
        why = str(error).rstrip(".")
        return ConfigurationError(f"The theme {self.name!r} has a faulty {file}: {why}.")

    def _faulty_template(self, template: str, error: object) -> ConfigurationError:
        if template in self._own or template not in self._blocks:
            return self._faulty(f"templates/{template}.html", error)
        kind, why = template.removeprefix("blocks/"), str(error).rstrip(".")
        return ConfigurationError(
            f"The block type {kind!r} has a faulty template {kind}.html: {why}."
        )

    def _read_manifest(self, file: Path) -> Manifest:
        try:
            return Manifest.model_validate(tomllib.loads(file.read_text("utf-8")))
        except ValidationError as error:
            told = problems(error, "theme.toml", Manifest)
            raise ConfigurationError(f"The theme {self.name!r}: {told}") from error
        except (OSError, ValueError) as error:
            raise self._faulty(file.name, error) from error

    def _load_templates(self, folder: Path) -> dict[str, Template]:
        environment = Environment(
            loader=ChoiceLoader(
                [
                    FileSystemLoader(folder),
                    FileSystemLoader(_SHARED),
                    DictLoader({f"{name}.html": text for name, text in self._blocks.items()}),
                ]
            ),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(FILTERS)
        environment.globals.update(image=image, image_url=image_url)
        templates = {}
        for name in sorted(self._own.union(self.layouts, _TEMPLATES, self._blocks)):
            try:
                templates[name] = environment.get_template(f"{name}.html")
            except TemplateNotFound as error:
                raise ConfigurationError(
                    f"The theme {self.name!r} has no templates/{error.name}.",
                    hint="Every layout of theme.toml has one, and there are shell, 404 and 500.",
                ) from error
            except (TemplateError, ValueError) as error:
                raise self._faulty_template(name, error) from error
        return templates

    def _load_assets(self, folder: Path) -> Assets:
        try:
            return Assets(folder)
        except ValueError as error:
            name, why = error.args
            raise self._faulty(f"assets/{name}", why) from error

    def _specimen(self) -> dict[str, Any]:
        """A site with which a shell is tried when the theme is loaded."""
        return {
            "title": "Title",
            "tagline": "Tagline",
            "language": "en",
            "root": "/",
            "languages": [{"tag": "en", "url": "/", "active": True}],
            "direction": "ltr",
            "branding": True,
            "footer": Markup("<p>Footer</p>"),
            **self.settings({}),
        }

    def _revision(self, folder: Path) -> str:
        digest = hashlib.sha256()
        for name, text in sorted(self._blocks.items()):
            digest.update(name.encode() + b"\0" + hashlib.sha256(text.encode()).digest())
        for base in (_SHARED, folder):
            for file in sorted(base.rglob("*")):
                if file.is_file():
                    digest.update(file.relative_to(base).as_posix().encode() + b"\0")
                    digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()[:16]


class Themes:
    """Every theme that sites can choose: those that ship, and the plugins'."""

    def __init__(self, plugins: Plugins, types: BlockTypes) -> None:
        found = {
            "iznik": ("MOSAIC itself", _BUILT_IN / "iznik"),
            "folio": ("MOSAIC itself", _BUILT_IN / "folio"),
            "harbour": ("MOSAIC itself", _BUILT_IN / "harbour"),
        }
        for offer in plugins.offers("mosaic_themes"):
            folder: ThemeFolder = offer.value
            if folder.name in found:
                raise PluginConflict(
                    f"Two themes are named {folder.name!r}: from {found[folder.name][0]} and from "
                    f"{offer.plugin.origin}.",
                    hint="Select one of the two plugins in [platform] plugins.",
                )
            found[folder.name] = (offer.plugin.origin, folder.path)
        blocks = block_templates(types)
        self._themes = {name: Theme(name, path, blocks) for name, (_, path) in found.items()}
        self.assets = {
            name: asset for theme in self._themes.values() for name, asset in theme.assets.items()
        }

    def get(self, name: str) -> Theme:
        """The theme of this name, or the first one that ships, so that a page is always served."""
        return self._themes.get(name) or self._themes["iznik"]

    def __contains__(self, name: str) -> bool:
        return name in self._themes


def _slot(name: str) -> Markup:
    """A mark at which the shell is split."""
    return Markup("{}{};").format(_MARK, name)
