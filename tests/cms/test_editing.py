"""Editing together: what two people change in different places is merged, and nothing is ever
overwritten unseen."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import delete, select

from mosaic_cms.blocks.stored import new_block
from mosaic_cms.content import drafts
from mosaic_cms.content.conflicts import EditConflict
from mosaic_cms.content.drafts import DraftStep, draft_at
from mosaic_cms.content.tree import find_page, find_site
from mosaic_cms.scope import Actor
from mosaic_core.errors import InvalidInput
from mosaic_core.head import TENANT, Write
from tests.cms.deployment import Deployment, Deployments, opened

PATH = "/visit/"
Regions = dict[str, list[dict[str, Any]]]


def texts(regions: Regions) -> list[str]:
    return [block["data"]["text"] for block in regions["main"]]


def with_text(regions: Regions, number: int, text: str) -> Regions:
    """The same with another text in one block of ``main``."""
    main = list(regions["main"])
    main[number] = {**main[number], "data": {"text": text}}
    return {**regions, "main": main}


async def begin(deployment: Deployment, *words: str) -> Any:
    """The page with a block for each word, as an editor opens it."""
    blocks = [new_block("markdown", {"text": word}) for word in words or ("one", "two", "three")]
    return await deployment.do("pages.edit", path=PATH, regions={"main": blocks})


async def save(deployment: Deployment, based_on: int | None, **content: Any) -> Any:
    return await deployment.do("pages.edit", path=PATH, based_on=based_on, **content)


def test_two_edits_of_different_blocks_are_merged(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        seen = await begin(deployment)
        first = await save(deployment, seen.revision, regions=with_text(seen.regions, 0, "ONE"))
        assert not first.merged
        second = await save(deployment, seen.revision, regions=with_text(seen.regions, 2, "THREE"))
        assert second.merged
        assert texts(second.regions) == ["ONE", "two", "THREE"]
        third = await save(deployment, first.revision, title="Come and see")
        assert (third.title, texts(third.regions)) == ("Come and see", ["ONE", "two", "THREE"])
        shown = await deployment.do("pages.show", path=PATH)
        assert (shown.regions, shown.revision) == (third.regions, third.revision)

    deployments(scenario)


def test_two_edits_of_one_block_are_a_conflict_with_both_texts_and_nothing_is_saved(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        seen = await begin(deployment)
        theirs = await save(
            deployment, seen.revision, title="Theirs", regions=with_text(seen.regions, 1, "theirs")
        )
        with pytest.raises(EditConflict, match=r"main\[1\]") as caught:
            await save(
                deployment, seen.revision, title="Mine", regions=with_text(seen.regions, 1, "mine")
            )
        assert caught.value.status == 409
        shown = {
            conflict.where: [
                side["data"]["text"] if isinstance(side, dict) else side
                for side in (conflict.base, conflict.mine, conflict.theirs)
            ]
            for conflict in caught.value.conflicts
        }
        assert shown == {
            "title": [seen.title, "Mine", "Theirs"],
            "main[1]": ["two", "mine", "theirs"],
        }
        after = await deployment.do("pages.show", path=PATH)
        assert (after.title, texts(after.regions)) == ("Theirs", ["one", "theirs", "three"])
        assert after.revision == theirs.revision == caught.value.revision
        settled = await save(
            deployment, caught.value.revision, regions=with_text(seen.regions, 1, "both")
        )
        assert texts(settled.regions) == ["one", "both", "three"]

    deployments(scenario)


def test_two_edits_whose_blocks_are_given_without_ids_are_a_conflict(
    deployments: Deployments,
) -> None:
    def unnamed(regions: Regions) -> Regions:
        main = [{"type": each["type"], "data": each["data"]} for each in regions["main"]]
        return {"main": main}

    async def scenario(deployment: Deployment) -> None:
        seen = await begin(deployment)
        ids = [block["id"] for block in seen.regions["main"]]
        theirs = unnamed(with_text(seen.regions, 1, "theirs"))
        first = await save(deployment, seen.revision, regions=theirs)
        assert [block["id"] for block in first.regions["main"]] == ids
        mine = unnamed(with_text(seen.regions, 1, "mine"))
        with pytest.raises(EditConflict, match=r"main\[1\]"):
            await save(deployment, seen.revision, regions=mine)
        other = unnamed(with_text(seen.regions, 2, "mine"))
        merged = await save(deployment, seen.revision, regions=other)
        assert texts(merged.regions) == ["one", "theirs", "mine"]

    deployments(scenario)


def test_a_save_on_the_newest_draft_is_saved_as_it_is(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        seen = await begin(deployment)
        saved = await save(deployment, seen.revision, regions=with_text(seen.regions, 0, "ONE"))
        again = await save(deployment, saved.revision, regions=saved.regions)
        assert (again.revision, again.merged) == (saved.revision, False)
        assert (await save(deployment, None, title="By the operator")).title == "By the operator"

    deployments(scenario)


def test_an_editor_who_began_amid_anothers_autosaves_is_merged_though_these_coalesce(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        seen = await begin(deployment)
        opened_by = None
        for number in range(8):
            if number == 3:
                opened_by = await deployment.do("pages.show", path=PATH)
            seen = await save(
                deployment, seen.revision, regions=with_text(seen.regions, 0, f"typing {number}")
            )
        assert opened_by is not None
        async with deployment.scope().read() as session:
            log = TENANT.changes
            images = list(
                await session.scalars(
                    select(log.c.image)
                    .where(log.c.entity_id == str(seen.id))
                    .order_by(log.c.version)
                )
            )
        assert images[-8:-1] == [None] * 7, "autosaves coalesce"
        other = await save(
            deployment, opened_by.revision, regions=with_text(opened_by.regions, 2, "mine")
        )
        assert texts(other.regions) == ["typing 7", "two", "mine"]

    deployments(scenario)


def test_without_what_a_change_is_based_on_every_difference_is_a_conflict(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        seen = await begin(deployment)
        await save(deployment, seen.revision, regions=with_text(seen.regions, 0, "theirs"))

        async def forget(write: Write) -> None:
            await write.session.execute(delete(DraftStep))

        await deployment.scope().write(forget)
        before = await deployment.do("pages.show", path=PATH)
        with pytest.raises(EditConflict) as caught:
            await save(
                deployment,
                seen.revision,
                details={"author": "Zoe"},
                regions={"main": with_text(before.regions, 0, "mine")["main"][::2]},
            )
        assert {conflict.where for conflict in caught.value.conflicts} == {
            "details.author",
            "main[0]",
            "main[1]",
        }
        assert await deployment.do("pages.show", path=PATH) == before
        with pytest.raises(EditConflict, match="regions"):
            await save(deployment, seen.revision, regions={"main": before.regions["main"][::-1]})
        same = await save(deployment, seen.revision, regions=before.regions)
        assert same.revision == before.revision

    deployments(scenario)


def test_a_number_that_becomes_a_truth_is_saved(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("pages.edit", path=PATH, details={"rank": 1})
        saved = await deployment.do("pages.edit", path=PATH, details={"rank": True})
        assert saved.details["rank"] is True

    deployments(scenario)


def test_a_revision_that_never_was_is_refused(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        seen = await begin(deployment)
        for wrong in (seen.revision + 1, -1):
            with pytest.raises(InvalidInput, match=f"no revision {wrong}"):
                await save(deployment, wrong, title="New")

    deployments(scenario)


def test_a_body_is_merged_as_the_block_that_holds_it(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        seen = await begin(deployment, "text")
        await save(deployment, seen.revision, title="New title")
        merged = await save(deployment, seen.revision, body="another text")
        assert (merged.title, texts(merged.regions)) == ("New title", ["another text"])
        with pytest.raises(EditConflict):
            await save(deployment, seen.revision, body="a third text")

    deployments(scenario)


def test_what_is_merged_is_checked_like_anything_else(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        seen = await begin(deployment, "a" * 600_000)
        grown = [*seen.regions["main"], new_block("markdown", {"text": "b" * 600_000})]
        await save(deployment, seen.revision, regions={"main": grown})
        before = await deployment.do("pages.show", path=PATH)
        more = [*seen.regions["main"], new_block("markdown", {"text": "c" * 600_000})]
        with pytest.raises(InvalidInput, match="1,500,000 fit"):
            await save(deployment, seen.revision, regions={"main": more})
        assert await deployment.do("pages.show", path=PATH) == before

    deployments(scenario)


def test_every_draft_can_be_stepped_back_to(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        first = await deployment.do("pages.show", path=PATH)
        seen = [first, await begin(deployment, "a", "b", "c")]
        blocks = seen[1].regions["main"]
        for change in (
            {"regions": {"main": blocks[::-1]}},
            {"regions": {"main": blocks[:1], "aside": blocks[1:]}},
            {"title": "T", "details": {"tags": ["x"]}},
            {"regions": {}},
            {"regions": {"main": [blocks[2]]}, "summary": "S", "layout": "post"},
        ):
            seen.append(await save(deployment, None, **change))
        async with deployment.scope().read() as session:
            page = await find_page(session, await find_site(session), PATH)
            for view in seen:
                content = await draft_at(session, page, view.revision)
                assert content is not None
                assert dict(content) == {name: getattr(view, name) for name in dict(content)}

    deployments(scenario)


def test_only_so_many_steps_back_are_kept(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "MOST_STEPS", 5)
    monkeypatch.setattr(drafts, "_FORGET_EVERY", 4)

    async def scenario(deployment: Deployment) -> None:
        seen = await begin(deployment)
        for number in range(20):
            await save(deployment, None, title=f"Title {number}")
        async with deployment.scope().read() as session:
            kept = list(
                await session.scalars(
                    select(DraftStep.revision).where(DraftStep.draft_id == seen.id)
                )
            )
        assert 5 <= len(kept) <= 5 + 4
        with pytest.raises(EditConflict):
            await save(deployment, seen.revision, title="Mine")

    deployments(scenario)


def test_many_editors_in_two_processes_lose_nothing(deployments: Deployments) -> None:
    async def scenario(here: Deployment) -> None:
        seen = await begin(here, *"abcdefgh")
        async with opened(deployments.root) as there:

            async def work(deployment: Deployment, number: int) -> None:
                regions, revision = seen.regions, seen.revision
                scope = deployment.scope(actor=Actor("operator", f"editor-{number}"))
                for turn in range(4):
                    saved = await deployment.product.actions.perform(
                        "pages.edit",
                        scope,
                        {
                            "path": PATH,
                            "based_on": revision,
                            "regions": with_text(regions, number, f"{number}.{turn}"),
                        },
                    )
                    regions, revision = saved.regions, saved.revision

            await asyncio.gather(
                *(work(here if number % 2 else there, number) for number in range(8))
            )
            after = await there.do("pages.show", path=PATH)
            assert texts(after.regions) == [f"{number}.3" for number in range(8)]

    deployments(scenario)
