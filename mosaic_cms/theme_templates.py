"""How the templates of themes are compiled."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType

from jinja2 import BytecodeCache, Environment, FunctionLoader
from jinja2.bccache import Bucket
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mosaic_cms.pictures.tag import image, image_url
from mosaic_cms.strict_templates import strict
from mosaic_cms.theme_filters import FILTERS


class CompiledOnce(BytecodeCache):
    """What templates were compiled to, for environments that are alike: most templates, those of
    block types, are the same in every theme."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._code[bucket.key, bucket.checksum] = bucket.code


def environment(source: Callable[[str], str | None], compiled: CompiledOnce) -> Environment:
    """What a theme's own templates run in.

    Args:
        source: the text of a template, by its file's name.
        compiled: where code is looked for, and left for other themes.
    """
    return _equipped(Environment, source, compiled)


def sandbox(source: Callable[[str], str | None]) -> Environment:
    """What templates run in that come from a database: they can do nothing but write text."""
    return _equipped(ImmutableSandboxedEnvironment, source, None)


def _equipped(
    kind: type[Environment],
    source: Callable[[str], str | None],
    compiled: CompiledOnce | None,
) -> Environment:
    made = strict(FunctionLoader(source), kind, bytecode_cache=compiled)
    made.filters.update(FILTERS)
    made.globals.update(image=image, image_url=image_url)
    return made
