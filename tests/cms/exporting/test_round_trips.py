"""Import after export gives an equal site, or the report names what differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from mosaic_cms.content.models import Media, Menu, Page, PageVersion, Redirect, Site
from mosaic_cms.demo import fill_tenant, sites_folder
from mosaic_cms.exporting.pages import same_block
from mosaic_cms.importing.identity import without_ids
from tests.cms.deployment import Deployment, Deployments

DEMOS = ("aurora", "nightshift", "wheatsheaf")


async def taken(deployment: Deployment, slug: str) -> dict[str, Any]:
    """A site by addresses and digests instead of ids: what is to be equal."""
    async with deployment.scope(slug).read() as session:
        site = (await session.scalars(select(Site))).first()
        assert site is not None
        pages = list(await session.scalars(select(Page)))
        versions = {v.id: v for v in await session.scalars(select(PageVersion))}
        media = list(await session.scalars(select(Media)))
        menus = list(await session.scalars(select(Menu)))
        redirects = list(await session.scalars(select(Redirect)))
    names = {f"page:{page.id}": f"page:{page.path}" for page in pages}
    names |= {f"media:{row.id}": f"media:{row.digest}" for row in media}

    def named(value: Any) -> Any:
        text = json.dumps(value, sort_keys=True, default=str)
        for old, new in names.items():
            text = text.replace(old, new)
        return json.loads(text)

    paths = {page.id: page.path for page in pages}
    groups: dict[Any, list[str]] = {}
    for page in pages:
        groups.setdefault(page.translation_id, []).append(page.path)
    found: dict[str, Any] = {}
    for page in pages:
        shown = versions[page.live_version_id] if page.live_version_id else page
        siblings = [other for other in pages if other.parent_id == page.parent_id]
        siblings.sort(key=lambda other: (other.position, other.path))
        found[page.path] = {
            "title": shown.title,
            "summary": shown.summary,
            "layout": shown.layout,
            "regions": {k: v for k, v in named(without_ids(shown.regions)).items() if v},
            "details": {k: v for k, v in named(shown.details).items() if v},
            "live": page.live_version_id is not None,
            "parent": paths.get(page.parent_id),
            "place": siblings.index(page),
            "language": page.language,
            "translations": sorted(groups[page.translation_id]),
        }
    facts = ("title", "tagline", "language", "languages", "theme", "theme_settings", "footer")
    return {
        "site": {name: getattr(site, name) for name in facts},
        "pages": found,
        "menus": sorted((m.place, m.language, json.dumps(named(m.items))) for m in menus),
        "redirects": sorted((r.source, named(r.target)) for r in redirects),
        "media": {row.digest: (row.name, row.size) for row in media},
    }


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert before["pages"].keys() == after["pages"].keys()
    for path, page in before["pages"].items():
        back = after["pages"][path]
        one, other = page.pop("regions"), back.pop("regions")
        assert page == back, path
        assert one.keys() == other.keys(), path
        for region, blocks in one.items():
            assert len(blocks) == len(other[region]), (path, blocks, other[region])
            for a, b in zip(blocks, other[region], strict=True):
                assert same_block(a, b), (path, a, b)
    for part in ("site", "menus", "redirects", "media"):
        assert before[part] == after[part], part


async def there_and_back(deployment: Deployment, slug: str, folder: Path, back: str) -> Any:
    """Exports a site and imports it as a new tenant; the export's report."""
    report = await deployment.do("content.export_markdown", slug, folder=folder)
    await deployment.rule("tenants.create", slug=back, name="Back", tier="open", home=False)
    imported = await deployment.do("content.import_markdown", back, folder=folder)
    assert imported.problems == 0, [line for line in imported.lines if line.level == "problem"]
    return report


@pytest.mark.parametrize("demo", DEMOS)
def test_a_demo_site_comes_back_equal(deployments: Deployments, tmp_path: Path, demo: str) -> None:
    async def scenario(deployment: Deployment) -> None:
        slug = f"{demo}-demo"
        await fill_tenant(deployment.product, slug, sites_folder() / "demo" / "tenants" / demo)
        report = await there_and_back(deployment, slug, tmp_path / "out", "back")
        assert [line for line in report.lines if "differently" in line.message] == []
        assert_same(await taken(deployment, slug), await taken(deployment, "back"))
        again = await deployment.do("content.import_markdown", "back", folder=tmp_path / "out")
        assert (again.created, again.updated, again.published) == (0, 0, 0)

    deployments(scenario)


def test_translations_with_the_names_of_what_they_translate_come_back_linked(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", languages=["de", "ar"])
        for path in ("/", "/visit/", "/visit/hours/"):
            made = await deployment.do("pages.translate", path=path, language="de")
            assert made.path == f"/de{path}"
            await deployment.do("pages.publish", path=made.path)
        entries = [{"title": "Gone", "target": "/visit/"}]
        await deployment.do("menus.set", place="side", language="ar", items=entries)
        await deployment.do("sites.configure", languages=["de"])
        report = await there_and_back(deployment, "aurora", tmp_path / "out", "back")
        assert [line.message for line in report.lines] == [
            "1 menus in languages that the site does not have are not in it; the JSON export has "
            "them"
        ]
        before = await taken(deployment, "aurora")
        assert before["pages"]["/"]["translations"] == ["/", "/de/"]
        before["menus"].clear()
        assert_same(before, await taken(deployment, "back"))

    deployments(scenario)


# ---- random sites ------------------------------------------------------------------------------

TEXT = st.text(
    st.one_of(
        st.sampled_from("ab1 \n#*-_`[]()<>!|~\\:>\"'&$=+.é🜚\t"),
        st.characters(exclude_categories=["Cs", "Cc"]),
    ),
    max_size=60,
)
LINE = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=30
).filter(lambda text: text == " ".join(text.split()))
TERM = st.sampled_from(["Sea", "boats & tides", "a, b", "Ünï", "true", "2024"])
MARKDOWN = st.one_of(
    TEXT,
    st.sampled_from(
        [
            "## A heading\n\nText with a [link][x].\n\n[x]: https://example.org/",
            "One.\n\n```python\nx = 1\n```\n\nTwo.",
            "A note[^1].\n\n[^1]: Here.",
            "| a | b |\n|---|---|\n| 1 | 2 |",
            "```mosaic hero\nheading: No block, but text\n```",
            "<!-- more -->",
            "### Low\n\n# High",
            "    indented\n\n- a\n\n  - b",
            "~~~~\n```\n~~~~",
        ]
    ),
)
BLOCKS = st.one_of(
    st.builds(lambda text: ("markdown", {"text": text}), MARKDOWN),
    st.builds(
        lambda code, language: ("code", {"code": code, "language": language}),
        TEXT.filter(bool),
        st.sampled_from(["", "python", "mosaic", "c++"]),
    ),
    st.builds(lambda text: ("heading", {"text": text, "level": 2}), LINE),
    st.builds(lambda text: ("callout", {"kind": "tip", "text": text}), TEXT.filter(bool)),
    st.builds(lambda text: ("rich_text", {"text": f"<p>{text}</p>"}), st.sampled_from("abc")),
    st.builds(
        lambda rows: ("table", {"rows": rows}),
        st.lists(st.lists(LINE, min_size=2, max_size=2), min_size=1, max_size=3),
    ),
    st.builds(
        lambda text: (
            "columns",
            {
                "layout": "6-6",
                "columns": [
                    [{"type": "markdown", "data": {"text": text}}],
                    [{"type": "divider", "data": {}}],
                ],
            },
        ),
        MARKDOWN,
    ),
)
PAGES = st.builds(
    lambda title, summary, blocks, aside, details, publish: {
        "title": title,
        "summary": summary,
        "regions": {
            "main": [{"type": kind, "data": data} for kind, data in blocks],
            "aside": [{"type": kind, "data": data} for kind, data in aside],
        },
        "details": details,
        "publish": publish,
    },
    LINE,
    st.one_of(st.just(""), LINE),
    st.lists(BLOCKS, max_size=5),
    st.lists(BLOCKS, max_size=1),
    st.fixed_dictionaries(
        {},
        optional={
            "author": LINE,
            "tags": st.lists(TERM, max_size=3, unique=True),
            "categories": st.lists(TERM, max_size=2, unique=True),
            "date": st.sampled_from(["2025-03-14", "2025-03-14T10:00:00+00:00"]),
            "image": st.just("https://example.org/a.png"),
            "image_alt": LINE,
            "extra": st.dictionaries(LINE, st.one_of(LINE, st.integers(), st.booleans())),
            "seo_title": TEXT,
        },
    ),
    st.booleans(),
)
SITES = st.dictionaries(
    st.sampled_from(
        ["/a/", "/a/b/", "/a/b/c/", "/index/", "/A.b_c/", "/é/", "/a/_posts/", "/readme/"]
    ),
    PAGES,
    max_size=4,
)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(made=SITES)
def test_a_site_comes_back_equal_or_the_report_names_what_differs(
    deployments: Deployments, tmp_path: Path, made: dict[str, dict[str, Any]]
) -> None:
    with deployments.held() as (deployment, runner):
        folder = tmp_path / "out"
        shutil.rmtree(folder, ignore_errors=True)

        async def scenario() -> None:
            for path in sorted(made, key=len):
                page = dict(made[path])
                publish = page.pop("publish")
                above, _, slug = path.strip("/").rpartition("/")
                while f"/{above}/" not in made and above:
                    above, _, more = above.rpartition("/")
                    slug = f"{more}/{slug}"
                parent = f"/{above}/" if above else "/"
                await deployment.do("pages.create", "bread", parent=parent, slug=slug, **page)
                if publish:
                    await deployment.do("pages.publish", "bread", path=path)
            report = await deployment.do("content.export_markdown", "bread", folder=folder)
            named = {line.source for line in report.lines if line.source != "."}
            await deployment.rule(
                "tenants.create", slug="back", name="Back", tier="open", home=False
            )
            await deployment.do("content.import_markdown", "back", folder=folder)
            before, after = await taken(deployment, "bread"), await taken(deployment, "back")
            sources = await sources_of(deployment, "back")
            for path in list(before["pages"]):
                if path not in sources or sources[path] in named:
                    assert named, path
                    before["pages"].pop(path)
                    after["pages"].pop(path, None)
            assert_same(before, after)

        runner.run(scenario())


async def sources_of(deployment: Deployment, slug: str) -> dict[str, str]:
    async with deployment.scope(slug).read() as session:
        rows = await session.execute(select(Page.path, Page.source))
        return {path: source or "" for path, source in rows}
