"""The templates of block types, as themes load them."""

from __future__ import annotations

from mosaic_cms.blocks.base import TEMPLATES
from mosaic_cms.blocks.registry import BlockTypes
from mosaic_core.errors import ConfigurationError


def block_templates(types: BlockTypes) -> dict[str, str]:
    """The text of each type's template by its name for themes (``blocks/quote``); and of what
    MOSAIC's own templates share, which a plugin's may import too.

    Raises:
        ConfigurationError: a file cannot be read; it names the block type and the file.
    """
    found = {f"blocks/{file.stem}": file.read_text("utf-8") for file in TEMPLATES.glob("_*.html")}
    for kind in types:
        try:
            found[f"blocks/{kind.name}"] = kind.template.read_text("utf-8")
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"The template {kind.template.name} of the block type {kind.name!r} cannot be "
                f"read: {error}."
            ) from error
    return found
