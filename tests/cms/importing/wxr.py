"""Builds WordPress exports for tests, item by item."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

SITE = "https://old.example"

HEAD = """<?xml version="1.0" encoding="UTF-8" ?>
<!-- made by WordPress -->
<rss version="2.0"
    xmlns:excerpt="http://wordpress.org/export/{version}/excerpt/"
    xmlns:content="http://purl.org/rss/1.0/modules/content/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:wp="http://wordpress.org/export/{version}/">
<channel>
    <title>The Harbour Post</title>
    <link>{site}</link>
    <description>News from the quay</description>
    <language>en-GB</language>
    <wp:wxr_version>{version}</wp:wxr_version>
    <wp:base_site_url>{site}</wp:base_site_url>
    <wp:base_blog_url>{site}</wp:base_blog_url>
"""
TAIL = "</channel>\n</rss>\n"


def cdata(text: str) -> str:
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"


def author(login: str, name: str, email: str = "") -> str:
    return (
        f"<wp:author><wp:author_id>1</wp:author_id><wp:author_login>{cdata(login)}"
        f"</wp:author_login><wp:author_email>{cdata(email)}</wp:author_email>"
        f"<wp:author_display_name>{cdata(name)}</wp:author_display_name></wp:author>\n"
    )


def category(slug: str, name: str, parent: str = "", ident: int = 0) -> str:
    return (
        f"<wp:category><wp:term_id>{ident}</wp:term_id><wp:category_nicename>{cdata(slug)}"
        f"</wp:category_nicename><wp:category_parent>{cdata(parent)}</wp:category_parent>"
        f"<wp:cat_name>{cdata(name)}</wp:cat_name></wp:category>\n"
    )


def tag(slug: str, name: str) -> str:
    return (
        f"<wp:tag><wp:tag_slug>{cdata(slug)}</wp:tag_slug>"
        f"<wp:tag_name>{cdata(name)}</wp:tag_name></wp:tag>\n"
    )


def menu(slug: str, name: str) -> str:
    return (
        f"<wp:term><wp:term_taxonomy>nav_menu</wp:term_taxonomy><wp:term_slug>{slug}"
        f"</wp:term_slug><wp:term_name>{cdata(name)}</wp:term_name></wp:term>\n"
    )


def comment(
    ident: int, text: str, *, status: str = "1", parent: int = 0, name: str = "Ada", kind: str = ""
) -> str:
    return (
        f"<wp:comment><wp:comment_id>{ident}</wp:comment_id><wp:comment_author>{cdata(name)}"
        "</wp:comment_author><wp:comment_author_email>ada@visitor.example"
        "</wp:comment_author_email><wp:comment_author_IP>192.0.2.7</wp:comment_author_IP>"
        "<wp:comment_date_gmt>2020-05-02 08:30:00</wp:comment_date_gmt>"
        f"<wp:comment_content>{cdata(text)}</wp:comment_content>"
        f"<wp:comment_approved>{status}</wp:comment_approved><wp:comment_type>{kind}"
        f"</wp:comment_type><wp:comment_parent>{parent}</wp:comment_parent></wp:comment>\n"
    )


def item(
    ident: int,
    title: str,
    body: str = "",
    *,
    kind: str = "post",
    status: str = "publish",
    slug: str | None = None,
    link: str | None = None,
    creator: str = "ada",
    date: str = "2020-05-01 10:00:00",
    local: str = "2020-05-01 12:00:00",
    parent: int = 0,
    order: int = 0,
    password: str = "",
    sticky: int = 0,
    excerpt: str = "",
    terms: Sequence[tuple[str, str, str]] = (),
    meta: Mapping[str, str | Sequence[str]] | None = None,
    comments: str = "",
    file: str = "",
) -> str:
    slug = title.lower().replace(" ", "-") if slug is None else slug
    if link is None:
        link = f"{SITE}/2020/05/{slug}/" if kind == "post" else f"{SITE}/{slug}/"
    pairs = [
        (key, value)
        for key, values in (meta or {}).items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    metas = "".join(
        f"<wp:postmeta><wp:meta_key>{cdata(key)}</wp:meta_key>"
        f"<wp:meta_value>{cdata(value)}</wp:meta_value></wp:postmeta>\n"
        for key, value in pairs
    )
    categories = "".join(
        f"<category domain={quoteattr(domain)} nicename={quoteattr(name_)}>{cdata(label)}"
        "</category>\n"
        for domain, name_, label in terms
    )
    attachment = f"<wp:attachment_url>{cdata(file)}</wp:attachment_url>\n" if file else ""
    return f"""<item>
<title>{escape(title)}</title>
<link>{escape(link)}</link>
<dc:creator>{cdata(creator)}</dc:creator>
<content:encoded>{cdata(body)}</content:encoded>
<excerpt:encoded>{cdata(excerpt)}</excerpt:encoded>
<wp:post_id>{ident}</wp:post_id>
<wp:post_date>{local}</wp:post_date>
<wp:post_date_gmt>{date}</wp:post_date_gmt>
<wp:post_name>{cdata(slug)}</wp:post_name>
<wp:status>{status}</wp:status>
<wp:post_parent>{parent}</wp:post_parent>
<wp:menu_order>{order}</wp:menu_order>
<wp:post_type>{kind}</wp:post_type>
<wp:post_password>{cdata(password)}</wp:post_password>
<wp:is_sticky>{sticky}</wp:is_sticky>
{attachment}{categories}{metas}{comments}</item>
"""


def attachment(ident: int, path: str, **more: object) -> str:
    meta = {"_wp_attached_file": path, "_wp_attachment_image_alt": str(more.pop("alt", ""))}
    name = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return item(
        ident,
        name,
        kind="attachment",
        status="inherit",
        meta=meta,
        file=f"{SITE}/wp-content/uploads/{path}",
        **more,  # type: ignore[arg-type]
    )


def export(*parts: str, version: str = "1.2", site: str = SITE) -> str:
    return HEAD.format(version=version, site=site) + "".join(parts) + TAIL


def write(folder: Path, *parts: str, version: str = "1.2") -> Path:
    path = folder / "export.xml"
    path.write_text(export(*parts, version=version), "utf-8")
    return path


def uploads(folder: Path, *names: str) -> Path:
    """A folder of uploads that has these files."""
    root = folder / "uploads"
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_picture(name))
    root.mkdir(exist_ok=True)
    return root


def _picture(name: str) -> bytes:
    """A PNG of eight pixels, another one for each name."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return len(data).to_bytes(4) + kind + data + check.to_bytes(4)

    size = (8).to_bytes(4) + (1).to_bytes(4) + b"\x08\x02\x00\x00\x00"
    line = b"\x00" + hashlib.sha256(name.encode()).digest()[:24]
    parts = ((b"IHDR", size), (b"IDAT", zlib.compress(line)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
