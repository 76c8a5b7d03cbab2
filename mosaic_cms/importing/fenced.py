"""Blocks that Markdown cannot say, as fenced blocks: the one place that knows how they look.

::

    ```mosaic hero
    heading: Bread, daily
    text: From six in the morning.
    ```

What stands inside is the block's data, in YAML or in JSON. Blocks inside it are ``type`` and
``data``. A version that is not the first follows the type: ``mosaic hero v2``.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from mosaic_cms.blocks.stored import Stored, is_block
from mosaic_cms.importing.front_matter import BrokenFrontMatter, read_yaml

_INFO = re.compile(r"mosaic[ \t]+([a-z][a-z0-9_]{0,62})(?:[ \t]+v([1-9][0-9]{0,5}))?")
_TICKS = re.compile("`{3,}")
_MAX_DATA = 1_500_000


class BrokenBlock(ValueError):
    """A fenced block that cannot be read; the message says why."""


def is_fenced(info: str) -> bool:
    """Whether a fence with this info is a block of ours."""
    return info.split()[:1] == ["mosaic"]


def read_fenced(info: str, content: str) -> Stored:
    """The block that a fence holds, without an id.

    Raises:
        BrokenBlock: saying what to mend.
    """
    found = _INFO.fullmatch(info.strip())
    if found is None:
        raise BrokenBlock("after 'mosaic' comes the block's type, as in 'mosaic hero'")
    if len(content) > _MAX_DATA:
        raise BrokenBlock("it has too much in it")
    try:
        text = content.strip()
        data = json.loads(text) if text.startswith("{") else read_yaml(content)
    except BrokenFrontMatter as error:
        raise BrokenBlock(str(error).replace("the YAML front matter", "its YAML")) from error
    except (ValueError, RecursionError) as error:
        raise BrokenBlock(f"its JSON is broken: {error}") from error
    if not isinstance(data, dict):
        raise BrokenBlock("its data are no list of 'name: value'")
    return {"id": "", "type": found[1], "version": int(found[2] or 1), "data": _inside(data)}


def write_fenced(block: Stored) -> str:
    """A block as a fence that :func:`read_fenced` reads as the same, but for ids."""
    data = _outside(block["data"])
    text = _yaml(data)
    version = f" v{block['version']}" if block["version"] != 1 else ""
    ticks = "`" * max(3, *(len(run) + 1 for run in [*_TICKS.findall(text), "``"]))
    return f"{ticks}mosaic {block['type']}{version}\n{text}{ticks}"


def _yaml(data: dict[str, Any]) -> str:
    """YAML where it says the same, and else JSON."""
    text = write_yaml(data)
    try:
        if read_yaml(text) == data and "\r" not in text and "\0" not in text:
            return text
    except BrokenFrontMatter:
        pass
    return json.dumps(data, ensure_ascii=True, indent=2) + "\n"


def write_yaml(data: dict[str, Any]) -> str:
    """Data as YAML for people: in their order, text of several lines as it stands."""
    text: str = yaml.dump(
        data, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1_000_000
    )
    return text


class _Dumper(yaml.SafeDumper):
    """Text of several lines stands as it is written."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _outside(value: Any) -> Any:
    """Blocks inside one as their type and data."""
    if is_block(value):
        version = {"version": value["version"]} if value["version"] != 1 else {}
        return {"type": value["type"], **version, "data": _outside(value["data"])}
    if isinstance(value, dict):
        return {key: _outside(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_outside(item) for item in value]
    return value


def _inside(value: Any) -> Any:
    """Lists of types and data as blocks."""
    if isinstance(value, dict):
        return {key: _inside(item) for key, item in value.items()}
    if isinstance(value, list):
        if value and all(_is_written(item) for item in value):
            return [
                {
                    "id": "",
                    "type": item["type"],
                    "version": item.get("version", 1),
                    "data": _inside(item["data"]),
                }
                for item in value
            ]
        return [_inside(item) for item in value]
    return value


def _is_written(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and {"type", "data"} <= value.keys() <= {"type", "version", "data"}
        and isinstance(value["data"], dict)
        and isinstance(value["type"], str)
    )
