"""Shared blocks: what visitors see of them changes everywhere at once, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mosaic_cms.blocks.stored import blocks_in, new_block
from mosaic_cms.content.conflicts import EditConflict
from mosaic_cms.content.drafts import DraftStep
from mosaic_cms.content.models import SharedBlock
from mosaic_core.errors import Conflict, InvalidInput, NotFound
from mosaic_core.head import Write
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployment, Deployments
from tests.cms.test_menus import jobs_of
from tests.cms.test_pages import assert_as_made_anew, hides, shows


def text(body: str) -> dict[str, Any]:
    return {"type": "markdown", "data": {"text": body}}


def showing(*blocks: Any) -> list[dict[str, Any]]:
    return [{"type": "shared", "data": {"reference": f"shared:{block.id}"}} for block in blocks]


async def share(deployment: Deployment, name: str, *blocks: dict[str, Any]) -> Any:
    """A published shared block."""
    made = await deployment.do("shared.create", name=name, blocks=list(blocks))
    return await deployment.do("shared.publish", id=made.id)


def test_draft_and_live_are_apart(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        block = await deployment.do("shared.create", name="Hours", blocks=[text("Nine to five.")])
        assert block.state == "draft"
        await deployment.add("/a/", regions={"main": showing(block)})
        await hides(deployment, "/a/", "Nine to five.")
        await deployment.do("shared.publish", id=block.id)
        await shows(deployment, "/a/", "Nine to five.")
        edited = await deployment.do("shared.edit", id=block.id, blocks=[text("Closed.")])
        assert (edited.state, edited.revision) == ("changed", 2)
        await hides(deployment, "/a/", "Closed.")
        await deployment.do("shared.publish", id=block.id)
        await shows(deployment, "/a/", "Closed.")
        await assert_as_made_anew(deployment)
        (view,) = await deployment.do("shared.list")
        assert (view.state, view.uses) == ("published", 1)

    deployments(scenario)


def test_publishing_renders_what_shows_it_and_only_that(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        inner = await share(deployment, "Inner", text("One."))
        outer = await share(deployment, "Outer", *showing(inner))
        direct = await deployment.add("/direct/", regions={"main": showing(inner)})
        indirect = await deployment.add("/indirect/", regions={"main": showing(outer)})
        jobs = jobs_of(deployment)
        await deployment.do("shared.edit", id=inner.id, blocks=[text("Two.")])
        assert jobs == []
        await deployment.do("shared.publish", id=inner.id)
        rendered = {page for job in jobs for page in job.payload["pages"]}
        assert rendered == {str(direct.id), str(indirect.id)}
        await shows(deployment, "/indirect/", "Two.")
        jobs.clear()
        await deployment.do("shared.publish", id=inner.id)  # nothing is different
        assert jobs == []
        await assert_as_made_anew(deployment)

    deployments(scenario)


def columns(*lists: list[dict[str, Any]]) -> dict[str, Any]:
    return new_block("columns", {"layout": "6-6", "columns": list(lists)})


def words_of(blocks: list[dict[str, Any]]) -> list[str]:
    return [block["data"]["text"] for block in blocks_in(blocks) if block["type"] == "markdown"]


def with_words(blocks: list[dict[str, Any]], old: str, new: str) -> list[dict[str, Any]]:
    """The same blocks with another text in one of them."""
    found: list[dict[str, Any]] = json.loads(json.dumps(blocks))
    (block,) = [block for block in blocks_in(found) if block["data"].get("text") == old]
    block["data"]["text"] = new
    return found


def test_two_edits_of_different_blocks_of_a_shared_one_are_merged(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        inside = columns([text("Nine.")], [text("Five.")])
        seen = await deployment.do("shared.create", name="Hours", blocks=[text("Open"), inside])
        based_on = {"id": seen.id, "based_on": seen.revision}
        theirs = with_words(seen.blocks, "Five.", "Six.")
        first = await deployment.do("shared.edit", **based_on, blocks=theirs)
        assert (first.revision, first.merged) == (2, False)
        mine = [*with_words(seen.blocks, "Nine.", "Eight."), text("Come in")]
        second = await deployment.do("shared.edit", **based_on, blocks=mine)
        assert (second.revision, second.merged) == (3, True)
        assert words_of(second.blocks) == ["Open", "Eight.", "Six.", "Come in"]
        third = await deployment.do("shared.edit", **based_on, name="Opening hours")
        assert (third.name, third.blocks, third.merged) == ("Opening hours", second.blocks, True)
        kept = await deployment.do("shared.show", id=seen.id)
        assert (kept.name, kept.blocks, kept.revision) == ("Opening hours", second.blocks, 4)

    deployments(scenario)


def test_two_edits_of_one_block_of_a_shared_one_are_a_conflict_with_both_texts(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        inside = columns([text("Nine.")], [text("Five.")])
        seen = await deployment.do("shared.create", name="Hours", blocks=[text("Open"), inside])
        based_on = {"id": seen.id, "based_on": seen.revision}
        theirs = with_words(seen.blocks, "Five.", "Six.")
        await deployment.do("shared.edit", **based_on, name="Theirs", blocks=theirs)
        mine = with_words(with_words(seen.blocks, "Five.", "Four."), "Open", "Closed")
        with pytest.raises(EditConflict, match=r"'Theirs' was changed meanwhile") as caught:
            await deployment.do("shared.edit", **based_on, name="Mine", blocks=mine)
        assert caught.value.revision == 2
        found = {
            conflict.where: [
                side["data"]["text"] if isinstance(side, dict) else side
                for side in (conflict.base, conflict.mine, conflict.theirs)
            ]
            for conflict in caught.value.conflicts
        }
        assert found == {
            "name": ["Hours", "Mine", "Theirs"],
            "blocks[1].columns[1][0]": ["Five.", "Four.", "Six."],
        }
        kept = await deployment.do("shared.show", id=seen.id)
        assert (kept.name, words_of(kept.blocks)) == ("Theirs", ["Open", "Nine.", "Six."])
        await deployment.do("shared.edit", id=seen.id, blocks=mine, based_on=2)

    deployments(scenario)


def test_edits_whose_blocks_are_given_without_ids_are_of_the_same_blocks(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        block = await deployment.do("shared.create", name="Hours", blocks=[text("Nine.")])
        await deployment.do("shared.edit", id=block.id, blocks=[text("Ten.")], based_on=1)
        with pytest.raises(
            EditConflict, match=r"'Hours' was changed meanwhile.*: blocks\[0\]"
        ) as caught:
            await deployment.do("shared.edit", id=block.id, blocks=[text("Eleven.")], based_on=1)
        (conflict,) = caught.value.conflicts
        texts = [side["data"]["text"] for side in (conflict.mine, conflict.theirs)]
        assert texts == ["Eleven.", "Ten."]
        kept = await deployment.do("shared.show", id=block.id)
        assert (kept.blocks[0]["data"]["text"], kept.revision) == ("Ten.", 2)
        await deployment.do("shared.edit", id=block.id, blocks=[text("Eleven.")], based_on=2)
        with pytest.raises(InvalidInput, match="no revision 9"):
            await deployment.do("shared.edit", id=block.id, name="Never", based_on=9)

    deployments(scenario)


def test_a_deleted_shared_block_leaves_nothing_of_its_drafts(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        block = await deployment.do("shared.create", name="Hours", blocks=[text("Nine.")])
        await deployment.do("shared.edit", id=block.id, blocks=[text("Ten.")])
        wanted = select(DraftStep).where(DraftStep.draft_id == block.id)
        async with deployment.scope().read() as session:
            assert len(list(await session.scalars(wanted))) == 1
        await deployment.do("shared.delete", id=block.id)
        async with deployment.scope().read() as session:
            assert list(await session.scalars(wanted)) == []

    deployments(scenario)


def test_a_ring_is_refused_with_its_way_named(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        first = await deployment.do("shared.create", name="First")
        second = await share(deployment, "Second", *showing(first))
        third = await share(deployment, "Third", *showing(second))
        await deployment.do("shared.edit", id=first.id, blocks=showing(first))
        with pytest.raises(InvalidInput, match="'First' → 'First'"):
            await deployment.do("shared.publish", id=first.id)
        await deployment.do("shared.edit", id=first.id, blocks=showing(third))
        with pytest.raises(InvalidInput, match="'First' → 'Third' → 'Second' → 'First'"):
            await deployment.do("shared.publish", id=first.id)

    deployments(scenario)


def test_a_ring_that_is_there_is_harmless(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        first = await deployment.do("shared.create", name="First", blocks=[text("Once.")])
        second = await share(deployment, "Second", text("Twice."), *showing(first))

        async def close(write: Write) -> None:
            row = await write.session.get_one(SharedBlock, first.id)
            other = await write.session.scalar(
                select(SharedBlock).where(SharedBlock.id == second.id)
            )
            assert other is not None
            shown = other.live or []
            ring = {**shown[1], "id": "ring", "data": {"reference": f"shared:{second.id}"}}
            row.live = [*row.blocks, ring]

        await deployment.scope().write(close)
        await deployment.add("/a/", regions={"main": showing(second)})
        page = (await deployment.get("/a/")).text
        assert page.count("Once.") == page.count("Twice.") == 1
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_shared_blocks_cannot_multiply_without_end(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        block = await share(deployment, "One", *[text("Lots.")] * 30)
        block = await share(deployment, "Two", *showing(*[block] * 30))
        with pytest.raises(InvalidInput, match="shows more than 1,000 blocks"):
            await share(deployment, "Three", *showing(*[block] * 30))
        await deployment.add("/a/", regions={"main": showing(*[block] * 30)})
        await hides(deployment, "/a/", "Lots.")
        await deployment.add("/b/", regions={"main": showing(block)})
        await shows(deployment, "/b/", "Lots.")

    deployments(scenario)


def test_what_is_used_is_not_deleted_unless_somebody_insists(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        block = await share(deployment, "Hours", text("Nine to five."))
        await deployment.add("/a/", regions={"main": showing(block)})
        with pytest.raises(Conflict, match=r"'Hours' by 'A' \(/a/\): shared"):
            await deployment.do("shared.delete", id=block.id)
        await deployment.do("shared.delete", id=block.id, force=True)
        await hides(deployment, "/a/", "Nine to five.")
        await assert_as_made_anew(deployment)
        with pytest.raises(NotFound):
            await deployment.do("shared.show", id=block.id)

    deployments(scenario)


def test_an_unfinished_draft_saves_and_is_not_published(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        blocks = [{"type": "quote", "data": {}}]
        block = await deployment.do("shared.create", name="Quote", blocks=blocks)
        with pytest.raises(InvalidInput, match="cannot be published yet"):
            await deployment.do("shared.publish", id=block.id)

    deployments(scenario)


def test_shared_blocks_on_the_command_line(
    deployments: Deployments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line(deployments, monkeypatch)
    file = tmp_path / "hours.md"
    file.write_text("Nine to *five*.")
    made = json.loads(
        invoke("shared", "create", "Hours", "--markdown", str(file), "-s", "aurora", "--json")
    )
    assert "published" in invoke("shared", "publish", made["id"], "-s", "aurora")
    assert "Hours" in invoke("shared", "list", "-s", "aurora")
    assert "*five*" in invoke("shared", "show", made["id"], "-s", "aurora")
    invoke("shared", "edit", made["id"], "--name", "Open", "--based-on", "1", "-s", "aurora")
    assert "Open" in invoke("shared", "delete", made["id"], "-s", "aurora")
