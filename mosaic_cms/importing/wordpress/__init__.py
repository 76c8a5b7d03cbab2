"""Reading what WordPress exports under Tools → Export (WXR), without a network.

:func:`read_wordpress` gives a :class:`WordPressSite`, whose blocks and pictures refer to sources:
``page:wp:<post id>`` and ``media:upload:<path>``. Once pages and files have ids, :func:`resolve`
puts these in their place.
"""

from mosaic_cms.importing.wordpress.model import (
    WordPressAuthor,
    WordPressComment,
    WordPressFile,
    WordPressMenu,
    WordPressMenuEntry,
    WordPressPage,
    WordPressRedirect,
    WordPressSite,
    WordPressTerm,
)
from mosaic_cms.importing.wordpress.reader import read_wordpress
from mosaic_cms.importing.wordpress.references import Resolved, resolve, resolve_target

__all__ = [
    "Resolved",
    "WordPressAuthor",
    "WordPressComment",
    "WordPressFile",
    "WordPressMenu",
    "WordPressMenuEntry",
    "WordPressPage",
    "WordPressRedirect",
    "WordPressSite",
    "WordPressTerm",
    "read_wordpress",
    "resolve",
    "resolve_target",
]
