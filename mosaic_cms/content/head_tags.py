"""What a page says about itself in ``<head>``: to search engines and to those who share it."""

from __future__ import annotations

from markupsafe import escape


def head_tags(
    *,
    title: str,
    description: str,
    path: str,
    site_title: str,
    image: str | None,
    article: bool,
    date: str | None,
) -> str:
    """Description, canonical address and Open Graph; one tag a line.

    The canonical address is relative to the site's host, which a page does not know.
    """
    tags = [f'<link rel="canonical" href="{escape(path)}">']
    facts = [
        ("og:type", "article" if article else "website"),
        ("og:title", title),
        ("og:site_name", site_title),
    ]
    if description:
        tags.append(f'<meta name="description" content="{escape(description)}">')
        facts.append(("og:description", description))
    if image:
        facts.append(("og:image", image))
    if article and date:
        facts.append(("article:published_time", date))
    tags += [f'<meta property="{name}" content="{escape(value)}">' for name, value in facts]
    return "\n".join(tags)
