"""Writing over the API: with rights, once, and never over what somebody else wrote."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import uuid
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from mosaic_cms.api.cookies import SESSION
from mosaic_cms.identity.key_format import make_key
from mosaic_cms.platform_tables import AuditEntry
from mosaic_cms.rights import Role
from tests.api.conftest import SHARED, Service, Services, problem
from tests.cms.access.people import People
from tests.cms.deployment import OPERATOR

NEW = {"slug": "tea", "title": "Tea", "parent": "/"}


def test_a_key_does_what_its_role_may(services: Services) -> None:
    async def scenario(service: Service) -> None:
        editor, viewer = await service.key("editor"), await service.key("viewer")
        made = await service.ask("POST", "/pages", json=NEW, x_api_key=editor)
        assert made.status_code == 201
        assert made.json()["path"] == "/tea/"
        shown = await service.ask("POST", "/pages/%2Ftea%2F/publish", x_api_key=editor)
        assert shown.json()["state"] == "published"
        assert "Tea" in (await service.deployment.get("/tea/")).text
        told = problem(await service.ask("POST", "/pages", json=NEW, x_api_key=viewer), 403)
        assert "Viewer lacks create on content; Editor has it." in told["detail"]
        assert (await service.get("/pages", authorization=f"Bearer {viewer}")).status_code == 200

    services(scenario)


def test_a_restricted_key_does_what_it_is_for(services: Services) -> None:
    async def scenario(service: Service) -> None:
        reader = await service.key("editor", actions=("pages.list", "pages.show"))
        assert (await service.get("/pages", x_api_key=reader)).status_code == 200
        told = problem(await service.ask("POST", "/pages", json=NEW, x_api_key=reader), 403)
        assert "it is for pages.list, pages.show only" in told["detail"]
        await service.deployment.do("sites.create", key="shop", title="Shop")
        shop = await service.key("editor", sites=("shop",))
        assert (await service.get("/pages?site=shop", x_api_key=shop)).status_code == 200
        problem(await service.get("/pages?site=main", x_api_key=shop), 403)
        problem(await service.get("/pages", x_api_key=shop), 403)

    services(scenario)


def test_a_key_that_is_none_is_refused_with_what_is_wrong(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = await service.key()
        keys = (await service.get("/keys", x_api_key=key)).json()["items"]
        await service.deployment.do("keys.revoke", id=keys[0]["id"])
        flawed = (key[:-1] + ("x" if key[-1] != "x" else "y"), "mosaic_x_y", "", "a b")
        unknown, _ = make_key()
        tokens = ("Bearer", "Bearer a.b.c", "Bearer " + "x" * 9000)
        answers = []
        for headers, why in (
            *(({"x_api_key": shown}, "is none: it is malformed") for shown in flawed),
            # Nobody learns which keys there were.
            *(({"x_api_key": shown}, "was revoked, or has expired") for shown in (key, unknown)),
            ({"authorization": f"Bearer {key}"}, "was revoked, or has expired"),
            *(({"authorization": shown}, "token is none: it is malformed") for shown in tokens),
        ):
            answers.append(await service.get("/pages", **headers))
            assert why in problem(answers[-1], 401)["detail"]
        assert all("www-authenticate" in answer.headers for answer in answers)
        problem(await service.get("/pages", authorization="Basic dTpw"), 401)
        assert key not in repr([answer.text for answer in answers])
        await service.deployment.product.ledger.flush()
        async with service.deployment.product.platform.directory.database.session() as session:
            entries = list(await session.scalars(select(AuditEntry)))
        (noted,) = [entry for entry in entries if entry.action == "api.authenticate"]
        assert (noted.outcome, noted.tenant_id) == ("refused", None)
        assert noted.times >= len(answers)

    services(scenario)


def test_who_guesses_keys_is_slowed_down(services: Services) -> None:
    async def scenario(service: Service) -> None:
        for _ in range(5):
            problem(await service.get("/pages", x_api_key="mosaic_guess"), 401)
        problem(await service.get("/pages", x_api_key="mosaic_guess"), 429)

    services(scenario, rates={"actor": 5})


def test_a_key_is_for_its_tenant_wherever_it_is_shown(services: Services) -> None:
    async def scenario(service: Service) -> None:
        directory = service.deployment.product.platform.directory
        ours, theirs = directory.named("aurora").tenant_id, directory.named("bread").tenant_id
        key = await service.key("viewer")
        assert (await service.get("/pages", host=SHARED, x_api_key=key)).status_code == 200
        both = {"x_api_key": key, "x_tenant_id": ours}
        assert (await service.get("/pages", host=SHARED, **both)).status_code == 200
        for host, headers in (
            ("bread.mosaic.test", {"x_api_key": key}),
            (SHARED, {"x_api_key": key, "x_tenant_id": theirs}),
            (SHARED, {"x_api_key": key, "x_tenant_id": "nobody"}),
            ("aurora.mosaic.test", {"x_api_key": key, "x_tenant_id": theirs}),
            (
                SHARED,
                {"x_api_key": key, "authorization": f"Bearer {await service.key(slug='bread')}"},
            ),
        ):
            answer = await service.get("/pages", host=host, **headers)
            assert answer.status_code in {401, 403}
            problem(answer, answer.status_code)
            assert "bread" not in answer.text.replace("bread.mosaic.test", "")
        log = await service.deployment.do("audit.list", "bread", limit=20)
        assert any("do not name the same tenant" in entry.reason for entry in log)

    services(scenario)


def test_an_edit_is_never_lost(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = await service.key("editor")
        seen = await service.get("/pages/%2Fvisit%2F", x_api_key=key)
        tag = seen.headers["etag"]
        asked: dict[str, Any] = {"x_api_key": key, "if_match": tag}
        first = await service.ask("PATCH", "/pages/%2Fvisit%2F", json={"title": "A"}, **asked)
        assert first.status_code == 200
        told = problem(
            await service.ask("PATCH", "/pages/%2Fvisit%2F", json={"title": "B"}, **asked), 412
        )
        assert "Get it again" in told["hint"]
        now = await service.get("/pages/%2Fvisit%2F", x_api_key=key)
        assert now.json()["title"] == "A"
        await service.deployment.do("pages.edit", path="/news/", title="Another page")
        asked["if_match"] = now.headers["etag"]
        again = await service.ask("PATCH", "/pages/%2Fvisit%2F", json={"title": "C"}, **asked)
        assert again.status_code == 200, "what somebody writes elsewhere is in nobody's way"
        for header in ('W/"x"', '"x"', "x"):
            asked["if_match"] = header
            problem(await service.ask("DELETE", "/pages/%2Fvisit%2F", **asked), 412)
        asked["if_match"] = "*"
        assert (
            await service.ask("DELETE", "/pages/%2Fvisit%2Fhours%2F", **asked)
        ).status_code == 200
        problem(await service.ask("POST", "/pages", json=NEW, x_api_key=key, if_match='"x"'), 412)

    services(scenario)


def test_of_many_who_saw_the_same_one_writes(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = await service.key("editor")
        tag = (await service.get("/pages/%2Fvisit%2F", x_api_key=key)).headers["etag"]

        async def edit(number: int) -> int:
            asked = {"x_api_key": key, "if_match": tag, "json": {"title": f"Title {number}"}}
            return (await service.ask("PATCH", "/pages/%2Fvisit%2F", **asked)).status_code

        async def elsewhere(number: int) -> int:
            asked = {"x_api_key": key, "json": NEW | {"slug": f"tea-{number}"}}
            return (await service.ask("POST", "/pages", **asked)).status_code

        answers = await asyncio.gather(*map(edit, range(8)), *map(elsewhere, range(8)))
        assert sorted(answers[:8]) == [200, *[412] * 7]
        assert answers[8:] == [201] * 8

    services(scenario)


def test_of_two_who_saw_the_same_of_the_platform_one_writes(services: Services) -> None:
    async def scenario(service: Service) -> None:
        people = People(service.deployment)
        ada = await people.add("ada", Role.VIEWER)
        key = {"x_api_key": await service.key("owner")}
        bodies: dict[tuple[str, str], tuple[dict[str, Any], ...]] = {
            ("PATCH", f"/members/{ada}"): ({"role": "editor"}, {"role": "admin"}),
            ("PATCH", "/tenant"): ({"name": "A"}, {"name": "B"}),
            ("PUT", "/networks"): ({"block": ["203.0.113.1"]}, {"block": ["203.0.113.2"]}),
            ("PUT", "/menus/header"): (
                {"items": [{"title": "A", "target": "/"}]},
                {"items": [{"title": "B", "target": "/"}]},
            ),
        }
        for (method, path), both in bodies.items():
            seen = await service.get(path, **key)
            assert seen.status_code == 200
            asked = {"if_match": seen.headers["etag"], **key}
            answers = await asyncio.gather(
                *(service.ask(method, path, json=body, **asked) for body in both)
            )
            assert sorted(one.status_code for one in answers) == [200, 412], path
            for body in both:
                problem(await service.ask(method, path, json=body, **asked), 412)
            asked["if_match"] = (await service.get(path, **key)).headers["etag"]
            again = await service.ask(method, path, json=both[0], **asked)
            assert again.status_code == 200, again.text

    services(scenario)


def test_a_menu_in_another_language_is_looked_at_in_that_one(services: Services) -> None:
    async def scenario(service: Service) -> None:
        await service.deployment.do("sites.configure", languages=["de"])
        key = {"x_api_key": await service.key("editor")}
        german = (await service.get("/menus/side?language=de", **key)).headers["etag"]
        body = {"items": [{"title": "Start", "target": "/"}], "language": "de"}
        asked = {"json": body, "if_match": german, **key}
        assert (await service.ask("PUT", "/menus/side", **asked)).status_code == 200
        problem(await service.ask("PUT", "/menus/side", **asked), 412)
        problem(await service.ask("PUT", "/menus/side", **asked | {"if_match": '"x"'}), 412)

    services(scenario)


def test_ones_own_account_is_not_written_over(services: Services) -> None:
    async def scenario(service: Service) -> None:
        people = People(service.deployment)
        ada, identity = await people.add("ada"), people.identity
        started = await identity.store.write(
            lambda write: identity.sessions.start(write, ada), actor="test", action="test"
        )
        signed_in = {
            "cookie": f"{SESSION}={started.cookie}",
            "x_csrf_token": identity.secrets.token("csrf", str(started.id)),
            "host": SHARED,
        }
        tag = (await service.get("/account", **signed_in)).headers["etag"]
        for name, status in (("A", 200), ("B", 412)):
            given = {"json": {"name": name}, "if_match": tag, **signed_in}
            answer = await service.ask("PATCH", "/account", **given)
            assert answer.status_code == status, answer.text

    services(scenario)


def test_a_file_is_sent_once_though_others_write_meanwhile(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = {"x_api_key": await service.key("editor")}
        tag = (await service.get("/media", **key)).headers["etag"]

        async def content() -> AsyncIterator[bytes]:
            yield b"some words"
            answer = await service.ask("POST", "/pages", json=NEW, **key)
            assert answer.status_code == 201
            yield b" and more"

        asked = {"content_type": "application/octet-stream", "if_match": tag, **key}
        sent = await service.ask("POST", "/media?name=a.txt", content=content(), **asked)
        assert sent.status_code == 200, sent.text
        problem(await service.ask("POST", "/media?name=b.txt", content=b"b", **asked), 412)

    services(scenario)


def test_what_is_sent_twice_is_done_once(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = await service.key("admin")
        asked = {"x_api_key": key, "idempotency_key": "0190"}
        first = await service.ask("POST", "/pages", json=NEW, **asked)
        again = await service.ask("POST", "/pages", json=NEW, **asked)
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["idempotent-replayed"] == "true"
        problem(await service.ask("POST", "/pages", json=NEW | {"slug": "x"}, **asked), 422)
        problem(await service.ask("POST", "/pages", json=NEW, x_api_key=key), 409)
        other = asked | {"x_api_key": await service.key("admin")}
        problem(await service.ask("POST", "/pages", json=NEW, **other), 409)

    services(scenario)


def test_what_was_answered_once_is_told_again_only_to_whoever_may_ask(services: Services) -> None:
    async def scenario(service: Service) -> None:
        people = People(service.deployment)
        ada = await people.add("ada", Role.ADMIN)

        async def token(*actions: str) -> str:
            issued = people.identity.bearer.issue(ada, people.tenant_id, actions, OPERATOR)
            return f"Bearer {(await issued).access}"

        async def make_key(shown: str) -> httpx.Response:
            body = {"name": "mine", "role": "viewer"}
            return await service.ask(
                "POST", "/keys", json=body, idempotency_key="0190", authorization=shown
            )

        whole, restricted = await token(), await token("pages.*")
        made = await make_key(whole)
        assert (await make_key(whole)).json() == made.json()
        told = problem(await make_key(restricted), 403)
        assert "it is for pages.* only" in told["detail"]
        problem(await make_key(await token("keys.*")), 403)  # it gives no more than it is for
        await service.deployment.rule("tenants.suspend", slug="aurora", status="closed", reason="x")
        problem(await make_key(whole), 503)
        await service.deployment.rule("tenants.resume", slug="aurora")
        await service.deployment.do("members.change", account=ada, role="viewer")
        assert "Viewer lacks create on keys" in problem(await make_key(whole), 403)["detail"]

    services(scenario)


def test_a_folder_of_markdown_comes_as_an_archive(services: Services) -> None:
    def archive(files: dict[str, str]) -> str:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, text in files.items():
                packed.writestr(name, text)
        return base64.b64encode(content.getvalue()).decode()

    async def scenario(service: Service) -> None:
        key = await service.key("admin")
        folder = {"site/tea.md": "---\ntitle: Tea\n---\nGreen.\n"}
        given = {"archive": archive(folder)}
        done = await service.ask("POST", "/imports/markdown", json=given, x_api_key=key)
        assert done.status_code == 200, done.text
        assert done.json()["created"] == 1
        assert "Green." in (await service.deployment.get("/tea/")).text
        before = [page.path for page in await service.deployment.do("pages.list")]
        for hostile, words in (
            ({"../up.md": "# Up\n"}, "leaves it"),
            ({"/root.md": "# Root\n"}, "leaves it"),
            ({"a/../../b.md": "# B\n"}, "leaves it"),
            ({f"{n}.md": "" for n in range(5_001)}, "more than 5,000 files"),
            ({"bomb.md": "0" * 300_000_000}, "larger than 256 MiB"),
        ):
            asked = {"json": {"archive": archive(hostile)}, "x_api_key": key}
            told = problem(await service.ask("POST", "/imports/markdown", **asked), 422)
            assert words in told["detail"]
        for nothing in ("", "AAAA", "not base64!"):
            asked = {"json": {"archive": nothing}, "x_api_key": key}
            problem(await service.ask("POST", "/imports/markdown", **asked), 422)
        assert [page.path for page in await service.deployment.do("pages.list")] == before
        editor = await service.key("editor")
        problem(await service.ask("POST", "/imports/markdown", json=given, x_api_key=editor), 403)

    services(scenario)


@pytest.mark.parametrize(
    ("content", "kind", "status", "words"),
    [
        (b"{", "application/json", 400, "not JSON"),
        (b"[]", "application/json", 400, "not an object"),
        (b'{"title": NaN}', "application/json", 400, "not JSON"),
        (b'{"title": "\xff"}', "application/json", 400, "not JSON"),
        (b'{"title": "\\ud800"}', "application/json", 400, "not JSON"),
        (b'{"details": ' + b'{"a":' * 100 + b"1" + b"}" * 101, "application/json", 400, "levels"),
        (b"[" * 100_000, "application/json", 400, "not JSON"),
        (b"title=x", "application/x-www-form-urlencoded", 415, "application/json"),
        (b"{}", "", 415, "of no kind"),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x", 415, "application/json"),
        (b"", "Multipart/Mixed", 415, "application/json"),
        (b'{"title": "x", "colour": "red"}', "application/json", 422, "colour"),
        (b'{"title": 7}', "application/json", 422, "title"),
        (b'{"based_on": "7"}', "application/json", 422, "based_on"),
        (b'{"path": "/news/"}', "application/json", 400, "in the path and in the body"),
        (b" " * (17 * 1024 * 1024), "application/json", 413, "16 MiB"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_body_that_cannot_be_taken_changes_nothing(
    services: Services, content: bytes, kind: str, status: int, words: str
) -> None:
    async def scenario(service: Service) -> None:
        key = await service.key("editor")
        before = await service.get("/pages/%2Fvisit%2F", x_api_key=key)
        headers = {"x_api_key": key, "content_type": kind}
        answer = await service.ask("PATCH", "/pages/%2Fvisit%2F", content=content, **headers)
        assert words in json.dumps(problem(answer, status))
        assert (await service.get("/pages/%2Fvisit%2F", x_api_key=key)).json() == before.json()
        log = await service.deployment.do("audit.list", limit=5)
        assert [line.action for line in log if line.outcome == "refused"] == ["pages.edit"]

    services(scenario)


def test_a_suspended_tenant_says_so(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = await service.key("owner")
        await service.deployment.rule("tenants.suspend", slug="aurora", reason="Unpaid")
        assert (await service.get("/pages", x_api_key=key)).status_code == 200
        told = problem(await service.ask("POST", "/pages", json=NEW, x_api_key=key), 403)
        assert "read-only: Unpaid" in told["detail"]
        leaked = await service.get("/keys", x_api_key=key)
        (one,) = leaked.json()["items"]
        done = await service.ask("DELETE", f"/keys/{one['id']}", x_api_key=key)
        assert done.status_code == 200, "what leaked is taken back, whoever pays"
        problem(await service.get("/pages", x_api_key=key), 401)
        await service.deployment.rule("tenants.suspend", slug="aurora", status="closed")
        problem(await service.get("/content/pages"), 503)

    services(scenario)


def test_what_is_not_there_is_wrong_in_a_body_and_not_found_in_an_address(
    services: Services,
) -> None:
    async def scenario(service: Service) -> None:
        key = {"x_api_key": await service.key("owner")}
        given = {"title": "Tea", "slug": "tea", "site": "nowhere"}
        told = problem(await service.ask("POST", "/pages", json=given, **key), 422)
        assert told["problems"] == [{"where": "site", "what": "There is no site 'nowhere'."}]
        release = (await service.ask("POST", "/releases", json={"title": "R"}, **key)).json()["id"]
        pages = {"json": {"paths": ["/no/"]}}
        told = problem(await service.ask("POST", f"/releases/{release}/pages", **pages, **key), 422)
        assert told["problems"][0]["where"] == "paths"
        problem(await service.get("/sites/nowhere", **key), 404)
        problem(await service.get("/pages/%2Fno%2F", **key), 404)
        problem(await service.get("/pages", params={"site": "nowhere"}, **key), 404)

    services(scenario)


def test_a_release_that_is_on_another_site_is_not_one_that_is_not_there(
    services: Services,
) -> None:
    async def scenario(service: Service) -> None:
        await service.deployment.do("sites.create", key="shop", title="Shop")
        key = {"x_api_key": await service.key("owner")}
        made = await service.ask("POST", "/releases", json={"title": "Spring"}, **key)
        address = f"/releases/{made.json()['id']}/schedules"
        given = {"at": "2050-01-01T08:00", "site": "shop"}
        told = problem(await service.ask("POST", address, json=given, **key), 422)
        assert told["problems"][0]["where"] == "site"
        missing = f"/releases/{uuid.uuid4()}/schedules"
        problem(await service.ask("POST", missing, json=given, **key), 404)
        assert (await service.ask("POST", address, json=given | {"site": "main"}, **key)).is_success

    services(scenario)
