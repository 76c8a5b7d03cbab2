"""``mosaic plugin new``: a plugin distribution that works, is typed and tested, to start from.

The templates beside this module are whole files; ``PACKAGE`` in a path and ``$name`` and its like
in a text are replaced.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from string import Template
from typing import Literal, get_args

from mosaic_core.errors import ConfigurationError, Conflict, InvalidInput
from mosaic_core.plugins import installed
from mosaic_core.settings_problems import nearest

Kind = Literal["resolver", "storage", "tables"]

_TEMPLATES = Path(__file__).parent / "templates"
_SUFFIX = ".template"
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*\Z")
_MOST = 40
#: The same of one with tables, since its migrations are named after it.
_MOST_WITH_TABLES = 27
#: ``mosaic_core`` and ``mosaic_cms`` are ours.
_RESERVED = frozenset({"core", "cms"})


def write_plugin(name: str, kind: Kind, folder: Path) -> list[Path]:
    """Makes the folder ``name`` inside ``folder``, all of it or nothing, and returns its files.

    Raises:
        InvalidInput: the name or the kind cannot be used, and what could.
        Conflict: the folder is there already, or a plugin of this name is installed.
        ConfigurationError: the folder cannot be written.
    """
    _check(name, kind)
    target = folder / name
    if target.exists() or target.is_symlink():
        raise Conflict(
            f"{target} is there already.", hint="Choose another name or folder, or remove it."
        )
    words = {
        "name": name,
        "package": f"mosaic_{name}",
        "distribution": f"mosaic-{name.replace('_', '-')}",
        "title": name.replace("_", " ").capitalize(),
        "class_name": "".join(part.capitalize() for part in name.split("_")),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as draft:
            made = Path(draft, name)
            files = [path for part in ("common", kind) for path in _fill(part, words, made)]
            made.rename(target)
    except OSError as error:
        raise ConfigurationError(
            f"{target} cannot be made: {error.strerror}.", hint="Choose another folder."
        ) from error
    return sorted(target / path for path in files)


def _check(name: str, kind: str) -> None:
    if kind not in get_args(Kind):
        raise InvalidInput(f"There is no kind of plugin {kind!r}{nearest(kind, get_args(Kind))}")
    most = _MOST_WITH_TABLES if kind == "tables" else _MOST
    if not _NAME.match(name) or len(name) > most or name.startswith("mosaic_"):
        raise InvalidInput(
            f"{name[:80]!r} cannot be a plugin's name.",
            hint=f"Use up to {most} lower-case letters and digits with single underscores, "
            f"without 'mosaic', such as {_suggestion(name, kind)!r}.",
        )
    if name in _RESERVED:
        raise InvalidInput(f"mosaic_{name} is MOSAIC's own.", hint="Choose another name.")
    known = installed().get(name)
    if known is not None:
        raise Conflict(
            f"The plugin {name!r} is installed already, from {known.origin}.",
            hint="Choose another name.",
        )


def _suggestion(name: str, kind: str) -> str:
    """A name like the given one that can be used, or an example."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    meant = "_".join(words)[:_MOST].removeprefix("mosaic_").rstrip("_")
    return meant if _NAME.match(meant) and meant not in _RESERVED else f"{kind}_attic"


def _fill(part: str, words: dict[str, str], target: Path) -> list[Path]:
    """Writes one set of templates below ``target``; returns the paths, relative to it."""
    made = []
    for template in sorted((_TEMPLATES / part).rglob(f"*{_SUFFIX}")):
        relative = template.relative_to(_TEMPLATES / part).as_posix().removesuffix(_SUFFIX)
        path = Path(relative.replace("PACKAGE", words["package"]))
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        text = Template(template.read_text("utf-8")).substitute(words)
        (target / path).write_text(text, "utf-8")
        made.append(path)
    return made
