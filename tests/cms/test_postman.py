"""Mail gets out of the outboxes: once, later when it must be, and never at another's cost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mosaic_cms import postman as postman_module
from mosaic_cms.mailing.letters import MAIL, Letter, post
from mosaic_cms.postman import LEASE, PAUSES, Postman
from mosaic_cms.scope import PlatformScope, TenantScope
from mosaic_core.errors import (
    ConfigurationError,
    MailDeferred,
    MailError,
    MailRefused,
    MailUnavailable,
    NotFound,
)
from mosaic_core.head import PLATFORM, TENANT, Write
from mosaic_core.head.outbox import Message
from mosaic_core.mail import Mail
from mosaic_core.testing.fakes import MemoryMailer, memory_mailer
from tests.cms.deployment import Deployment, Deployments, opened
from tests.cms.plugs import plugins_with

#: The addresses that fail, and how.
FAILING: Mapping[str, type[MailError]] = {
    "refused@example.com": MailRefused,
    "deferred@example.com": MailDeferred,
    "unavailable@example.com": MailUnavailable,
}


def failing(mail: Mail) -> MailError | None:
    kind = FAILING.get(mail.to)
    return None if kind is None else kind(f"{mail.to} says no.")


async def hello(scope: Any, about: Mapping[str, Any], render: Any) -> Letter | None:
    """A letter for the tests: about["to"] gets about["say"]."""
    if about.get("gone"):
        return None
    if about.get("breaks"):
        raise RuntimeError("a letter that cannot be written")
    whose = scope.tenant.slug if isinstance(scope, TenantScope) else "platform"
    assert isinstance(scope, TenantScope | PlatformScope)
    return Letter(about["to"], f"From {whose}", str(about.get("say", "Hello.")))


class Office:
    """A deployment, its postman with a clock of its own, and what it sent."""

    def __init__(self, deployment: Deployment, mailer: MemoryMailer) -> None:
        self.deployment = deployment
        self.product = deployment.product
        self.mailer = mailer
        self.later = timedelta()
        self.postman = self.another()

    def another(self) -> Postman:
        """Another process's."""
        postman = Postman(self.product, {"hello": hello})
        postman.now = lambda: datetime.now(UTC) + self.later  # type: ignore[method-assign]
        self.product.postman = postman
        return postman

    async def put(self, to: str, slug: str | None = "aurora", **about: Any) -> Any:
        async def fn(write: Write) -> Any:
            tables = PLATFORM if slug is None else TENANT
            return await post(write, tables, "hello", {"to": to, **about})

        if slug is None:
            directory = self.product.platform.directory
            return await directory.write(fn, actor="test", action="test")
        return await self.deployment.scope(slug).write(fn)

    async def deliver(self) -> int:
        """Goes round until nothing is due."""
        tried = 0
        while found := await self.postman.deliver():
            tried += found
        return tried

    async def left(self, slug: str | None = "aurora") -> list[Message]:
        platform = self.product.platform
        if slug is None:
            return await platform.directory.outbox.messages((MAIL,), 100)
        tenant = platform.directory.named(slug)
        return await platform.writing.outbox(tenant).messages((MAIL,), 100)

    @property
    def sent(self) -> list[str]:
        return [mail.to for mail in self.mailer.sent]


@pytest.fixture
def office(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Office], Awaitable[None]]], None]:
    def run(scenario: Callable[[Office], Awaitable[None]]) -> None:
        mailer = MemoryMailer(failing)
        plugins = plugins_with(
            monkeypatch, post_office={"mosaic_mail": lambda: memory_mailer(mailer)}
        )

        async def opened(deployment: Deployment) -> None:
            await scenario(Office(deployment, mailer))

        deployments(opened, plugins=plugins)

    return run


def test_a_mail_goes_out_in_the_platform_s_name_and_is_gone(office: Any) -> None:
    async def scenario(office: Office) -> None:
        message_id = await office.put("ada@example.com", say="Come and see.")
        assert office.sent == [], "whoever wrote it did not wait for it"
        assert await office.deliver() == 1
        (mail,) = office.mailer.sent
        assert (mail.subject, mail.text) == ("From aurora", "Come and see.")
        assert (mail.sender.address, mail.sender.name) == ("noreply@mosaic.test", "MOSAIC")
        assert mail.message_id == f"{message_id.hex}@mosaic.test"
        assert await office.left() == []
        assert await office.product.platform.directory.hinted() == []
        assert await office.deliver() == 0

    office(scenario)


def test_the_platform_has_an_outbox_of_its_own(office: Any) -> None:
    async def scenario(office: Office) -> None:
        message_id = await office.put("ada@example.com", None)
        assert await office.deliver() == 1
        (mail,) = office.mailer.sent
        assert (mail.subject, mail.message_id) == (
            "From platform",
            f"{message_id.hex}@mosaic.test",
        )
        assert await office.left(None) == []

    office(scenario)


def test_a_write_that_fails_sends_nothing(office: Any) -> None:
    async def scenario(office: Office) -> None:
        async def fn(write: Write) -> None:
            await post(write, TENANT, "hello", {"to": "ada@example.com"})
            raise LookupError

        with pytest.raises(LookupError):
            await office.deployment.scope().write(fn)
        assert await office.deliver() == 0
        assert office.sent == []

    office(scenario)


def test_a_letter_about_what_is_gone_is_not_sent(office: Any) -> None:
    async def scenario(office: Office) -> None:
        await office.put("ada@example.com", gone=True)
        assert await office.deliver() == 1
        assert (office.sent, await office.left()) == ([], [])

    office(scenario)


def test_a_mail_that_fails_holds_up_no_other(office: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(office: Office) -> None:
        await office.put("refused@example.com")
        await office.put("deferred@example.com")
        await office.put("not an address")
        await office.put("ada@example.com", breaks=True)
        await office.put("ada@example.com", kind="unheard-of")
        await office.put("bob@example.com")
        await office.put("eve@example.com", "bread")
        await office.put("joe@example.com", None)
        assert await office.deliver() == 8
        assert sorted(office.sent) == ["bob@example.com", "eve@example.com", "joe@example.com"]
        left = {message.payload["to"]: message for message in await office.left()}
        assert left["refused@example.com"].due is None
        assert left["not an address"].due is None
        assert left["deferred@example.com"].due is not None
        errors = [message.error for message in await office.left()]
        assert [error.partition(".")[0] for error in errors] == [
            "refused@example",
            "deferred@example",
            "'not an address' is no mail address",
            "An error in the system: RuntimeError",
            "There are no letters of the kind 'unheard-of'",
        ]
        assert "a letter that cannot be written" in caplog.text

    office(scenario)


def test_a_mail_is_tried_again_after_growing_pauses_and_then_given_up(office: Any) -> None:
    async def scenario(office: Office) -> None:
        await office.put("deferred@example.com")
        assert list(PAUSES) == sorted(PAUSES)
        for tries, pause in enumerate(PAUSES, 1):
            assert await office.deliver() == 1
            (message,) = await office.left()
            assert message.attempts == tries
            assert message.error == "deferred@example.com says no."
            office.later += pause - timedelta(seconds=20)
            assert await office.deliver() == 0
            office.later += timedelta(seconds=40)
        assert await office.deliver() == 1
        (message,) = await office.left()
        assert (message.attempts, message.due) == (len(PAUSES) + 1, None)
        office.later += timedelta(days=400)
        assert await office.deliver() == 0
        assert timedelta(days=2) < sum(PAUSES, timedelta()) < timedelta(days=5)

    office(scenario)


def test_a_mail_that_ends_the_process_each_time_is_given_up_too(office: Any) -> None:
    async def scenario(office: Office) -> None:
        await office.put("ada@example.com")
        outbox = office.product.platform.writing.outbox(office.deployment.scope().tenant)
        for _ in range(len(PAUSES) + 1):
            office.later += LEASE + timedelta(seconds=1)
            assert await outbox.take(MAIL, office.postman.now(), LEASE) is not None
        office.later += LEASE + timedelta(seconds=1)
        assert await office.deliver() == 1
        (message,) = await office.left()
        assert (message.due, message.error) == (None, "No try came to an end.")
        assert office.sent == []

    office(scenario)


def test_while_no_mail_can_be_sent_one_at_a_time_finds_out(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(office: Office) -> None:
        monkeypatch.setattr(postman_module, "_AT_ONCE", 1)
        office.postman = office.another()
        await office.put("unavailable@example.com")
        for number in range(5):
            await office.put(f"reader{number}@example.com")
            await office.put(f"reader{number}@example.com", "bread")
        assert await office.deliver() == 1
        assert office.postman.is_quiet
        left = await office.left()
        assert [message.attempts for message in left] == [1, 0, 0, 0, 0, 0]
        assert await office.deliver() == 0
        office.postman = office.another()  # or a while later
        assert await office.deliver() == 10
        assert len(office.sent) == 10

    office(scenario)


def test_a_mailer_that_hangs_is_given_a_limit(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(office: Office) -> None:
        async def hang(mail: Mail) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(postman_module, "LIMIT", 0.05)
        monkeypatch.setattr(office.mailer, "send", hang)
        await office.put("ada@example.com")
        assert await office.deliver() == 1
        (message,) = await office.left()
        assert "did not answer within 0.05 s" in message.error

    office(scenario)


def test_a_flood_of_one_tenant_does_not_hold_up_another(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(office: Office) -> None:
        monkeypatch.setattr(postman_module, "_AT_ONCE", 1)
        office.postman = office.another()
        for number in range(50):
            await office.put(f"flood{number}@example.com")
        await office.put("ada@example.com", "bread")
        await office.postman.deliver()
        assert "ada@example.com" in office.sent
        assert await office.deliver() > 0
        assert len(office.sent) == 51

    office(scenario)


def test_a_slow_mail_of_one_tenant_does_not_hold_up_another(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(office: Office) -> None:
        on_its_way, arrive, arrived = asyncio.Event(), asyncio.Event(), asyncio.Event()
        send = office.mailer.send

        async def slow(mail: Mail) -> None:
            if mail.to == "slow@example.com":
                on_its_way.set()
                await arrive.wait()
            await send(mail)
            arrived.set()

        monkeypatch.setattr(postman_module, "LOOK", 0.02)
        monkeypatch.setattr(office.mailer, "send", slow)
        await office.put("slow@example.com")
        running = asyncio.create_task(office.postman.run())
        await on_its_way.wait()
        await office.put("ada@example.com", "bread")
        await arrived.wait()
        assert office.sent == ["ada@example.com"]
        arrive.set()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert office.sent == ["ada@example.com", "slow@example.com"]

    office(scenario)


def test_a_flood_is_sent_without_a_pause(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(office: Office) -> None:
        monkeypatch.setattr(postman_module, "LOOK", 3_600.0)
        all_there = asyncio.Event()
        send = office.mailer.send

        async def count(mail: Mail) -> None:
            await send(mail)
            if len(office.sent) == 50:
                all_there.set()

        monkeypatch.setattr(office.mailer, "send", count)
        for number in range(50):
            await office.put(f"flood{number}@example.com")
        running = asyncio.create_task(office.postman.run())
        await asyncio.wait_for(all_there.wait(), 60)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert len(set(office.sent)) == 50

    office(scenario)


def test_a_tenant_whose_database_is_gone_holds_up_no_other(
    office: Any, deployments: Deployments, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(office: Office) -> None:
        await office.put("ada@example.com")
        await office.put("bob@example.com", "bread")
        tenants = deployments.root / "data" / "tenants"
        for file in tenants.glob(f"{office.deployment.scope().tenant.tenant_id}.db*"):
            file.unlink()
        assert await office.deliver() == 1
        assert office.sent == ["bob@example.com"]
        assert "the mails of aurora could not be dealt with" in caplog.text
        caplog.clear()
        assert await office.deliver() == 0
        assert caplog.text == "", "it is left alone for a while"

    office(scenario)


def test_mail_of_a_tenant_that_is_read_only_waits(office: Any) -> None:
    async def scenario(office: Office) -> None:
        await office.put("ada@example.com")
        await office.deployment.rule("tenants.suspend", slug="aurora")
        assert await office.deliver() == 0
        await office.deployment.rule("tenants.resume", slug="aurora")
        assert await office.deliver() == 1

    office(scenario)


def test_processes_share_the_work_and_send_each_mail_once(office: Any) -> None:
    async def scenario(office: Office) -> None:
        others = [office.another() for _ in range(4)]
        for number in range(30):
            await office.put(f"reader{number}@example.com", ("aurora", "bread", None)[number % 3])

        async def work(postman: Postman) -> None:
            while await postman.deliver():
                pass

        await asyncio.gather(*map(work, others))
        assert sorted(office.sent) == sorted(f"reader{number}@example.com" for number in range(30))

    office(scenario)


def test_rendering_does_not_wait_for_mail_nor_mail_for_rendering(office: Any) -> None:
    async def scenario(office: Office) -> None:
        await office.put("unavailable@example.com")
        await office.put("ada@example.com")
        await office.deliver()
        await office.deployment.do("pages.edit", path="/visit/", title="New")
        await office.deployment.do("pages.publish", path="/visit/")
        assert "New" in (await office.deployment.get("/visit/hours/")).text
        assert await office.product.settle_all() == 0
        assert [message.payload["to"] for message in await office.left()] == [
            "unavailable@example.com",
            "ada@example.com",
        ]

    office(scenario)


def test_a_process_that_is_to_stop_lets_a_mail_on_its_way_arrive(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(office: Office) -> None:
        on_its_way, arrive = asyncio.Event(), asyncio.Event()
        send = office.mailer.send

        async def slow(mail: Mail) -> None:
            on_its_way.set()
            await arrive.wait()
            await send(mail)

        monkeypatch.setattr(office.mailer, "send", slow)
        await office.put("ada@example.com")
        running = asyncio.create_task(office.postman.run())
        await on_its_way.wait()
        running.cancel()
        await asyncio.sleep(0)
        arrive.set()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (office.sent, await office.left()) == (["ada@example.com"], [])

    office(scenario)


def test_a_process_that_is_to_stop_waits_for_no_mail_for_ever(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(office: Office) -> None:
        on_its_way = asyncio.Event()

        async def hang(mail: Mail) -> None:
            on_its_way.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(postman_module, "_STOPPING", 0.05)
        monkeypatch.setattr(office.mailer, "send", hang)
        await office.put("ada@example.com")
        running = asyncio.create_task(office.postman.run())
        await on_its_way.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        office.later += LEASE + timedelta(seconds=1)
        monkeypatch.undo()
        (message,) = await office.left()
        assert message.due is not None

    office(scenario)


# Operators


def test_mail_that_has_not_got_out_is_listed_with_why(office: Any) -> None:
    async def scenario(office: Office) -> None:
        await office.put("refused@example.com")
        await office.put("deferred@example.com", "bread")
        await office.put("ada@example.com", None)
        await office.deliver()
        await office.put("new@example.com")
        views = await office.deployment.rule("mails.list")
        assert [(view.tenant, view.to, view.state, view.attempts) for view in views] == [
            ("aurora", "refused@example.com", "given up", 1),
            ("aurora", "new@example.com", "waiting", 0),
            ("bread", "deferred@example.com", "failed", 1),
        ]
        assert views[0].error == "refused@example.com says no."
        (view,) = await office.deployment.rule("mails.list", tenant="bread")
        assert view.to == "deferred@example.com"
        with pytest.raises(NotFound):
            await office.deployment.rule("mails.list", tenant="nobody")

    office(scenario)


def test_mail_is_tried_again_when_an_operator_says_so(office: Any) -> None:
    async def scenario(office: Office) -> None:
        first = await office.put("refused@example.com")
        await office.put("deferred@example.com", None)
        await office.deliver()
        result = await office.deployment.rule("mails.retry")
        assert (result.sent, [view.state for view in result.left]) == (0, ["failed", "given up"])
        assert [view.attempts for view in result.left] == [1, 1]
        office.mailer.failing = None
        waiting = await office.put("new@example.com", "bread")
        result = await office.deployment.rule("mails.retry", id=first)
        assert (result.sent, result.left, office.sent) == (1, [], ["refused@example.com"])
        result = await office.deployment.rule("mails.retry")
        assert (result.sent, result.left) == (1, [])
        assert office.sent[1:] == ["deferred@example.com"]
        with pytest.raises(NotFound):
            await office.deployment.rule("mails.retry", id=first)
        assert (await office.deployment.rule("mails.retry", id=waiting)).sent == 1

    office(scenario)


def test_what_was_given_up_and_fails_again_is_looked_at_again(office: Any) -> None:
    async def scenario(office: Office) -> None:
        given_up = await office.put("refused@example.com")
        await office.deliver()
        directory = office.product.platform.directory
        assert await directory.hinted() == []
        office.mailer.failing = lambda mail: MailDeferred("later")
        await office.deployment.rule("mails.retry", id=given_up)
        office.mailer.failing = None
        await office.deliver()
        assert office.sent == []
        office.later += PAUSES[0] + timedelta(seconds=1)
        assert await office.deliver() == 1
        assert office.sent == ["refused@example.com"]

    office(scenario)


def test_mail_is_dropped_when_an_operator_says_so(office: Any) -> None:
    async def scenario(office: Office) -> None:
        mail = await office.put("refused@example.com")
        await office.deliver()
        view = await office.deployment.rule("mails.drop", id=mail)
        assert (view.to, view.tenant) == ("refused@example.com", "aurora")
        assert await office.left() == []
        with pytest.raises(NotFound):
            await office.deployment.rule("mails.drop", id=mail)

    office(scenario)


def test_a_trial_says_at_once_whether_mail_gets_through(office: Any) -> None:
    async def scenario(office: Office) -> None:
        sent = await office.deployment.rule("mails.test", to="desk@Bücher.example")
        assert sent.to == "desk@xn--bcher-kva.example"
        (mail,) = office.mailer.sent
        assert mail.message_id == f"{sent.id.hex}@mosaic.test"
        assert "gets through" in mail.text
        with pytest.raises(MailRefused, match="says no"):
            await office.deployment.rule("mails.test", to="refused@example.com")
        assert await office.left(None) == []

    office(scenario)


def test_without_a_mailer_mail_waits_and_an_operator_is_told(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        office = Office(deployment, MemoryMailer())
        await office.put("ada@example.com")
        assert await office.deliver() == 0
        await asyncio.wait_for(office.postman.run(), 5)
        (message,) = await office.left()
        assert message.attempts == 0
        with pytest.raises(ConfigurationError, match="No plugin that sends mail") as caught:
            await deployment.rule("mails.retry")
        assert "mail_folder" in caught.value.hint
        with pytest.raises(ConfigurationError):
            await deployment.rule("mails.test", to="ada@example.com")

    deployments(scenario)


def test_mail_that_waited_goes_out_once_a_mailer_is_selected(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def before(deployment: Deployment) -> None:
        await Office(deployment, MemoryMailer()).put("ada@example.com")

    deployments(before)
    mailer = MemoryMailer()
    plugins = plugins_with(monkeypatch, post_office={"mosaic_mail": lambda: memory_mailer(mailer)})

    async def after() -> None:
        async with opened(deployments.root, plugins=plugins) as deployment:
            assert await Office(deployment, mailer).deliver() == 1
        assert [mail.to for mail in mailer.sent] == ["ada@example.com"]

    asyncio.run(after())


# In whose name, and through what


@pytest.mark.parametrize(
    ("mail", "sender"),
    [
        ({}, ("noreply@mosaic.test", "MOSAIC")),
        ({"address": "post@Bücher.example"}, ("post@xn--bcher-kva.example", "MOSAIC")),
        ({"name": "Our sites"}, ("noreply@mosaic.test", "Our sites")),
        ({"name": ""}, ("noreply@mosaic.test", "")),
    ],
)
def test_the_sender_is_what_is_configured(
    deployments: Deployments, mail: dict[str, Any], sender: tuple[str, str]
) -> None:
    async def scenario(deployment: Deployment) -> None:
        found = deployment.product.platform.sender
        assert (found.address, found.name) == sender

    deployments(scenario, mail=mail)


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ({"platform": {"domain": "[::1]"}}, "Set address and name in [mail]"),
        ({"mail": {"name": "A\nB"}}, "Set address and name in [mail]"),
        ({"mail": {"provider": "carrier_pigeon"}}, "no mail provider 'carrier_pigeon'"),
    ],
)
def test_a_mailer_that_cannot_be_used_is_told_at_the_start(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, tables: dict[str, Any], told: str
) -> None:
    plugins = plugins_with(monkeypatch, post_office={"mosaic_mail": memory_mailer})

    async def scenario(deployment: Deployment) -> None:
        raise AssertionError("it was opened")

    with pytest.raises(ConfigurationError) as caught:
        deployments(scenario, plugins=plugins, **tables)
    assert told in str(caught.value)


def test_of_several_mailers_the_one_that_is_named_sends(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mosaic_core.mail_folder import mosaic_mail

    plugins = plugins_with(
        monkeypatch,
        post_office={"mosaic_mail": memory_mailer},
        desk={"mosaic_mail": mosaic_mail},
    )

    async def scenario(deployment: Deployment) -> None:
        await deployment.rule("mails.test", to="ada@example.com")
        (file,) = (deployments.root / "data" / "mail").iterdir()
        assert b"To: ada@example.com" in file.read_bytes()

    deployments(scenario, plugins=plugins, mail={"provider": "mail_folder"})
    with pytest.raises(ConfigurationError, match="mail_folder, memory") as caught:
        deployments(scenario, plugins=plugins)
    assert "provider in [mail]" in caught.value.hint


def test_a_running_application_sends_mail_by_itself(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from mosaic_cms.app import Application
    from tests.cms.deployment import settings_for

    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(postman_module, "LOOK", 0.02)
    platform = {"plugins": ["host_resolvers", "tenancy_sqlite", "storage_local", "mail_folder"]}
    settings = settings_for(deployments.copy(), platform=platform)

    async def main() -> None:
        application = Application(settings)
        await application.start()
        try:
            assert application.product is not None
            office = Office(Deployment(application.product, application.site), MemoryMailer())  # type: ignore[arg-type]
            await office.put("ada@example.com", kind="unheard-of")
            for _ in range(500):
                (message,) = await office.left()
                if message.error:
                    break
                await asyncio.sleep(0.02)
            assert "unheard-of" in message.error
        finally:
            await application.stop()

    asyncio.run(main())
