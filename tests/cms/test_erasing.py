"""What is deleted for good leaves nothing of what it was like, and the log stays whole."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select

from mosaic_cms.content.models import Comment, Page
from mosaic_cms.rights import Role
from mosaic_core.errors import Denied, NotFound
from mosaic_core.head import Write
from mosaic_core.types import new_id
from tests.cms.access.people import People
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployment, Deployments
from tests.cms.importing import wxr
from tests.cms.media.sending import send
from tests.cms.test_compaction import assert_whole, log_of
from tests.cms.test_web_forms import add_form, post, stored


async def told(deployment: Deployment, *words: str) -> set[str]:
    """Which of some words are still in the change log."""
    log = str([tuple(row) for row in await log_of(deployment, "aurora")])
    return {word for word in words if word in log}


async def comment(deployment: Deployment, text: str, parent: UUID | None = None) -> UUID:
    """Keeps a comment on the page ``/visit/``, as an import does; its id."""
    page = await deployment.do("pages.show", path="/visit/")
    facts = {"email": "ann@example.org", "address": "", "approved": True, "parent_id": parent}

    async def fn(write: Write) -> UUID:
        row = Comment(id=new_id(), page_id=page.id, author="Ann Example", text=text, **facts)
        write.session.add(row)
        return row.id

    return await deployment.scope().write(fn)


def test_a_submission_that_is_deleted_is_gone_from_the_log_and_the_others_stay(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await add_form(deployment)
        await post(deployment, name="Ada Lovelace", mail="ada@example.org")
        await post(deployment, name="Mary Somerville", mail="mary@example.org")
        mary, ada = await stored(deployment)
        words = ("Ada Lovelace", "ada@example.org", "Mary Somerville", "mary@example.org")
        assert await told(deployment, *words) == set(words)
        await deployment.do("forms.delete_submission", id=ada.id)
        assert await told(deployment, *words) == set(words[2:])
        assert await stored(deployment) == [mary]
        log = await log_of(deployment, "aurora")
        actions = [row.action for row in log if row.entity_id == str(ada.id)]
        assert actions == ["forms.submit", "forms.delete_submission"]
        await assert_whole(deployment, "aurora")

    deployments(scenario)


def test_a_comment_that_is_deleted_is_gone_and_what_answers_it_stays(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        first = await comment(deployment, "The first word.")
        second = await comment(deployment, "Said in anger.", first)
        third = await comment(deployment, "Calm down.", second)
        listed = await deployment.do("comments.list", path="/visit/")
        assert [view.id for view in listed] == [first, second, third]
        assert [view.path for view in listed] == ["/visit/"] * 3
        after = await deployment.do("comments.list", after=first, limit=1)
        assert [view.text for view in after] == ["Said in anger."]
        assert await deployment.do("comments.list", path="/news/") == []
        assert await deployment.do("comments.list", "bread") == []
        with pytest.raises(NotFound, match="no comment"):
            await deployment.do("comments.delete", "bread", id=second)
        await deployment.do("comments.delete", id=second)
        assert await told(deployment, "Said in anger.", "Calm down.") == {"Calm down."}
        kept = await deployment.do("comments.list")
        assert [(view.text, view.parent) for view in kept] == [
            ("The first word.", None),
            ("Calm down.", first),
        ]
        await assert_whole(deployment, "aurora")

    deployments(scenario)


def test_who_edits_one_site_deletes_no_comment_of_another(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.create", key="shop", title="Shop")
        people = People(deployment)
        await people.add("vera", None, shop=Role.EDITOR)
        kept = await comment(deployment, "Of the first site.")
        with pytest.raises(Denied):
            await people.do("vera", "comments.delete", id=kept)
        assert await people.do("vera", "comments.list", site="shop") == []
        with pytest.raises(Denied):
            await people.do("vera", "comments.list", site="main")

    deployments(scenario)


def test_a_file_a_shared_block_and_a_site_leave_nothing_either(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        said = {"caption": "Ann at the kiln"}
        file = (await send(deployment, b"Words.", "words.txt", **said)).media
        block = {"type": "markdown", "data": {"text": "Ask for Bo."}}
        shared = await deployment.do("shared.create", name="Contact", blocks=[block])
        await deployment.do("sites.create", key="shop", title="Shop of Cy")
        await deployment.do("shared.create", name="Of Cy", blocks=[], site="shop")
        words = ("Ann at the kiln", "Ask for Bo.", "Shop of Cy", "Of Cy")
        assert await told(deployment, *words) == set(words)
        await deployment.do("media.delete", media=file.reference)
        await deployment.do("media.purge", media=file.reference)
        await deployment.do("shared.delete", id=shared.id)
        await deployment.do("sites.delete", site="shop")
        assert await told(deployment, *words) == set()
        await assert_whole(deployment, "aurora")

    deployments(scenario)


def bytes_of(deployment: Deployment) -> bytes:
    """All that is on the disk of databases, with their write-ahead logs."""
    folder = deployment.product.platform.settings.data_dir
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*.db*")))


async def grow(deployment: Deployment, secret: str) -> None:
    """A page that was saved, published, edited and named with a secret in it, among other work, and
    a form's submission with it."""
    await add_form(deployment)
    await post(deployment, name=secret, mail="ada@example.org")
    await deployment.add("/secret/", body=f"{secret} begins. " * 400, title=secret)
    for number in range(12):
        body = f"{number} {secret} goes on. " * (20 * number + 1)
        await deployment.do("pages.edit", path="/secret/", body=body)
        if number % 5 == 0:
            await deployment.do("pages.publish", path="/secret/")
            await deployment.do("pages.name_version", path="/secret/", name=f"With {secret}")
        harmless = f"{number} harmless words " * (15 * number + 3)
        await deployment.do("pages.edit", path="/visit/", body=harmless)


async def purge(deployment: Deployment) -> None:
    (submission,) = await stored(deployment)
    await deployment.do("pages.delete", path="/secret/")
    await deployment.do("pages.empty_bin")
    await deployment.do("forms.delete_submission", id=submission.id)


def test_no_byte_of_it_is_left_in_the_file_or_its_write_ahead_log(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await grow(deployment, "Zephyrine Quux")
        assert b"Zephyrine Quux" in bytes_of(deployment)
        await purge(deployment)
        left = bytes_of(deployment)
        assert b"Zephyrine Quux" not in left
        assert b"zephyrine" not in left.lower(), "the words of the search among them"
        assert b"harmless words" in left
        await assert_whole(deployment, "aurora")

    deployments(scenario)


def test_while_somebody_reads_the_bytes_stay_until_the_next_write(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await grow(deployment, "Zephyrine Quux")
        async with deployment.scope().read() as reading:
            assert await reading.scalar(select(func.count()).select_from(Page))
            await purge(deployment)
            assert b"Zephyrine Quux" in bytes_of(deployment), "who reads still sees it"
        await deployment.do("pages.edit", path="/visit/", body="Something else.")
        assert b"Zephyrine Quux" not in bytes_of(deployment)

    deployments(scenario)


def test_comments_on_the_command_line(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command_line(deployments, monkeypatch)
    item = wxr.item(1, "Tea", "<p>Tea.</p>", comments=wxr.comment(7, "Said in anger."))
    file = wxr.write(tmp_path, item)
    at = ("-s", "aurora")
    invoke("import", "wordpress", str(file), *at)
    (kept,) = json.loads(invoke("comment", "list", *at, "--json"))
    assert "Said in anger." in invoke("comment", "list", *at, "--page", kept["path"])
    assert "is deleted" in invoke("comment", "delete", kept["id"], *at)
    assert "no comment" in invoke("comment", "delete", kept["id"], *at, code=1)
    assert "0 comments" in invoke("comment", "list", *at)
