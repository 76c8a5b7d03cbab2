"""What lets somebody in is in no log: neither in the program's nor in that of changes."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from mosaic_cms.identity.key_format import make_key
from mosaic_cms.rights import Role
from mosaic_core.errors import MosaicError
from mosaic_core.testing.fakes import MemoryMailer, memory_mailer
from tests.cms.access.people import People
from tests.cms.deployment import Deployment, Deployments
from tests.cms.plugs import plugins_with
from tests.platforms import kept_in


def test_no_secret_is_logged_or_kept(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mailer = MemoryMailer()

    async def scenario(deployment: Deployment) -> None:
        people = People(deployment)
        await people.add("olga", Role.OWNER)
        await people.add("zoe")
        key = await people.do("olga", "keys.create", name="Key", role="owner")
        tokens = await people.own("olga", "tokens.create", tenant="aurora")
        visitor = people.product.platform_scope(await people.actor("zoe"))
        perform = people.product.actions.perform
        given = {"refresh_token": tokens.refresh_token}
        renewed = await perform("tokens.refresh", visitor, given)
        await people.do("olga", "invitations.create", email="zoe@example.com", role="viewer")
        await people.product.postman.deliver()
        (mail,) = mailer.sent
        invited = mail.text.partition("?token=")[2].split()[0]
        invented = make_key()[0]
        canaries = [
            key.key,
            key.key.rpartition("_")[2],
            tokens.access_token,
            tokens.refresh_token,
            renewed.access_token,
            renewed.refresh_token,
            invited,
            invented,
            "canary-4711",
        ]
        errors = []
        refused: list[tuple[str, dict[str, Any]]] = [
            ("tokens.refresh", {"refresh_token": "canary-4711"}),
            ("tokens.refresh", {"refresh_token": ["canary-4711"]}),
            ("tokens.refresh", {"refresh_token": "canary-4711" * 100}),
            ("tokens.refresh", {"token": "canary-4711", "refresh_token": None}),
            ("tokens.refresh", {"refresh_token": tokens.refresh_token}),
            ("invitations.accept", {"token": "canary-4711"}),
            ("invitations.accept", {"token": ["canary-4711"]}),
        ]
        for action, given in refused:
            with pytest.raises(MosaicError) as caught:
                await perform(action, visitor, given)
            errors += [str(caught.value), repr(getattr(caught.value, "problems", ()))]
        await people.own("zoe", "invitations.accept", token=invited)
        await people.identity.keys.find(key.key)
        await people.identity.keys.find(invented)
        await people.identity.keys.uses.flush()
        await people.identity.bearer.verify(renewed.access_token)
        await people.do("olga", "keys.revoke", id=key.id)
        # The change log with its images, the outbox, and every table are in these files.
        kept = [path.read_bytes() for path in (deployments.root / "data").rglob("*.db*")]
        kept.append(await kept_in(deployment.product.platform.directory.database))
        assert any(b"keys.create" in content for content in kept)
        for canary in canaries:
            assert canary not in caplog.text
            assert not any(canary in error for error in errors)
            assert not any(canary.encode() in content for content in kept)

    hooks = {"mosaic_mail": lambda: memory_mailer(mailer)}
    with caplog.at_level(logging.DEBUG):
        deployments(scenario, plugins=plugins_with(monkeypatch, post_office=hooks))


def test_what_is_printed_of_a_command_hides_its_secret() -> None:
    from mosaic_cms.operations.invitations import AcceptInvitation
    from mosaic_cms.operations.tokens import RenewTokens

    for command in (
        RenewTokens(refresh_token="canary-4711"),  # type: ignore[arg-type]
        AcceptInvitation(token="canary-4711"),  # type: ignore[arg-type]
    ):
        assert "canary" not in repr(command)
        assert "canary" not in command.model_dump_json()
