"""What the letters about an account say, and where their links lead."""

from __future__ import annotations

import pytest

from mosaic_core.testing.fakes import MemoryMailer, memory_mailer
from mosaic_core.testing.mail import parsed
from tests.cms.deployment import Deployment, Deployments
from tests.cms.identity.people import ADA, PASSWORD, Meet, People, cheaply
from tests.cms.plugs import plugins_with


def test_a_letter_to_verify_has_a_link_in_text_and_html(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        given = {"name": "Buy pills at evil.example", "password": PASSWORD}
        await people.ask("accounts.sign_up", email=ADA, **given)
        (mail,) = await people.mails()
        assert mail.to == ADA
        assert "https://mosaic.test/account/verify?token=" in mail.text
        assert mail.html is not None
        assert 'href="https://mosaic.test/account/verify?token=' in mail.html
        assert "counts once, until " in mail.text
        assert "pills" not in mail.text + mail.html
        assert parsed(mail.as_bytes())["To"] == ADA

    meet(scenario)


def test_the_platform_s_name_is_a_name_and_nothing_else(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailer = MemoryMailer()
    plugins = plugins_with(monkeypatch, post_office={"mosaic_mail": lambda: memory_mailer(mailer)})

    async def scenario(deployment: Deployment) -> None:
        cheaply(deployment.product)
        people = People(deployment, mailer)
        await people.ask("accounts.sign_up", email=ADA, name="Ada", password=PASSWORD)
        (mail,) = await people.mails()
        assert mail.subject == "Confirm your address for A <b>& {to}"
        assert mail.html is not None
        assert "A &lt;b&gt;&amp; {to}" in mail.html

    deployments(scenario, plugins=plugins, platform={"name": "A <b>& {to}"})


def test_a_letter_about_what_is_not_so_any_more_is_not_sent(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.rule("accounts.create", email=ADA, name="Ada")
        await people.rule("accounts.deactivate", email=ADA)  # its link counts no more
        assert await people.mails() == []
        assert await people.rule("mails.list") == []

    meet(scenario)
