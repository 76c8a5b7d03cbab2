"""A browser without scripts signs in, confirms, sets a password and accepts, on plain pages."""

from __future__ import annotations

import html
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pyotp
import pytest

from mosaic_cms.api.app import Api
from mosaic_cms.api.cookies import PENDING, SESSION
from mosaic_core.testing.fakes import MemoryMailer, memory_mailer
from tests.api.conftest import SHARED
from tests.cms.deployment import Deployment, Deployments
from tests.cms.identity.people import ADA, PASSWORD, People, cheaply
from tests.cms.plugs import plugins_with

HOME = f"https://{SHARED}"
OTHER = "another horse, and a battery"


@dataclass
class Browser(People):
    """A browser: it keeps cookies, follows no redirect, and sends the forms that it sees."""

    client: httpx.AsyncClient = None  # type: ignore[assignment]

    async def get(self, path: str, host: str = HOME) -> httpx.Response:
        return await self.client.get(f"{host}{path}")

    async def fill(
        self, page: str | httpx.Response, headers: dict[str, str] | None = None, **fields: str
    ) -> httpx.Response:
        """Sends the form of a page, as it was shown but for these fields."""
        shown = await self.get(page) if isinstance(page, str) else page
        (target,) = re.findall(r'<form method="post" action="([^"]+)"', shown.text)
        found = re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', shown.text)
        data = {name: html.unescape(value) for name, value in found} | fields
        given = {"origin": HOME, "sec-fetch-site": "same-origin"} if headers is None else headers
        return await self.client.post(f"{HOME}{target}", data=data, headers=given)

    async def link(self) -> str:
        """Where the last letter leads to."""
        found = re.search(rf"{HOME}(/account/\S+)", (await self.mails())[-1].text)
        assert found is not None
        return found[1]


Run = Callable[[Callable[[Browser], Awaitable[Any]]], None]


@pytest.fixture
def run(deployments: Deployments, monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(scenario: Callable[[Browser], Awaitable[Any]]) -> None:
        mailer = MemoryMailer()
        plugins = plugins_with(
            monkeypatch, post_office={"mosaic_mail": lambda: memory_mailer(mailer)}
        )

        async def opened(deployment: Deployment) -> None:
            cheaply(deployment.product)
            api = Api(deployment.product)
            transport = httpx.ASGITransport(api, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport) as client:
                await scenario(Browser(deployment, mailer, client=client))

        deployments(opened, plugins=plugins)

    return run


def test_a_cookie_that_was_not_made_here_keeps_nobody_from_signing_in(run: Run) -> None:
    async def scenario(browser: Browser) -> None:
        await browser.signed_up()
        made_up = {"name": SESSION, "value": "made-up", "domain": SHARED, "path": "/"}
        browser.client.cookies.set(**made_up)
        shown = await browser.get("/account/")
        assert (shown.status_code, "Sign in" in shown.text) == (200, True)
        assert SESSION not in browser.client.cookies, "it is forgotten"
        browser.client.cookies.set(**made_up)
        wrong = await browser.fill(shown, email=ADA, password=OTHER)
        assert (wrong.status_code, SESSION in browser.client.cookies) == (401, False)
        browser.client.cookies.set(**made_up)
        signed = await browser.fill(shown, email=ADA, password=PASSWORD)
        assert signed.status_code == 303
        assert browser.client.cookies[SESSION] != "made-up"

    run(scenario)


def test_from_a_letter_to_a_session_and_out_of_it(run: Run) -> None:
    async def scenario(browser: Browser) -> None:
        await browser.ask("accounts.sign_up", email=ADA, name="Ada", password=PASSWORD)
        link = await browser.link()
        wrong = await browser.fill(link, password=OTHER)
        assert (wrong.status_code, 'role="alert"' in wrong.text) == (401, True)
        confirmed = await browser.fill(link, password=PASSWORD)
        assert (confirmed.status_code, "is confirmed" in confirmed.text) == (200, True)
        again = await browser.fill(link, password=PASSWORD)
        assert (again.status_code, 'role="alert"' in again.text) == (422, True)

        start = await browser.get("/")
        assert (start.status_code, start.headers["location"]) == (303, "/account/")
        wrong = await browser.fill("/account/", email=ADA, password=OTHER)
        assert (wrong.status_code, "The address or the password is wrong." in wrong.text) == (
            401,
            True,
        )
        assert f'value="{ADA}"' in wrong.text
        assert OTHER not in wrong.text
        signed = await browser.fill(wrong, email=ADA, password=PASSWORD)
        assert (signed.status_code, signed.headers["location"]) == (303, "/account/")
        assert SESSION in browser.client.cookies
        home = await browser.get("/account/")
        assert f"You are Ada, with the address {ADA}." in home.text
        assert "script" not in home.text
        assert "default-src 'none'" in home.headers["content-security-policy"]
        assert home.headers["cache-control"] == "no-store"
        out = await browser.fill(home)
        assert out.status_code == 303
        assert SESSION not in browser.client.cookies
        assert "Sign in" in (await browser.get("/account/")).text

    run(scenario)


def test_a_password_that_was_forgotten_is_set_anew(run: Run) -> None:
    async def scenario(browser: Browser) -> None:
        await browser.signed_up()
        nobody = await browser.fill("/account/forgotten", email="nobody@example.com")
        asked = await browser.fill("/account/reset", email=ADA)
        assert asked.text == nobody.text, "nobody learns who has an account"
        link = await browser.link()
        short = await browser.fill(link, password="short")
        assert (short.status_code, "12 characters" in short.text) == (422, True)
        done = await browser.fill(short, password=OTHER)
        assert (done.status_code, "is set" in done.text) == (200, True)
        assert (await browser.fill("/account/", email=ADA, password=OTHER)).status_code == 303

    run(scenario)


def test_the_second_step_has_a_page_and_leads_to_where_one_wanted(run: Run) -> None:
    async def scenario(browser: Browser) -> None:
        await browser.signed_up()
        actor, _ = await browser.browser()
        begun = await browser.ask("accounts.totp_begin", actor, password=PASSWORD)
        code = pyotp.TOTP(begun.secret).now()
        codes = (await browser.ask("accounts.totp_confirm", actor, code=code)).codes
        page = "/account/sign-in?return_to=/account/invitation?token=x"
        half = await browser.fill(page, email=ADA, password=PASSWORD)
        assert half.headers["location"].startswith("/account/second-step?return_to=")
        assert PENDING in browser.client.cookies
        wrong = await browser.fill(half.headers["location"], code="000000")
        assert (wrong.status_code, "000000" in wrong.text) == (401, False)
        whole = await browser.fill(wrong, code=codes[0])
        assert whole.headers["location"] == "/account/invitation?token=x"
        assert SESSION in browser.client.cookies
        for elsewhere in ("//evil.example", "https://evil.example/"):
            page = f"/account/sign-in?return_to={elsewhere}"
            browser.client.cookies.clear()
            half = await browser.fill(page, email=ADA, password=PASSWORD)
            assert half.headers["location"].endswith("return_to=%2Faccount%2F")

    run(scenario)


def test_who_is_invited_signs_in_and_accepts(run: Run) -> None:
    async def scenario(browser: Browser) -> None:
        await browser.signed_up()
        await browser.deployment.do("invitations.create", email=ADA, role="editor")
        link = await browser.link()
        first = await browser.get(link)
        assert first.status_code == 303
        signed = await browser.fill(first.headers["location"], email=ADA, password=PASSWORD)
        assert signed.headers["location"] == link
        accepted = await browser.fill(link)
        assert (accepted.status_code, "You belong to it now." in accepted.text) == (200, True)
        home = await browser.get("/account/")
        assert '<a href="https://museum.example/">Aurora</a>' in home.text

    run(scenario)


def test_a_form_of_another_page_is_refused(run: Run) -> None:
    async def scenario(browser: Browser) -> None:
        await browser.signed_up()
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            refused = await browser.fill("/account/", headers, email=ADA, password=PASSWORD)
            assert refused.status_code == 403
        await browser.fill("/account/", email=ADA, password=PASSWORD)
        home = await browser.get("/account/")
        forged = await browser.client.post(f"{HOME}/account/sign-out", data={"csrf": "x"})
        assert forged.status_code == 403
        assert "You are Ada" in (await browser.get("/account/")).text
        assert (await browser.fill(home)).status_code == 303

    run(scenario)


def test_what_is_no_page_of_an_account_is_not_there(run: Run) -> None:
    async def scenario(browser: Browser) -> None:
        assert (await browser.get("/account/nothing")).status_code == 404
        assert (await browser.get("/account/", "https://aurora.mosaic.test")).status_code == 404
        broken = await browser.client.post(f"{HOME}/account/sign-in", content=b"x")
        assert (broken.status_code, "cannot be read" in broken.text) == (415, True)
        long = await browser.fill("/account/", email=ADA, password="x" * 2_000)
        assert (long.status_code, "x" * 100 in long.text) == (422, False)
        invited = await browser.get("/account/invitation")
        assert invited.status_code == 303
        assert (await browser.get("/account/reset?token=%00%ff")).status_code == 200

    run(scenario)
