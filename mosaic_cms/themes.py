"""Themes: a folder of templates and assets with a manifest, loaded once and kept."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Template, TemplateError, TemplateNotFound
from markupsafe import Markup
from pydantic import ValidationError

from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.templating import block_templates
from mosaic_cms.theme_assets import ASSET_PREFIX, Asset, Assets
from mosaic_cms.theme_files import Folder, digest_of, files_in, pack, shared_templates
from mosaic_cms.theme_manifest import Manifest
from mosaic_cms.theme_templates import CompiledOnce, environment, sandbox
from mosaic_core.errors import ConfigurationError, NotFound, PluginConflict
from mosaic_core.hooks import ThemeFolder
from mosaic_core.plugins import Plugins
from mosaic_core.settings_problems import problems

#: The file of the data folder that says which themes were found to be whole.
THEMES_CHECKED = "themes.checked"
_BUILT_IN = Path(__file__).parent / "themes"
#: Stands for the slots while a shell is made. Nobody outside can write it into a title.
_MARK = secrets.token_hex(16)
_SLOT = re.compile(_MARK + "([a-z_]+);")
#: A theme's own template: its name is what is in the group.
_TEMPLATE = re.compile(r"templates/((?:blocks/)?[^/]+)\.html")
#: The slots of a shell, each used once.
SLOTS = ("title", "head", "body_class", "main")
#: Of a kept theme: by which name its templates ask for each asset.
_NAMES = "assets.json"
#: Templates that every theme has beside those of its layouts.
_TEMPLATES = ("shell", "404", "500")


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
    """A loaded theme. ``revision`` changes with every byte of it, and of the templates that all
    themes may use.

    ``common`` are the latter, by name: those of block types (``blocks/quote``), and what ships for
    every theme, style sheets (``assets/base.css``) among them. A theme's own
    ``templates/blocks/quote.html`` comes before them.

    A template is compiled when it is asked for the first time; :meth:`check` asks for all of them.
    A theme that is ``kept``, at a revision, was loaded once by another version of the deployment,
    and its folder is what :meth:`kept_files` was there: its assets have the very names that pages
    ask for. Its templates can do nothing but write text: they come from a database. What themes
    have in common is ``compiled`` once for all that are given the same.

    Raises:
        ConfigurationError: naming the theme, or the block type, and the file that is wrong.
    """

    def __init__(
        self,
        name: str,
        folder: Folder,
        common: Mapping[str, str],
        *,
        kept: str = "",
        compiled: CompiledOnce | None = None,
    ) -> None:
        self.name = name
        self.common = common if kept else {**shared_templates(), **common}
        self.files = files_in(folder)
        self.manifest = self._read_manifest()
        self.layouts = frozenset(self.manifest.layouts)
        self._assets = self._kept_assets() if kept else self._load_assets()
        self._own = frozenset(
            match.group(1) for path in self.files if (match := _TEMPLATE.fullmatch(path))
        )
        self.revision = kept or digest_of(self.files, self.common)
        self._environment = (
            sandbox(self._source) if kept else environment(self._source, compiled or CompiledOnce())
        )
        self._templates: dict[str, Template] = {}

    def check(self) -> None:
        """Compiles every template, and tries the shell: about a tenth of a second.

        Raises:
            ConfigurationError: naming the theme, or the block type, and the file that is wrong.
        """
        shared = {name for name in self.common if not name.startswith("assets/")}
        for template in sorted(self._own.union(self.layouts, _TEMPLATES, shared)):
            self._template(template)
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

    def kept_files(self) -> dict[str, bytes]:
        """All that it takes to load it again as a kept theme, but the common templates."""
        own = {x: content for x, content in self.files.items() if not x.startswith("assets/")}
        made = {f"assets/{name}": asset.content for name, asset in self.assets.items()}
        return own | made | {_NAMES: json.dumps(self._assets.names).encode()}

    def settings(self, given: dict[str, Any]) -> dict[str, Any]:
        """A site's settings for this theme, completed; a choice that is none gets the default."""
        return {
            key: given[key] if given.get(key) in setting.choices else setting.default
            for key, setting in self.manifest.settings.items()
        }

    def no_settings(self, given: Mapping[str, str]) -> dict[str, str]:
        """Those of some settings that this theme does not have: each with what there is instead."""
        known, told = self.manifest.settings, {}
        for key, value in given.items():
            if key not in known:
                there = f"it has {', '.join(sorted(known))}" if known else "it has none"
                told[key] = f"the theme {self.name!r} has no setting {key[:63]!r}; {there}"
            elif value not in known[key].choices:
                choices = ", ".join(known[key].choices)
                told[key] = f"{key} cannot be {value[:63]!r}; choose one of {choices}"
        return told

    def render(self, template: str, **context: Any) -> str:
        """What goes into the main slot, from the template of a layout; or one block.

        Raises:
            ConfigurationError: the template fails; it names the theme and the file.
        """
        try:
            return self._template(template).render(**context)
        except ConfigurationError:
            raise
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
        if template in self._own or not template.startswith("blocks/"):
            return self._faulty(f"templates/{template}.html", error)
        kind, why = template.removeprefix("blocks/"), str(error).rstrip(".")
        return ConfigurationError(
            f"The block type {kind!r} has a faulty template {kind}.html: {why}."
        )

    def _read_manifest(self) -> Manifest:
        content = self.files.get("theme.toml")
        if content is None:
            raise self._faulty("theme.toml", "it is not there")
        try:
            return Manifest.model_validate(tomllib.loads(content.decode()))
        except ValidationError as error:
            told = problems(error, "theme.toml", Manifest)
            raise ConfigurationError(f"The theme {self.name!r}: {told}") from error
        except ValueError as error:
            raise self._faulty("theme.toml", error) from error

    def _source(self, file: str) -> str | None:
        content = self.files.get(f"templates/{file}")
        return self.common.get(file.removesuffix(".html")) if content is None else content.decode()

    def _template(self, name: str) -> Template:
        template = self._templates.get(name)
        if template is None:
            template = self._templates[name] = self._compiled(name)
        return template

    def _compiled(self, name: str) -> Template:
        try:
            template = self._environment.get_template(f"{name}.html")
            # Jinja looks through two layers for each of them, each time; these do not change.
            template.globals = dict(template.globals)
            return template
        except TemplateNotFound as error:
            raise ConfigurationError(
                f"The theme {self.name!r} has no templates/{error.name}.",
                hint="Every layout of theme.toml has one, and there are shell, 404 and 500.",
            ) from error
        except (TemplateError, ValueError) as error:
            raise self._faulty_template(name, error) from error

    def _load_assets(self) -> Assets:
        try:
            return Assets(self._files_below("assets/"), self._shared_assets())
        except ValueError as error:
            name, why = error.args
            raise self._faulty(f"assets/{name}", why) from error

    def _kept_assets(self) -> Assets:
        try:
            return Assets.kept(json.loads(self.files[_NAMES]), self._files_below("assets/"))
        except (KeyError, ValueError) as error:
            raise self._faulty(_NAMES, error) from error

    def _files_below(self, folder: str) -> dict[str, bytes]:
        return {
            path.removeprefix(folder): content
            for path, content in self.files.items()
            if path.startswith(folder)
        }

    def _shared_assets(self) -> dict[str, bytes]:
        return {
            name.removeprefix("assets/"): text.encode()
            for name, text in self.common.items()
            if name.startswith("assets/")
        }

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
        blocks, compiled = block_templates(types), CompiledOnce()
        self._themes = {
            name: Theme(name, path, blocks, compiled=compiled) for name, (_, path) in found.items()
        }
        self.assets = {
            name: asset for theme in self._themes.values() for name, asset in theme.assets.items()
        }

    def check(self, noted: Path | None = None) -> None:
        """Checks each (see :meth:`Theme.check`), so that no visitor is the first to find a fault.

        Args:
            noted: a file that says which themes were found to be whole before. The very same are
                not checked again: their templates are compiled when they are needed.
        """
        versions = (version(name) for name in ("mosaic-cms", "jinja2"))
        whole = " ".join((self.key, *versions))
        if noted is not None and noted.is_file() and noted.read_bytes() == whole.encode():
            return
        for theme in self._themes.values():
            theme.check()
        if noted is not None:
            with suppress(OSError):  # where nothing can be noted, it is checked each time
                noted.write_bytes(whole.encode())

    def get(self, name: str) -> Theme:
        """The theme of this name, or the first one that ships, so that a page is always served."""
        return self._themes.get(name) or self._themes["iznik"]

    def __contains__(self, name: str) -> bool:
        return name in self._themes

    @property
    def revisions(self) -> dict[str, str]:
        """The state of each theme, by its name."""
        return {name: theme.revision for name, theme in sorted(self._themes.items())}

    @cached_property
    def key(self) -> str:
        """Another one with every byte of any theme."""
        return hashlib.sha256(repr(self.revisions).encode()).hexdigest()[:16]

    def packed(self) -> bytes:
        """All of them as one object, from which each can be loaded again."""
        common = next(iter(self._themes.values())).common
        templates = {name: text for name, text in common.items() if not name.startswith("assets/")}
        files = {name: theme.kept_files() for name, theme in self._themes.items()}
        return pack(files, templates)


def _slot(name: str) -> Markup:
    """A mark at which the shell is split."""
    return Markup("{}{};").format(_MARK, name)
