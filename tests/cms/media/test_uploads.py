"""Files that come in parts: in any order, again, gone on with, and never seen before their end."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from mosaic_cms.incoming import Incoming
from mosaic_core.errors import FileMismatch, InvalidInput, NotFound, QuotaExceeded
from tests.cms.deployment import Deployment, Deployments
from tests.cms.media.hostile import located
from tests.cms.media.sending import send, send_in_parts, stored

TEXT = b"a line of text\n" * 1_200_000
DIGEST = hashlib.sha256(TEXT).hexdigest()


async def begin(deployment: Deployment, content: bytes = TEXT, **said: Any) -> Any:
    given = {"name": "long.txt", "size": len(content), **said}
    return await deployment.do("media.begin_upload", **given)


def test_a_file_comes_in_parts_and_is_gone_on_with(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        upload = await begin(deployment, digest=DIGEST, folder="texts", tags=["long"])
        assert upload.parts == 3 == len(upload.missing)
        await send_in_parts(deployment, upload, TEXT, 3, 1, 1)
        assert await deployment.do("media.list") == []
        with pytest.raises(FileMismatch, match="2"):
            await deployment.do("media.finish_upload", upload=upload.id)
        (there,) = await deployment.do("media.uploads")
        assert (there.id, there.missing) == (upload.id, (2,))
        await send_in_parts(deployment, there, TEXT)
        done = await deployment.do("media.finish_upload", upload=upload.id)
        assert (done.media.digest, done.media.folder, done.media.tags) == (
            DIGEST,
            "texts",
            ("long",),
        )
        assert (await deployment.get(done.media.url)).content == TEXT
        assert await deployment.do("media.uploads") == []
        for name in ("media.finish_upload", "media.show_upload", "media.abort_upload"):
            with pytest.raises(NotFound, match="no upload"):
                await deployment.do(name, upload=upload.id)

    deployments(scenario)


def test_what_came_in_parts_is_looked_at_like_all_that_comes(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for content, why in ((b"MZ" + bytes(99), "a program"), (b"<html>", "a web page")):
            upload = await begin(deployment, content, name="a.png")
            await send_in_parts(deployment, upload, content)
            with pytest.raises(InvalidInput, match=why):
                await deployment.do("media.finish_upload", upload=upload.id)
        assert await stored(deployment) == []
        picture = located("JPEG")
        before = (await send(deployment, b"old", "old.txt")).media
        upload = await begin(deployment, picture, name="new.jpg", media=before.reference)
        await send_in_parts(deployment, upload, picture)
        done = await deployment.do("media.finish_upload", upload=upload.id)
        assert (done.media.reference, done.media.version) == (before.reference, 2)
        assert b"4711" not in (await deployment.get(done.media.url)).content
        wrong = await begin(deployment, b"some", digest="0" * 64)
        await send_in_parts(deployment, wrong, b"some")
        with pytest.raises(FileMismatch):
            await deployment.do("media.finish_upload", upload=wrong.id)

    deployments(scenario)


def test_a_part_that_is_none_is_refused(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        upload = await begin(deployment)
        for number, content, error in (
            (4, b"x", InvalidInput),
            (1, b"too short", FileMismatch),
            (3, TEXT[: upload.part_size], FileMismatch),
        ):
            with pytest.raises(error):
                await deployment.do(
                    "media.send_part",
                    upload=upload.id,
                    number=number,
                    content=Incoming.of(content),
                )
        assert (await deployment.do("media.show_upload", upload=upload.id)).missing == (1, 2, 3)
        with pytest.raises(NotFound):
            await deployment.do("media.show_upload", "bread", upload=upload.id)
        with pytest.raises(InvalidInput, match="takes no files itself"):
            await deployment.do("media.part_address", upload=upload.id, number=1)
        with pytest.raises(InvalidInput):
            await begin(deployment, b"")

    deployments(scenario)


def test_what_is_never_finished_is_cleared_away(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        left = await begin(deployment)
        await send_in_parts(deployment, left, TEXT, 1)
        ended = await begin(deployment)
        await deployment.do("media.abort_upload", upload=ended.id)
        assert (await deployment.do("media.usage")).stored >= len(TEXT), "room is kept for it"
        timekeeper = deployment.product.timekeeper
        later = timekeeper.now() + timedelta(days=1, minutes=1)
        monkeypatch.setattr(timekeeper, "now", lambda: later)
        assert await timekeeper.keep() == 1
        assert await deployment.do("media.uploads") == []
        assert (await deployment.do("media.usage")).stored == 0
        assert (
            await deployment.product.platform.directory.agenda.noted(
                deployment.scope().tenant.tenant_id
            )
            is None
        )

    deployments(scenario)


def test_no_more_is_begun_than_there_is_room_for(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("media.begin_upload", "steel", name="a.txt", size=600)
        with pytest.raises(QuotaExceeded):
            await deployment.do("media.begin_upload", "steel", name="a.txt", size=600)
        with pytest.raises(QuotaExceeded, match="at most 700 bytes"):
            await deployment.do("media.begin_upload", "steel", name="a.txt", size=701)
        assert len(await deployment.do("media.uploads", "steel")) == 1

    limits = {"files": 1_000, "file": 700}
    free = {"persistence": "tenancy_sqlite", "storage": "storage_local", "limits": limits}
    deployments(scenario, tiers={"free": free})


def test_a_large_file_may_take_as_long_to_be_finished_as_to_be_sent(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        actions = deployment.product.actions
        long = ("media.upload", "media.replace", "media.finish_upload", "media.sweep")
        assert {actions.get(name).seconds for name in long} == {3600}

    deployments(scenario)
