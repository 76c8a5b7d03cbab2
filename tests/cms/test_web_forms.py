"""Forms that visitors send, from the page to the table."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from mosaic_core.head import TENANT
from mosaic_core.head.outbox import messages
from mosaic_core.tenants import TenantStatus
from tests.cms.deployment import Deployment, Deployments
from tests.cms.projection import projected, rebuilt

FORM = {
    "heading": "Write to us",
    "text": "We answer soon.",
    "success": "Thank you. We <b>read</b> it all.",
    "notify": "desk@museum.example",
    "fields": [
        {"key": "name", "label": "Name", "required": True},
        {"key": "mail", "kind": "email", "label": "Mail", "required": True, "help": "To answer."},
        {"key": "age", "kind": "number", "label": "Age"},
        {"key": "day", "kind": "date", "label": "Day"},
        {"key": "way", "kind": "choice", "label": "Way", "choices": ["By  bus", "On foot"]},
        {"key": "more", "kind": "long_text", "label": "More"},
        {"key": "agree", "kind": "consent", "label": "I agree"},
    ],
}
GOOD = {"_form": "f1", "name": "Ada", "mail": "ada@example.com", "agree": "yes", "_website": ""}


async def add_form(deployment: Deployment, **changes: Any) -> None:
    block = {"id": "f1", "type": "form", "data": FORM | changes}
    await deployment.add("/contact/", title="Contact", regions={"main": [block]})


async def post(
    deployment: Deployment, path: str = "/contact/?form=f1", /, headers: Any = None, **given: Any
) -> httpx.Response:
    return await deployment.client.post(
        f"http://aurora.mosaic.test{path}",
        data={key: value for key, value in (GOOD | given).items() if value is not None},
        headers=headers or {},
    )


async def stored(deployment: Deployment) -> list[Any]:
    return list(await deployment.do("forms.submissions"))


def test_what_a_visitor_sends_is_kept_and_thanked_for(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        assert "<form method" in (await deployment.get("/contact/")).text  # and kept from now on
        answer = await post(deployment, more="Two\r\nlines\x07", age="3,5", unknown="x")
        assert (answer.status_code, answer.text) == (303, "")
        assert answer.headers["location"] == "/contact/?sent=f1#form-f1"
        thanked = await deployment.get("/contact/?sent=f1")
        assert "Thank you. We &lt;b&gt;read&lt;/b&gt; it all." in thanked.text
        assert "<form method" not in thanked.text
        assert thanked.headers["cache-control"] == "no-store"
        (kept,) = await stored(deployment)
        assert kept.path == "/contact/"
        values = {field["key"]: field["value"] for field in kept.fields}
        assert values["more"] == "Two\nlines"
        assert values["age"] == "3,5"
        assert list(values) == ["name", "mail", "age", "day", "way", "more", "agree"]
        assert "<form method" in (await deployment.get("/contact/")).text
        assert "<form method" in (await deployment.get("/contact/?sent=other")).text
        assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")

    deployments(scenario)


def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        answer = await post(
            deployment, name="", mail='"><script>x', age="many", day="2025-02-30", way="By car"
        )
        assert answer.status_code == 422
        text = answer.text
        for key in ("name", "mail", "age", "day", "way"):
            assert f'id="f-f1-{key}-error"' in text
            assert f'<a href="#f-f1-{key}">' in text
        assert text.count('aria-invalid="true"') == 5
        assert 'aria-describedby="f-f1-mail-error f-f1-mail-help"' in text
        assert 'value="&#34;&gt;&lt;script&gt;x"' in text
        assert 'role="alert" tabindex="-1"' in text
        assert " checked" in text
        assert answer.headers["cache-control"] == "no-store"
        assert await stored(deployment) == []
        german = await post(deployment, way="By bus")
        assert german.status_code == 303

    deployments(scenario)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", " \t "),
        ("name", "x" * 1_001),
        ("more", "x" * 20_001),
        ("mail", "a@b"),
        ("mail", "a@b.c@d.e"),
        ("mail", "a b@c.de"),
        ("mail", "a@b.c\r\nBcc: d@e.f"),
        ("age", "1e5"),
        ("age", "٣x"),
        ("day", "20250101"),
        ("day", "2025-13-01"),
        ("agree", ""),
        ("agree", "no"),
        ("way", "by bus"),
    ],
)
def test_an_answer_that_does_not_fit_its_field_is_refused(
    deployments: Deployments, key: str, value: str
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        answer = await post(deployment, **{key: value})
        assert answer.status_code == 422
        assert f'id="f-f1-{key}-error"' in answer.text
        assert await stored(deployment) == []

    deployments(scenario)


def test_who_fills_in_what_people_do_not_see_is_thanked_and_forgotten(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        answer = await post(deployment, _website="http://spam.example")
        assert answer.status_code == 303
        assert await stored(deployment) == []

    deployments(scenario)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"origin": "http://aurora.mosaic.test"}, 303),
        ({"origin": "http://museum.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "http://aurora.mosaic.test"}, 303),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_a_form_comes_from_its_own_site(
    deployments: Deployments, headers: dict[str, str], status: int
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        answer = await post(deployment, headers=headers)
        assert answer.status_code == status
        assert len(await stored(deployment)) == (status == 303)

    deployments(scenario)


def test_a_form_may_be_sent_in_parts_but_files_are_left_out(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        answer = await deployment.client.post(
            "http://aurora.mosaic.test/contact/",
            data=GOOD | {"more": "ünï\r\ncode"},
            files={"name2": ("a.txt", b"x"), "way": ("b.txt", b"By bus")},
        )
        assert answer.status_code == 303
        (kept,) = await stored(deployment)
        values = {field["key"]: field["value"] for field in kept.fields}
        assert (values["more"], values["way"]) == ("ünï\ncode", "")

    deployments(scenario)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/x-www-form-urlencoded", b"_form=f1&more=" + b"x" * 70_000, 413),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 300), 400),
        ("application/x-www-form-urlencoded", b"_form=none", 400),
        ("application/x-www-form-urlencoded", b"", 400),
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx", 400),
        ("multipart/form-data; boundary=b", b"--b\r\nx\r\n" * 300 + b"--b--", 400),
        ("", b"_form=f1", 415),
    ],
)
def test_what_is_no_form_is_refused(
    deployments: Deployments, content_type: str, body: bytes, status: int
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        answer = await deployment.client.post(
            "http://aurora.mosaic.test/contact/",
            content=body,
            headers={"content-type": content_type},
        )
        if content_type:
            assert answer.status_code == status
        assert "Aurora" in answer.text
        assert await stored(deployment) == []

    deployments(scenario)


def test_only_a_page_that_shows_a_form_takes_one(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        assert (await post(deployment, "/visit/")).status_code == 405
        await deployment.do("pages.edit", path="/contact/", regions={"main": []})
        assert (await post(deployment)).status_code == 303  # a draft changes nothing
        await deployment.do("pages.publish", path="/contact/")
        assert (await post(deployment)).status_code == 405
        await deployment.do("pages.unpublish", path="/contact/")
        assert (await post(deployment)).status_code == 405

    deployments(scenario)


def test_a_form_inside_other_blocks_works_too(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        inner = {"id": "f1", "type": "form", "version": 1, "data": FORM}
        columns = {"layout": "6-6", "columns": [[inner], []]}
        regions = {"main": [{"type": "columns", "data": columns}]}
        await deployment.add("/contact/", regions=regions)
        assert (await post(deployment)).status_code == 303

    deployments(scenario)


def test_one_visitor_cannot_fill_the_table(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        statuses = [(await post(deployment)).status_code for _ in range(13)]
        assert statuses[:10] == [303] * 10
        assert 429 in statuses[10:]

    deployments(scenario)


@pytest.mark.parametrize("action", ["suspend", "close"])
def test_a_site_that_takes_nothing_says_so(deployments: Deployments, action: str) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        directory = deployment.product.platform.directory
        status = TenantStatus.READ_ONLY if action == "suspend" else TenantStatus.CLOSED
        tenant = directory.named("aurora")
        await directory.change(
            tenant.tenant_id, status=status, reason="Unpaid.", actor="test", action="x"
        )
        answer = await post(deployment)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert await stored(deployment) == []

    deployments(scenario)


def test_a_notification_waits_until_something_sends_it(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        await post(deployment)
        (kept,) = await stored(deployment)
        product = deployment.product

        async def waiting() -> list[Any]:
            async with deployment.scope().read() as session:
                return await messages(session, TENANT, 10)

        about = {
            "kind": "form",
            "to": "desk@museum.example",
            "submission": str(kept.id),
            "form": "Write to us",
            "reply_to": "mail",
        }
        assert [(found.topic, found.payload) for found in await waiting()] == [("mail.send", about)]
        # It neither keeps others from being dealt with nor is looked at all the time.
        await deployment.do("pages.edit", path="/visit/", title="New")
        await deployment.do("pages.publish", path="/visit/")
        assert await product.settle_all() == 0
        assert await product.platform.directory.hinted(("projection.render",)) == []
        assert [found.topic for found in await waiting()] == ["mail.send"]

    deployments(scenario)


def test_submissions_come_out_as_a_table_that_runs_nothing(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        evil = ['=HYPERLINK("x")', "+1", "-1", "@x", 'a,"b"', "\u0130ş"]
        for name in evil:
            await post(deployment, name=name, more="two\nlines")
        made = await deployment.do("forms.export", path="/contact/")
        assert made.rows == len(evil)
        rows = list(csv.DictReader(io.StringIO(made.text)))
        names = [row["name"] for row in rows]
        assert names == ['\'=HYPERLINK("x")', "'+1", "'-1", "'@x", 'a,"b"', "\u0130ş"]
        assert {row["more"] for row in rows} == {"two\nlines"}
        assert {row["page"] for row in rows} == {"/contact/"}
        (first, *_) = reversed(await stored(deployment))
        await deployment.do("forms.delete_submission", id=first.id)
        assert len(await stored(deployment)) == len(evil) - 1
        assert len(await deployment.do("forms.submissions", limit=2)) == 2
        assert await deployment.do("forms.submissions", form_id="other") == []
        assert await deployment.do("forms.submissions", "bread") == []

    deployments(scenario)


def test_who_sent_it_is_in_the_log(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        await post(deployment)
        log = TENANT.changes
        async with deployment.scope().read() as session:
            found = await session.execute(
                select(log.c.actor, log.c.action).where(log.c.entity == "submissions")
            )
            assert list(found) == [("visitor", "forms.submit")]

    deployments(scenario)


def test_a_form_that_a_page_shows_twice_has_elements_of_its_own_each_time(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        form = {"id": "f1", "type": "form", "data": FORM}
        shared = await deployment.do("shared.create", name="Form", blocks=[form])
        await deployment.do("shared.publish", id=shared.id)
        block = {"type": "shared", "data": {"reference": f"shared:{shared.id}"}}
        await deployment.add("/contact/", regions={"main": [block, block]})
        html = (await deployment.get("/contact/")).text
        assert html.count("<form method") == 2
        ids = re.findall(r' id="([^"]+)"', html)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r' (?:for|aria-labelledby)="([^"]+)"', html)) <= set(ids)
        refused = await post(deployment, mail="none")
        assert refused.status_code == 422
        assert refused.text.count('role="alert"') == 1
        assert (await post(deployment)).status_code == 303
        assert len(await stored(deployment)) == 1

    deployments(scenario)
