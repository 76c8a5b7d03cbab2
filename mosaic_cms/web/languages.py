"""Which language a visitor gets where an address leaves it open.

An address has one language for ever. The home page of a site leads those who like another of the
site's languages to its home page in that one; and what is not translated is shown in the site's
own language, at its own address.
"""

from __future__ import annotations

from sqlalchemy import bindparam, select

from mosaic_cms.content.language_tags import negotiated
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.web.visit import Visit

_PAGES = PublishedPage.__table__.c
_ORIGINAL = PublishedPage.__table__.alias("original")
# Constants: each is compiled once for each strategy.
_HOME = select(_PAGES.path).where(
    _PAGES.site_id == bindparam("site_id"),
    _PAGES.path == bindparam("path"),
    _PAGES.html.is_not(None),
)
_TRANSLATIONS = (
    select(_PAGES.language, _PAGES.path)
    .select_from(
        PublishedPage.__table__.join(_ORIGINAL, _PAGES.translation_id == _ORIGINAL.c.translation_id)
    )
    .where(
        _ORIGINAL.c.site_id == bindparam("site_id"),
        _ORIGINAL.c.path == bindparam("path"),
        _PAGES.site_id == _ORIGINAL.c.site_id,
        _PAGES.html.is_not(None),
    )
)


async def liked_home(visit: Visit, accepted: bytes) -> str | None:
    """The home page in the language that a visitor of the first one likes best, if it is
    another."""
    languages = list(visit.site.surrounds)
    liked = negotiated(accepted.decode("latin-1"), languages)
    if liked == languages[0]:
        return None
    found = dict(await visit.rows(_TRANSLATIONS, path="/"))
    if liked in found:
        return str(found[liked])
    root = visit.site.of(liked).root
    return root if await visit.rows(_HOME, path=root) else None


async def instead(visit: Visit) -> str | None:
    """For the address of a page below a language's segment: its translation into that language, or
    else the page itself."""
    root = visit.surround.root
    if root == "/":
        return None
    path = "/" + visit.path.removeprefix(root)
    found = dict(await visit.rows(_TRANSLATIONS, path=path))
    return found.get(visit.surround.language) or (path if found else None)
