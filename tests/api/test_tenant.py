"""What a tenant is called, and what its sites can look like."""

from __future__ import annotations

from tests.api.conftest import Service, Services, problem


def test_an_owner_renames_their_tenant_and_its_address_stays(services: Services) -> None:
    async def scenario(service: Service) -> None:
        owner = {"x_api_key": await service.key("owner")}
        admin = {"x_api_key": await service.key("admin")}
        given = {"name": "Aurora – Museum für Licht"}
        told = problem(await service.ask("PATCH", "/tenant", json=given, **admin), 403)
        assert "Owner has it" in told["detail"]
        changed = await service.ask("PATCH", "/tenant", json=given, **owner)
        assert changed.json() == (await service.get("/tenant", **admin)).json()
        assert (changed.json()["name"], changed.json()["slug"]) == (given["name"], "aurora")
        for name in ("", "x" * 201, "two\nlines", None):
            problem(await service.ask("PATCH", "/tenant", json={"name": name}, **owner), 422)
        assert service.deployment.product.platform.directory.named("aurora").name == given["name"]
        assert (await service.deployment.get("/")).status_code == 200

    services(scenario)


def test_a_site_gets_one_of_the_themes_that_are_listed(services: Services) -> None:
    async def scenario(service: Service) -> None:
        admin = {"x_api_key": await service.key("admin")}
        items = (await service.get("/themes", **admin)).json()["items"]
        themes = {item["name"]: item for item in items}
        assert {"iznik", "folio", "harbour"} <= themes.keys()
        assert themes["iznik"]["sites"] == ["main"]
        assert "page" in themes["folio"]["layouts"]
        name, setting = next(iter(themes["folio"]["settings"].items()))
        seen = (await service.get("/sites/main", **admin)).json()
        given = {
            "theme": "folio",
            "theme_settings": {name: setting["choices"][-1]},
            "based_on": seen["revision"],
        }
        changed = await service.ask("PATCH", "/sites/main", json=given, **admin)
        assert changed.status_code == 200, changed.text
        items = (await service.get("/themes", **admin)).json()["items"]
        assert {item["name"]: item["sites"] for item in items}["folio"] == ["main"]

    services(scenario)


def test_an_owner_deletes_their_tenant_and_nothing_of_it_is_left_on_the_api(
    services: Services,
) -> None:
    async def scenario(service: Service) -> None:
        owner = {"x_api_key": await service.key("owner")}
        admin = {"x_api_key": await service.key("admin")}
        other = {"x_api_key": await service.key("owner", "bread")}
        told = problem(await service.ask("DELETE", "/tenant?confirm=aurora", **admin), 403)
        assert "Owner has it" in told["detail"]
        problem(await service.ask("DELETE", "/tenant?confirm=bread", **owner), 422)
        assert (await service.get("/tenant", **owner)).status_code == 200
        deleted = await service.ask("DELETE", "/tenant?confirm=aurora", **owner)
        assert deleted.status_code == 200, deleted.text
        assert deleted.json()["slug"] == "aurora"
        for removed in (False, True):
            if removed:
                given = {"slug": "aurora", "confirm": "aurora"}
                await service.deployment.rule("tenants.remove", **given)
            for host in ("aurora.mosaic.test", "mosaic.test", "bread.mosaic.test"):
                for key in (owner, admin):
                    answer = await service.get("/tenant", host=host, **key)
                    assert answer.status_code in {401, 403, 404}, (host, answer.text)
                    assert "Aurora" not in answer.text
        own = await service.get("/tenant", host="bread.mosaic.test", **other)
        assert own.json()["slug"] == "bread"

    services(scenario)
