"""MOSAIC's own block types."""

from mosaic_cms.blocks.base import Block
from mosaic_cms.blocks.standard.layout import Accordion, Button, Cards, Columns, Divider, Hero
from mosaic_cms.blocks.standard.media import Embed, Gallery, Image, Video
from mosaic_cms.blocks.standard.more import Form, Html, PageList, SharedBlock
from mosaic_cms.blocks.standard.text import (
    Callout,
    Code,
    Heading,
    MarkdownText,
    Quote,
    RichTextBlock,
    Table,
)

#: All of them, in the order in which an editor is offered them.
STANDARD: tuple[type[Block], ...] = (
    RichTextBlock,
    MarkdownText,
    Heading,
    Quote,
    Callout,
    Code,
    Table,
    Image,
    Gallery,
    Video,
    Embed,
    Hero,
    Cards,
    Columns,
    Accordion,
    Button,
    Divider,
    Form,
    PageList,
    SharedBlock,
    Html,
)

__all__ = ["STANDARD"]
