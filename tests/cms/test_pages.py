"""Pages: what is published shows wherever it is shown, and nothing else is anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from mosaic_core.errors import Conflict, InvalidInput, NotFound
from tests.cms.deployment import Deployment, Deployments
from tests.cms.projection import projected, rebuilt


async def shows(deployment: Deployment, path: str, *texts: str) -> None:
    answer = await deployment.get(path)
    assert answer.status_code == 200, path
    missing = [text for text in texts if text not in answer.text]
    assert not missing, path


async def hides(deployment: Deployment, path: str, *texts: str) -> None:
    answer = await deployment.get(path)
    found = [text for text in texts if text in answer.text]
    assert not found, path


async def republish(deployment: Deployment, path: str, **content: Any) -> None:
    await deployment.do("pages.edit", path=path, **content)
    await deployment.do("pages.publish", path=path)


async def assert_as_made_anew(deployment: Deployment) -> None:
    assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")


def text(body: str) -> dict[str, Any]:
    return {"main": [{"type": "markdown", "data": {"text": body}}]}


def dated(day: int) -> dict[str, Any]:
    return {"layout": "post", "details": {"date": f"2024-05-{day:02}"}}


async def make_posts(deployment: Deployment, days: Iterable[int]) -> None:
    for day in days:
        await deployment.add(f"/news/day-{day}/", title=f"Day {day}", **dated(day))


# What shows something of a page follows it


def test_a_new_title_shows_in_trails_listings_and_beside(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await make_posts(deployment, (1, 2, 3))
        await republish(deployment, "/visit/", title="Plan a visit")
        await shows(deployment, "/visit/hours/", "Plan a visit")
        await shows(deployment, "/", "Plan a visit")
        await republish(deployment, "/news/day-2/", title="A second day")
        for path in ("/news/", "/news/day-1/", "/news/day-3/"):
            await shows(deployment, path, "A second day")
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_posts_know_their_neighbours_in_time_whatever_becomes_of_them(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        async def around(day: int) -> list[str]:
            text = (await deployment.get(f"/news/day-{day}/")).text
            rels = {"prev": 'rel="prev" href="/news/day-', "next": 'rel="next" href="/news/day-'}
            found = [text.partition(mark)[2][:1] for mark in rels.values()]
            await assert_as_made_anew(deployment)
            return found

        await make_posts(deployment, (5, 1, 3))
        assert [await around(day) for day in (1, 3, 5)] == [["", "3"], ["1", "5"], ["3", ""]]
        await republish(deployment, "/news/day-3/", details={"date": "2024-05-09"})
        assert [await around(day) for day in (1, 5, 3)] == [["", "5"], ["1", "3"], ["5", ""]]
        await deployment.do("pages.unpublish", path="/news/day-5/")
        assert [await around(day) for day in (1, 3)] == [["", "3"], ["1", ""]]
        await republish(deployment, "/news/day-3/", layout="page")
        assert await around(1) == ["", ""]
        await deployment.do("pages.publish", path="/news/day-5/")
        await deployment.do("pages.move", path="/news/day-5/", parent="/visit/")
        assert await around(1) == ["", ""]

    deployments(scenario)


def test_links_follow_the_page_that_they_point_to(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        target = await deployment.add("/target/", publish=False)
        link = f"[A word](page:{target.id}#there)"
        await republish(deployment, "/visit/", body=link)
        await hides(deployment, "/visit/", "/target/", str(target.id))
        await shows(deployment, "/visit/", "A word")
        await deployment.do("pages.publish", path="/target/")
        await shows(deployment, "/visit/", 'href="/target/#there"')
        await deployment.do("pages.move", path="/target/", parent="/news/", slug="aim")
        await shows(deployment, "/visit/", 'href="/news/aim/#there"')
        await deployment.do("pages.unpublish", path="/news/aim/")
        await hides(deployment, "/visit/", "aim", str(target.id))
        await republish(deployment, "/visit/", body="Nothing.")
        await deployment.do("pages.publish", path="/news/aim/")
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_page_can_point_to_itself(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        page = await deployment.add("/self/", publish=False)
        await republish(deployment, "/self/", body=f"[Top](page:{page.id}#top)")
        await shows(deployment, "/self/", 'href="/self/#top"')
        await deployment.do("pages.move", path="/self/", slug="same")
        await shows(deployment, "/same/", 'href="/same/#top"')
        await assert_as_made_anew(deployment)

    deployments(scenario)


@pytest.mark.parametrize(
    "target",
    ["page:1", "page:" + "a" * 8 + "-" * 28, "media:" + "0" * 8 + "-" * 28, f"page:{'a' * 99}"],
)
def test_a_link_to_what_is_no_page_keeps_its_words(deployments: Deployments, target: str) -> None:
    async def scenario(deployment: Deployment) -> None:
        image = {"image": target}
        await republish(deployment, "/visit/", body=f"[A word]({target})", details=image)
        await shows(deployment, "/visit/", "A word")
        await hides(deployment, "/visit/", f'href="{target}')
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_menus_show_what_is_published(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/shop/", publish=False)
        menu = [
            {"title": "To the shop", "target": "/shop"},
            {"title": "Your visit", "target": "/visit/"},
        ]
        await deployment.do("menus.set", place="header", items=menu)
        await deployment.do("menus.set", place="footer", items=menu[:1])
        await shows(deployment, "/", "Your visit")
        await hides(deployment, "/", "To the shop")
        await deployment.do("pages.publish", path="/shop/")
        assert (await deployment.get("/")).text.count("To the shop") == 2
        await shows(deployment, "/visit/hours/", '<a href="/visit/" aria-current="true">')
        await deployment.do("pages.unpublish", path="/shop/")
        await hides(deployment, "/", "To the shop")

    deployments(scenario)


@pytest.mark.parametrize("change", [{"title": "New name"}, {"language": "de"}])
def test_what_surrounds_pages_reaches_every_page(
    deployments: Deployments, change: dict[str, str]
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", **change)
        for path in ("/", "/visit/", "/visit/hours/", "/news/"):
            expected = {
                "title": 'property="og:site_name" content="New name"',
                "language": '<html lang="de"',
            }
            await shows(deployment, path, *(expected[name] for name in change))
        trail = "Sie sind hier" if "language" in change else "Breadcrumbs"
        await shows(deployment, "/visit/hours/", trail)
        await assert_as_made_anew(deployment)
        await deployment.do("sites.configure", title="Aurora", language="en")
        await assert_as_made_anew(deployment)

    deployments(scenario)


# Moving


def test_moving_a_page_moves_all_below_it(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("pages.move", path="/visit/", parent="/news/", slug="plan/now")
        await shows(deployment, "/news/plan/now/hours/", "the text of /visit/hours/")
        for path, now in (
            ("/visit/", "/news/plan/now/"),
            ("/visit/hours/", "/news/plan/now/hours/"),
        ):
            gone = await deployment.get(path)
            assert (gone.status_code, gone.headers["location"]) == (301, now)
        await deployment.do("pages.move", path="/news/plan/now/", parent="/", slug="visit")
        await shows(deployment, "/visit/hours/", "the text of /visit/hours/")
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_pages_can_take_each_others_addresses_in_one_move(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/visit/visit/", body="The inner one.")
        await deployment.add("/visit/visit/visit/", body="The innermost one.")
        await deployment.do("pages.move", path="/visit/", slug="visit/visit")
        await shows(deployment, "/visit/visit/", "the text of /visit/ ")
        await shows(deployment, "/visit/visit/visit/visit/", "The innermost one.")
        await assert_as_made_anew(deployment)
        await deployment.do("pages.move", path="/visit/visit/", slug="visit")
        await shows(deployment, "/visit/visit/", "The inner one.")
        await shows(deployment, "/visit/visit/visit/", "The innermost one.")
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_refused_move_leaves_everything_as_it_was(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/new/", slug="new/hours", parent="/")
        before = await deployment.do("pages.list"), await projected(deployment, "aurora")
        refused: list[tuple[type[Exception], str, dict[str, Any]]] = [
            (InvalidInput, "below itself", {"path": "/visit/", "parent": "/visit/hours/"}),
            (InvalidInput, "below itself", {"path": "/visit/", "parent": "/visit/"}),
            (InvalidInput, "below itself", {"path": "/", "parent": "/visit/"}),
            (Conflict, "/news/", {"path": "/visit/", "slug": "news"}),
            (Conflict, "/new/hours/", {"path": "/visit/", "slug": "new"}),
            (InvalidInput, "500 fit", {"path": "/visit/", "slug": "v" * 494}),
            (InvalidInput, "slug", {"path": "/visit/", "slug": "a b"}),
            (NotFound, "/gone/", {"path": "/gone/", "slug": "a"}),
            (NotFound, "/gone/", {"path": "/visit/", "parent": "/gone/"}),
        ]
        for error, words, given in refused:
            with pytest.raises(error, match=words):
                await deployment.do("pages.move", **given)
        assert before == (await deployment.do("pages.list"), await projected(deployment, "aurora"))

    deployments(scenario)


# Nothing unpublished is reachable


def test_drafts_are_reachable_nowhere(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        secret = "Hush-hush"
        await deployment.add(
            "/secret/", publish=False, title=secret, summary=secret, body=secret, layout="post"
        )
        await deployment.add("/secret/below/", publish=False, title=f"{secret} below")
        await deployment.do(
            "pages.edit", path="/visit/", title=secret, body=secret, layout="list", summary=secret
        )
        paths = ("/", "/visit/", "/visit/hours/", "/news/", "/secret/", "/secret", "/secret/below/")
        for path in paths:
            await hides(deployment, path, secret)
        for path in paths[4:]:
            assert (await deployment.get(path)).status_code == 404
        assert secret not in str(await projected(deployment, "aurora"))

    deployments(scenario)


def test_an_unpublished_page_is_gone_at_once_and_comes_back_as_it_was(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("pages.unpublish", path="/visit/hours/")
        assert (await deployment.get("/visit/hours/")).status_code == 404
        await hides(deployment, "/visit/", "/visit/hours/")
        with pytest.raises(NotFound, match="not published"):
            await deployment.do("pages.unpublish", path="/visit/hours/")
        assert (await deployment.do("pages.show", path="/visit/hours/")).state == "draft"
        await deployment.do("pages.publish", path="/visit/hours/")
        await shows(deployment, "/visit/hours/", "the text of /visit/hours/")
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_page_with_published_pages_below_it_stays(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(InvalidInput, match="1 published pages below it"):
            await deployment.do("pages.unpublish", path="/visit/")
        await shows(deployment, "/visit/", "the text of /visit/ ")

    deployments(scenario)


def test_a_pages_state_says_how_draft_and_live_stand(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        async def state() -> str:
            shown = await deployment.do("pages.show", path="/new/")
            listed = next(p for p in await deployment.do("pages.list") if p.path == "/new/")
            assert shown.state == listed.state
            return str(listed.state)

        await deployment.add("/new/", publish=False, title="One")
        assert await state() == "draft"
        await deployment.do("pages.publish", path="/new/")
        assert await state() == "published"
        await deployment.do("pages.edit", path="/new/", title="Two")
        assert await state() == "changed"
        await deployment.do("pages.edit", path="/new/", title="One")
        assert await state() == "published"

    deployments(scenario)


# What cannot be saved


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"title": "a" * 301}, "301 characters; 300 fit"),
        ({"summary": "a" * 1001}, "1001 characters; 1000 fit"),
        ({"regions": {"main": "a"}}, "list of blocks"),
        ({"regions": text("a" * 1_500_000)}, "1,500,.* bytes; 1,500,000 fit"),
        ({"regions": text("é" * 750_000)}, "1,500,.* bytes"),
        ({"regions": text("a\0b")}, "NUL"),
        ({"layout": "poster"}, "no layout 'poster'"),
        ({"details": {"date": "yesterday"}}, "'yesterday'"),
        ({"details": {"date": "0001-01-01T00:00:00+14:00"}}, "'0001-01-01T00:00:00.14:00'"),
        ({"details": {"date": "9999-12-31T23:59:59-14:00"}}, "'9999-12-31T23:59:59-14:00'"),
        ({"details": {"date": 20240501}}, "date is no text"),
        ({"details": {"tags": "one"}}, "tags are no list"),
        ({"details": {"tags": [1]}}, "tags are no list"),
        ({"details": {"image": {"url": "x"}}}, "image is no text"),
        ({"details": {"author": ["x"]}}, "author is no text"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(
    deployments: Deployments, content: dict[str, Any], words: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        before = await deployment.do("pages.show", path="/visit/")
        with pytest.raises(InvalidInput, match=words) as caught:
            await deployment.do("pages.edit", path="/visit/", **content)
        ((where, _),) = caught.value.problems
        assert where.startswith(next(iter(content)))
        with pytest.raises(InvalidInput, match=words):
            await deployment.add("/new/", **({"title": "New"} | content))
        assert await deployment.do("pages.show", path="/visit/") == before

    deployments(scenario)


@pytest.mark.parametrize("title", ["", " "])
def test_a_draft_without_a_title_is_saved_and_not_published(
    deployments: Deployments, title: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        body = "All that was written so far."
        saved = await deployment.do("pages.edit", path="/visit/", title=title, body=body)
        assert (saved.title, saved.state) == (title, "changed")
        assert body in str(saved.regions)
        with pytest.raises(InvalidInput, match="title: it is missing") as caught:
            await deployment.do("pages.publish", path="/visit/")
        assert caught.value.problems == (("title", "it is missing"),)
        await shows(deployment, "/visit/", "Visit")
        made = await deployment.add("/new/", title=title, publish=False)
        assert (made.path, made.state) == ("/new/", "draft")

    deployments(scenario)


def test_what_visitors_do_not_see_of_a_page_is_said(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        newer = {"type": "markdown", "version": 99, "data": {"text": "Newer."}}
        columns = {
            "type": "columns",
            "data": {"layout": "6-6", "columns": [[{"type": "markdwon", "data": {}}], []]},
        }
        blocks = [{"type": "markdown", "data": {"text": "Seen."}}, newer, columns]
        saved = await deployment.do("pages.edit", path="/visit/", regions={"main": blocks})
        live = await deployment.do("pages.publish", path="/visit/")
        shown = await deployment.do("pages.show", path="/visit/")
        told = [(notice.where, notice.what.partition(" It is kept")[0]) for notice in live.warnings]
        assert told == [
            ("main[1]", "The block 'markdown' was made by a newer version (99; here is 1)."),
            (
                "main[2].markdwon[0]",
                "There is no block type 'markdwon'; did you mean 'markdown'?",
            ),
        ]
        assert saved.warnings == live.warnings == shown.warnings
        assert (await deployment.do("pages.show", path="/")).warnings == []

    deployments(scenario)


def test_every_problem_of_a_page_is_named_at_once(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(InvalidInput) as caught:
            await deployment.do(
                "pages.edit", path="/", title="\0", summary="\0", layout="x", details={"date": "x"}
            )
        named = {where for where, _ in caught.value.problems}
        assert named == {"title", "summary", "layout", "details.date"}

    deployments(scenario)


def test_dates_count_alike_on_every_machine(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> str:
        # Without a zone a date is in UTC: at 23:30 the day before in Kiritimati, 09:30 of it.
        dates = ("2024-05-02T00:30:00+14:00", "2024-05-01", "0001-01-01", "9999-12-31")
        for n, date in enumerate(dates):
            await deployment.add(
                f"/news/n{n}/", title=f"N{n}.", layout="post", details={"date": date}
            )
        text = (await deployment.get("/news/")).text
        return "".join(sorted("0123", key=lambda n: text.index(f"N{n}.")))

    import time

    orders = set()
    for zone in ("Pacific/Kiritimati", "America/Los_Angeles"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        orders.add(deployments(scenario))
    monkeypatch.delenv("TZ")
    time.tzset()
    assert orders == {"3012"}


def test_addresses_and_sites_that_are_not_there_are_named(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(NotFound, match=r"no page '/gone/' on the site 'main'"):
            await deployment.do("pages.publish", path="/gone")
        with pytest.raises(NotFound, match=r"no site 'shop'.*site list"):
            await deployment.do("pages.list", site="shop")
        with pytest.raises(InvalidInput, match="is no path of a page"):
            await deployment.do("pages.show", path="visit")
        with pytest.raises(Conflict, match="'/visit/' already"):
            await deployment.add("/visit/")

    deployments(scenario)
