"""The mail that tells of a form: who, where and what, whatever somebody wrote into it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mosaic_cms.mailing import words
from mosaic_core.mail import Mail
from mosaic_core.testing.fakes import MemoryMailer, memory_mailer
from mosaic_core.testing.mail import HEADERS, parsed, text_of
from tests.cms.deployment import Deployment, Deployments
from tests.cms.plugs import plugins_with
from tests.cms.test_web_forms import add_form, post

Scenario = Callable[[Deployment, MemoryMailer], Awaitable[None]]


@pytest.fixture
def with_mail(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Scenario], None]:
    def run(scenario: Scenario) -> None:
        mailer = MemoryMailer()
        plugins = plugins_with(
            monkeypatch, post_office={"mosaic_mail": lambda: memory_mailer(mailer)}
        )

        async def opened(deployment: Deployment) -> None:
            await scenario(deployment, mailer)

        deployments(opened, plugins=plugins)

    return run


async def told(deployment: Deployment, mailer: MemoryMailer, **given: Any) -> Mail:
    """The mail about a form that was filled in."""
    answer = await post(deployment, **given)
    assert answer.status_code == 303
    mailer.sent.clear()
    assert await deployment.product.postman.deliver() == 1
    (mail,) = mailer.sent
    return mail


def test_it_says_which_form_on_which_page_and_what(with_mail: Any) -> None:
    async def scenario(deployment: Deployment, mailer: MemoryMailer) -> None:
        await add_form(deployment)
        mail = await told(deployment, mailer, more="Two\nlines", age="7")
        assert mail.to == "desk@museum.example"
        assert mail.subject == "Write to us – ada@example.com"
        assert mail.reply_to == "ada@example.com"
        assert mail.text.startswith(
            "ada@example.com filled in the form “Write to us” on the page “Contact” of Aurora.\n\n"
            "Name:\n    Ada\n\nMail:\n    ada@example.com\n\nAge:\n    7\n\nDay:\n    –\n\n"
        )
        assert "More:\n    Two\n    lines\n\n" in mail.text
        assert "\nhttps://museum.example/contact/\n" in mail.text
        assert " UTC (UTC" in mail.text
        assert "because the form names desk@museum.example" in mail.text
        assert mail.html is not None
        assert '<a href="https://museum.example/contact/">' in mail.html
        assert ">Two\nlines</dd>" in mail.html

    with_mail(scenario)


def test_without_an_address_nobody_but_the_platform_gets_an_answer(with_mail: Any) -> None:
    async def scenario(deployment: Deployment, mailer: MemoryMailer) -> None:
        fields = [{"key": "note", "label": "Note"}]
        await add_form(deployment, fields=fields)
        mail = await told(deployment, mailer, note="Hello", name=None, mail=None, agree=None)
        assert mail.reply_to is None
        assert mail.subject == "Write to us – Aurora"
        assert mail.text.startswith("A visitor filled in the form")
        assert "answer to this mail" not in mail.text.lower()

    with_mail(scenario)


def test_it_is_in_the_site_s_language(with_mail: Any) -> None:
    async def scenario(deployment: Deployment, mailer: MemoryMailer) -> None:
        await add_form(deployment)
        facts = {"form": "Write to us", "page": "Contact", "site": "Aurora"}
        facts |= {"who": "ada@example.com", "to": "desk@museum.example"}
        for language in ("de", "tr", "fr", "es", "ar", "pt-BR"):
            await deployment.do("sites.configure", language=language)
            mail = await told(deployment, mailer)
            said = words.words(language)
            for key in ("about", "reply", "why"):
                assert said[key].format(**facts) in mail.text
            assert f'<html lang="{language}">' in (mail.html or "")

    with_mail(scenario)


def test_every_language_has_the_same_words_and_places() -> None:
    for found in words._WORDS.values():
        assert found.keys() == words._ENGLISH.keys()
        for key, text in words._ENGLISH.items():
            places = set(re.findall(r"\{(\w+)\}", text))
            assert set(re.findall(r"\{(\w+)\}", found[key])) == places


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "x\r\nBcc: eve@example.com",
    "=?utf-8?q?a=0ABcc=3Aeve=40example.com?=",
    "{who} {0} {{ 7 * 7 }} {% raw %}",
    "\u202egpj.exe",
    "Mail:\n    eve@example.com\n\nhttps://evil.example/",
    ".\r\n.\r\nQUIT",
    "&amp; &lt;b&gt;",
    "\u2028\u2029\x85",
)
#: What the HTML consists of, and what begins at the margin of the text, whatever was filled in.
ELEMENTS = {"html", "head", "meta", "title", "body", "h1", "p", "dl", "dt", "dd", "a", "br"}
LABELS = ["Name:", "Mail:", "Age:", "Day:", "Way:", "More:", "I agree:"]


def test_what_a_visitor_wrote_does_nothing(with_mail: Any) -> None:
    async def scenario(deployment: Deployment, mailer: MemoryMailer) -> None:
        await add_form(deployment)
        for value in HOSTILE:
            mail = await told(deployment, mailer, name=f"N {value}"[:900], more=value)
            found = parsed(mail.as_bytes())
            assert set(found.keys()) == HEADERS | {"Reply-To"}
            assert len(found.keys()) == len(HEADERS) + 1
            assert str(found["To"]) == "desk@museum.example"
            html = text_of(found, "html") or ""
            assert set(re.findall(r"<(\w+)", html)) == ELEMENTS
            assert re.findall(r'href="([^"]*)"', html) == ["https://museum.example/contact/"]
            # What is at the margin is ours; what somebody wrote is indented.
            margin = [line for line in mail.text.split("\n") if line[:1] not in {" ", ""}]
            assert [line for line in margin if line.endswith(":")] == LABELS
            assert not [line for line in margin if "evil.example" in line]

    with_mail(scenario)


def test_what_the_form_s_author_wrote_does_nothing_either(with_mail: Any) -> None:
    async def scenario(deployment: Deployment, mailer: MemoryMailer) -> None:
        heading = '<b>{who}</b> =?utf-8?q?a=0Ab?= "'
        await add_form(deployment, heading=heading)
        mail = await told(deployment, mailer)
        assert mail.subject == '<b>{who}</b> = ?utf-8?q?a=0Ab?= " – ada@example.com'
        assert "<b>" not in (mail.html or "")

    with_mail(scenario)


def test_a_long_answer_is_shortened_in_the_mail_alone(with_mail: Any) -> None:
    async def scenario(deployment: Deployment, mailer: MemoryMailer) -> None:
        await add_form(deployment)
        mail = await told(deployment, mailer, more="x" * 20_000)
        assert "x" * 5_000 + "… (shortened here; all of it is kept)" in mail.text
        (kept,) = await deployment.do("forms.submissions")
        assert "x" * 20_000 in {field["value"] for field in kept.fields}

    with_mail(scenario)


def test_an_address_that_not_every_server_takes_is_in_the_text(with_mail: Any) -> None:
    async def scenario(deployment: Deployment, mailer: MemoryMailer) -> None:
        await add_form(deployment)
        mail = await told(deployment, mailer, mail="dörte@example.com")
        assert mail.reply_to is None
        assert not mail.needs_utf8
        assert "dörte@example.com" in mail.text
        mail = await told(deployment, mailer, mail="ada@bücher.example")
        assert mail.reply_to == "ada@xn--bcher-kva.example"

    with_mail(scenario)


def test_what_was_deleted_meanwhile_is_told_to_nobody(with_mail: Any) -> None:
    async def scenario(deployment: Deployment, mailer: MemoryMailer) -> None:
        await add_form(deployment)
        await post(deployment)
        (kept,) = await deployment.do("forms.submissions")
        await deployment.do("forms.delete_submission", id=kept.id)
        assert await deployment.product.postman.deliver() == 1
        assert mailer.sent == []
        assert await deployment.rule("mails.list") == []

    with_mail(scenario)


def test_a_page_that_is_not_published_any_more_is_named_without_a_link(with_mail: Any) -> None:
    async def scenario(deployment: Deployment, mailer: MemoryMailer) -> None:
        await add_form(deployment)
        await post(deployment)
        await deployment.do("pages.unpublish", path="/contact/")
        await deployment.do("pages.delete", path="/contact/")
        assert await deployment.product.postman.deliver() == 1
        (mail,) = mailer.sent
        assert "“Contact”" in mail.text
        assert "https://" not in mail.text

    with_mail(scenario)


def test_the_outbox_keeps_nothing_of_what_the_visitor_wrote(with_mail: Any) -> None:
    async def scenario(deployment: Deployment, mailer: MemoryMailer) -> None:
        await add_form(deployment)
        await post(deployment, name="A canary", more="Another canary")
        outbox = deployment.product.platform.writing.outbox(deployment.scope().tenant)
        (message,) = await outbox.messages(("mail.send",), 10)
        assert "anary" not in repr(message)
        assert "ada@example.com" not in repr(message)

    with_mail(scenario)


def test_a_visitor_does_not_wait_for_the_mail(
    with_mail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment, mailer: MemoryMailer) -> None:
        async def never(mail: Mail) -> None:
            raise AssertionError("it was sent within the request")

        await add_form(deployment)
        monkeypatch.setattr(mailer, "send", never)
        assert (await post(deployment)).status_code == 303

    with_mail(scenario)


def test_links_lead_to_this_machine_when_the_platform_is_on_it(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        platform = deployment.product.platform
        assert platform.origin("aurora.localhost") == "http://aurora.localhost:8765"
        assert platform.origin("localhost") == "http://localhost:8765"
        assert platform.origin("www.localhost.example") == "https://www.localhost.example"

    deployments(scenario, serve={"port": 8765})


def test_a_notification_s_address_is_checked_when_the_form_is_published(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        for notify in ("desk@museum", "a@b.example\nBcc: c@d.example", "Desk <desk@m.example>"):
            with pytest.raises(Exception, match="notify"):
                await add_form(deployment, notify=notify)
            await deployment.do("pages.delete", path="/contact/")

    deployments(scenario)
