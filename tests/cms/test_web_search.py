"""The page on which visitors search a site."""

from __future__ import annotations

import pytest

from mosaic_cms.networks import neighbourhood
from tests.cms.deployment import Deployment, Deployments


def test_what_is_published_is_found_and_marked(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/tiles/", title="Tiles", body="Cobalt <b>glaze</b> & a draft.")
        await deployment.add("/secret/", title="Cobalt draft", publish=False)
        answer = await deployment.get("/search/?q=cobalt")
        assert answer.status_code == 200
        assert '<a href="/tiles/">Tiles</a>' in answer.text
        assert "<mark>Cobalt</mark>" in answer.text
        assert "/secret/" not in answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert '<meta name="robots" content="noindex">' in answer.text
        assert (
            "/tiles/" not in (await deployment.get("/search/?q=cobalt", "bread.mosaic.test")).text
        )

    deployments(scenario)


def test_a_word_with_a_note_is_found_as_it_is_written(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        body = "Old ovens[^1] stand here.[^2]\n\n[^1]: Of brick.\n[^2]: Still."
        await deployment.add("/ovens/", title="Fire", body=body)
        answer = await deployment.get("/search/?q=ovens+stand")
        assert "Shown instead" not in answer.text
        assert (
            "Old <mark>ovens</mark> <mark>stand</mark> here.\nOf brick.\nStill.</p>" in answer.text
        )

    deployments(scenario)


@pytest.mark.parametrize(
    "query",
    ["<script>alert(1)</script>", '"><img src=x>', "' OR 1=1", "NEAR(", "\x00", "%", "🏺" * 300],
)
def test_any_query_is_text(deployments: Deployments, query: str) -> None:
    async def scenario(deployment: Deployment) -> None:
        answer = await deployment.client.get(
            "http://aurora.mosaic.test/search/", params={"q": query}
        )
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "<img src=x>" not in answer.text

    deployments(scenario)


def test_without_a_query_there_is_the_form(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for path in ("/search/", "/search/?q=", "/search/?q=%20"):
            answer = await deployment.get(path)
            assert answer.status_code == 200
            assert 'name="q"' in answer.text
        assert "Nothing was found" in (await deployment.get("/search/?q=zzzzqqq")).text
        assert (await deployment.get("/search?q=a")).headers["location"] == "/search/?q=a"

    deployments(scenario)


def test_what_is_found_comes_in_pages(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for number in range(12):
            await deployment.add(f"/glaze-{number}/", title=f"Glaze {number}")
        first = (await deployment.get("/search/?q=glaze")).text
        second = (await deployment.get("/search/?q=glaze&page=2")).text
        assert (
            first.count('<li><h2><a href="/glaze'),
            second.count('<li><h2><a href="/glaze'),
        ) == (
            10,
            2,
        )
        assert 'rel="next" href="/search/?q=glaze&amp;page=2"' in first
        assert 'rel="prev" href="/search/?q=glaze"' in second
        for page in ("3", "0", "x", "9999"):
            assert (await deployment.get(f"/search/?q=glaze&page={page}")).status_code == 404

    deployments(scenario)


def test_a_visitor_who_asks_too_often_is_asked_to_wait(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        answers = [await deployment.get("/search/?q=tiles") for _ in range(25)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert 3 <= len(refused) <= 5
        assert int(refused[0].headers["retry-after"]) >= 1
        assert "Aurora" in refused[0].text
        host = [(b"host", b"aurora.mosaic.test")]
        other = await deployment.ask("/search/", host, query=b"q=tiles", peer="192.0.2.9")
        assert other.status == 200
        assert (await deployment.get("/search/")).status_code == 200

    deployments(scenario)


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("x" * 100, "x" * 64),
        ("", ""),
    ],
)
def test_a_household_is_one_visitor(address: str, known: str) -> None:
    assert neighbourhood(address) == known


def test_what_a_layout_does_not_show_is_not_found(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        block = {"type": "markdown", "data": {"text": "A zanzibar."}}
        regions = {"main": [], "nowhere": [block]}
        await deployment.add("/hidden/", regions=regions)
        assert "zanzibar" not in (await deployment.get("/hidden/")).text
        assert 'href="/hidden/"' not in (await deployment.get("/search/?q=zanzibar")).text

    deployments(scenario)
