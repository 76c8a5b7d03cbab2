"""A folder that is imported again: what was done to its pages meanwhile is not lost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.cms.deployment import Deployment, Deployments


def written(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text, "utf-8")
    return folder


async def taken(deployment: Deployment, folder: Path) -> Any:
    return await deployment.do("content.import_markdown", "bread", folder=folder)


async def shown(deployment: Deployment, path: str) -> Any:
    return await deployment.do("pages.show", "bread", path=path)


async def body(deployment: Deployment, path: str) -> str:
    return str((await shown(deployment, path)).model_dump()["regions"]["main"][0]["data"]["text"])


def messages(report: Any, source: str) -> list[str]:
    return [line.message for line in report.lines if line.source == source]


def test_an_edited_page_stays_as_it_is_while_its_source_does(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        folder = written(tmp_path / "in", rye="# Rye\n\nDark.\n", oat="# Oat\n\nLight.\n")
        assert (await taken(deployment, folder)).created == 2
        await deployment.do("pages.edit", "bread", path="/rye/", body="Darker, and not done.")
        await deployment.do("pages.unpublish", "bread", path="/oat/")
        report = await taken(deployment, folder)
        assert (report.created, report.updated, report.published) == (0, 0, 0)
        assert await body(deployment, "/rye/") == "Darker, and not done."
        assert "Dark." in (await deployment.get("/rye/", "bread.mosaic.test")).text
        assert any("left as it is" in message for message in messages(report, "rye.md"))
        assert (await shown(deployment, "/oat/")).state == "draft"

    deployments(scenario)


def test_an_edit_becomes_a_version_before_a_changed_source_takes_its_place(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        folder = written(tmp_path / "in", rye="# Rye\n\nDark.\n")
        await taken(deployment, folder)
        await deployment.do("pages.edit", "bread", path="/rye/", body="An hour of work.")
        report = await taken(deployment, written(folder, rye="# Rye\n\nVery dark.\n"))
        assert (report.updated, report.published) == (1, 1)
        assert await body(deployment, "/rye/") == "Very dark."
        assert any("kept as version 2" in message for message in messages(report, "rye.md"))
        await deployment.do("pages.restore", "bread", path="/rye/", number=2)
        assert await body(deployment, "/rye/") == "An hour of work."

    deployments(scenario)


def test_a_source_that_changes_back_is_followed(deployments: Deployments, tmp_path: Path) -> None:
    async def scenario(deployment: Deployment) -> None:
        one, other = "# Rye\n\nDark.\n", "---\nslug: brown\n---\n# Rye\n\nBrown.\n"
        for text, path in ((one, "/rye/"), (other, "/brown/"), (one, "/rye/")):
            report = await taken(deployment, written(tmp_path / "in", rye=text))
            assert (await shown(deployment, path)).state == "published"
            assert not any("version" in message for message in messages(report, "rye.md"))

    deployments(scenario)


def test_a_page_that_somebody_moved_stays_where_it_is(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        folder = written(tmp_path / "in", rye="# Rye\n\nDark.\n")
        await taken(deployment, folder)
        await deployment.do("pages.move", "bread", path="/rye/", parent="/visit/")
        await taken(deployment, folder)
        assert (await shown(deployment, "/visit/rye/")).state == "published"
        await taken(deployment, written(folder, rye="# Rye\n\nDarker.\n"))
        assert await body(deployment, "/visit/rye/") == "Darker."

    deployments(scenario)


def test_what_a_generator_withholds_is_not_shown_before_its_day(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        folder = written(
            tmp_path / "in",
            later="+++\ntitle = 'Later'\ndate = 2999-01-01\n+++\nSoon.\n",
            embargo="+++\ntitle = 'Embargo'\npublishDate = 2998-01-01\n+++\nSecret.\n",
            over="+++\ntitle = 'Over'\nexpiryDate = 2001-01-01\n+++\nOnce.\n",
            until="+++\ntitle = 'Until'\nexpiryDate = 2997-01-01\n+++\nNow.\n",
        )
        for _ in range(2):
            report = await taken(deployment, folder)
            states = {
                name: (await shown(deployment, f"/{name}/")).state
                for name in ("later", "embargo", "over", "until")
            }
            assert states == {
                "later": "draft",
                "embargo": "draft",
                "over": "draft",
                "until": "published",
            }
            assert [
                (row.path, row.action, row.due)
                for row in await deployment.do("pages.schedules", "bread")
            ] == [
                ("/until/", "unpublish", datetime(2997, 1, 1, tzinfo=UTC)),
                ("/embargo/", "publish", datetime(2998, 1, 1, tzinfo=UTC)),
                ("/later/", "publish", datetime(2999, 1, 1, tzinfo=UTC)),
            ]
            assert any("draft" in message for message in messages(report, "over.md"))

    deployments(scenario)


def test_a_date_of_a_plain_folder_only_says_when(deployments: Deployments, tmp_path: Path) -> None:
    async def scenario(deployment: Deployment) -> None:
        text = "---\ntitle: Fair\ndate: 2999-01-01\n---\nCome.\n"
        await taken(deployment, written(tmp_path / "in", fair=text))
        assert (await shown(deployment, "/fair/")).state == "published"

    deployments(scenario)


def test_what_a_description_takes_the_place_of_is_in_the_report(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        folder = written(tmp_path / "in", rye="# Rye\n\nDark.\n")
        (folder / "site.toml").write_text(
            'title = "Bread"\nfooter = "Baked daily."\n'
            '[[menus]]\nplace = "header"\n[[menus.entries]]\ntitle = "Rye"\ntarget = "/rye/"\n',
            "utf-8",
        )
        said = ["the site is called 'Bread'"]
        assert messages(await taken(deployment, folder), "site.toml") == said
        assert messages(await taken(deployment, folder), "site.toml") == said
        entries = [{"title": title, "target": "/rye/"} for title in ("Our rye", "Oven")]
        await deployment.do("menus.set", "bread", place="header", items=entries)
        await deployment.do("sites.configure", "bread", footer="Closed in May.", tagline="Good")
        told = messages(await taken(deployment, folder), "site.toml")
        assert sorted(told) == [
            "footer: it was 'Closed in May.'",
            "tagline: it was 'Good'",
            "the header menu: it was 'Our rye, Oven'",
            *said,
        ]
        fresh = written(tmp_path / "new", index="# Oats\n\nLight.\n")
        (fresh / "site.toml").write_text('title = "Oats"\n', "utf-8")
        await deployment.rule("tenants.create", slug="oats", name="Old", tier="open")
        report = await deployment.do("content.import_markdown", "oats", folder=fresh)
        assert messages(report, "site.toml") == ["the site is called 'Oats'"]

    deployments(scenario)
