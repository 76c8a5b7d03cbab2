"""``site.toml``: what a site is called, how it looks, its menus and redirects."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from mosaic_cms.content.paths import normalise_path
from mosaic_cms.media.names import check_folder, check_tags
from mosaic_core.errors import InvalidInput

T = TypeVar("T")
_MAX_BYTES = 1_000_000
#: What is not said to ``sites.configure`` as it stands.
_ELSEWHERE = {"palette", "motif", "settings", "menu", "footer_menu", "menus", "media"}
_HINT = "Mend the file, then try again."


def _path(value: str) -> str:
    if normalise_path(value) is None:
        raise ValueError("an address begins with a slash, such as '/visit/'")
    return value


def _target(value: str) -> str:
    return value if value.startswith(("https://", "http://")) else _path(value)


_Text = Annotated[str, Field(pattern=r"^[^\x00-\x08\x0b-\x1f]*$")]
_Title = Annotated[_Text, Field(min_length=1, max_length=300)]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class MenuEntry(_Part):
    """An entry of a menu."""

    title: Annotated[_Text, Field(min_length=1, max_length=100)]
    path: Annotated[str, AfterValidator(_path)]


class RedirectEntry(_Part):
    """An old address (``from`` in the file) and the path or URL it leads to."""

    source: Annotated[str, Field(alias="from"), AfterValidator(_path)]
    target: Annotated[str, Field(alias="to"), AfterValidator(_target)]


class Entry(_Part):
    """An entry of any menu: ``target`` is a path, perhaps with a ``#fragment``, or an address."""

    title: Annotated[_Text, Field(min_length=1, max_length=100)]
    target: Annotated[str, Field(min_length=1, max_length=2_000)]
    items: list[Entry] = []


class MenuDescription(_Part):
    """A whole menu, in one language; without one, in the site's own."""

    place: Literal["header", "footer", "side"]
    language: str | None = None
    entries: list[Entry] = []


class FileEntry(_Part):
    """What is said of a file of the folder. ``focal`` is the point that matters in a picture, in
    percent from its left and its top."""

    file: Annotated[str, Field(min_length=1, max_length=500)]
    alt: Annotated[_Text, Field(max_length=1000)] = ""
    caption: Annotated[_Text, Field(max_length=2000)] = ""
    credit: Annotated[_Text, Field(max_length=500)] = ""
    folder: Annotated[_Text, Field(max_length=300)] = ""
    tags: Annotated[list[Annotated[_Text, Field(max_length=60)]], Field(max_length=50)] = []
    focal: Annotated[list[Annotated[int, Field(ge=0, le=100)]], Field(max_length=2)] = []

    @field_validator("folder")
    @classmethod
    def _a_folder(cls, folder: str) -> str:
        return _fitting(check_folder, folder)

    @field_validator("tags")
    @classmethod
    def _proper_tags(cls, tags: list[str]) -> list[str]:
        return _fitting(check_tags, tags)

    def facts(self) -> dict[str, Any]:
        """The same as the library keeps it."""
        x, y = self.focal if len(self.focal) == 2 else (None, None)
        said = {"alt": self.alt, "caption": self.caption, "credit": self.credit}
        return {**said, "folder": self.folder, "tags": self.tags, "focal_x": x, "focal_y": y}


def _fitting(check: Callable[[T], T], value: T) -> T:
    try:
        return check(value)
    except InvalidInput as error:
        raise ValueError(error.message) from error


class SiteFile(_Part):
    """A site's description. Only the title must be there."""

    title: _Title
    tagline: Annotated[_Text, Field(max_length=500)] = ""
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    theme: _Name = "iznik"
    palette: _Name | None = None
    motif: _Name | None = None
    footer: Annotated[_Text, Field(max_length=10_000)] = ""
    menu: list[MenuEntry] = []
    footer_menu: list[MenuEntry] = []
    redirects: list[RedirectEntry] = []
    languages: list[str] | None = None
    time_zone: str | None = None
    #: Those of ``palette`` and ``motif``, or any others.
    settings: dict[str, str] = {}
    menus: list[MenuDescription] = []
    #: Who may read over the API what is published, and whose pages a browser lets do so.
    api_public: bool | None = None
    api_origins: list[str] | None = None
    media: list[FileEntry] = []

    def theme_settings(self) -> dict[str, str]:
        """The theme's own settings, those that the file names."""
        settings = {"palette": self.palette, "motif": self.motif}
        return self.settings | {k: value for k, value in settings.items() if value is not None}

    def configuration(self) -> dict[str, Any]:
        """The input of the action ``sites.configure``."""
        return {
            **self.model_dump(exclude=_ELSEWHERE, exclude_none=True),
            "theme_settings": self.theme_settings(),
        }


def read_site_file(path: Path) -> SiteFile:
    """Reads ``site.toml``.

    Raises:
        InvalidInput: naming the file and, in ``problems``, every key that does not fit.
    """
    try:
        data = path.read_bytes()
        if len(data) > _MAX_BYTES:
            raise InvalidInput(f"{path} has {len(data):,} bytes; {_MAX_BYTES:,} fit.", hint=_HINT)
        return SiteFile.model_validate(tomllib.loads(data.decode("utf-8-sig")))
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}.", hint="Every site has a site.toml."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 (byte {error.start}).", hint=_HINT) from error
    except ValidationError as error:
        problems = tuple(
            (f"{path.name}: {_key(found['loc'])}", _what(found["type"], found["msg"]))
            for found in error.errors()
        )
        told = "; ".join(f"{where.partition(': ')[2]}: {what}" for where, what in problems)
        raise InvalidInput(
            f"{path} does not fit: {told}.", hint=_HINT, problems=problems
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is not TOML: {error}.", hint=_HINT) from error


def _what(kind: str, message: str) -> str:
    plain = {"missing": "is missing", "extra_forbidden": "is not a known key"}
    return plain.get(kind, message.removeprefix("Value error, "))


def _key(location: tuple[int | str, ...]) -> str:
    """``("menu", 1, "path")`` as ``menu[2].path``: entries are counted from one."""
    parts = (f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).lstrip(".") or "the file"
