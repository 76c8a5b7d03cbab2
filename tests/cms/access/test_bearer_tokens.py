"""Bearer tokens: what they say, who believes them, and when they end."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, OKPKey

from mosaic_cms.identity import refresh
from mosaic_cms.identity.secrets import Secrets
from mosaic_cms.identity.signing import ALGORITHM
from mosaic_cms.identity.tables import SigningKey
from mosaic_cms.rights import Role, Scopes
from mosaic_core.errors import Denied, InvalidInput, Unauthenticated
from tests.cms.access.people import People, set_account
from tests.cms.deployment import Deployment, Deployments, opened
from tests.platforms import kept_in

OWNER, ADMIN, EDITOR = Role.OWNER, Role.ADMIN, Role.EDITOR


async def staff(deployment: Deployment) -> People:
    people = People(deployment)
    await people.add("olga", OWNER)
    await people.add("edith", EDITOR)
    await people.add("zoe")
    return people


async def make(people: People, who: str = "edith", **given: Any) -> Any:
    return await people.own(who, "tokens.create", **({"tenant": people.slug} | given))


async def renew(people: People, token: str) -> Any:
    visitor = people.product.platform_scope(await people.actor("zoe"))
    return await people.product.actions.perform("tokens.refresh", visitor, {"refresh_token": token})


async def use(people: People, tokens: Any, action: str = "pages.list", **given: Any) -> Any:
    principal = await people.identity.bearer.verify(tokens.access_token)
    return await people.through(principal, action, **given)


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


# What they say


def test_a_token_says_whose_and_for_what_it_is(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        tokens = await make(people, actions=["pages.*", "menus.show"])
        assert (tokens.token_type, tokens.expires_in) == ("Bearer", 600)
        assert tokens.scope == "pages.* menus.show"
        # By the published keys alone, as somebody else verifies it.
        keys = KeySet.import_key_set(await people.identity.bearer.jwks())  # type: ignore[arg-type]
        token = jwt.decode(tokens.access_token, keys, algorithms=[ALGORITHM])
        assert token.header["typ"] == "at+jwt"
        assert token.claims.pop("exp") - token.claims.pop("iat") == 600
        assert token.claims.pop("jti") != token.claims.pop("sid")
        assert token.claims == {
            "iss": "https://mosaic.test",
            "aud": "https://mosaic.test/api",
            "sub": str(people.ids["edith"]),
            "TenantId": people.tenant_id,
            "scope": "pages.* menus.show",
        }
        await use(people, tokens, "pages.edit", path="/", title="New")
        with pytest.raises(Denied, match=r"for pages\.\*, menus\.show only"):
            await use(people, tokens, "redirects.list")
        principal = await people.identity.bearer.verify(tokens.access_token)
        assert principal is not None
        assert principal.scopes == Scopes(("pages.*", "menus.show"))
        other = await people.identity.actor_for(
            principal, deployment.scope("bread").tenant.tenant_id
        )
        assert other.role is None

    deployments(scenario)


def test_published_keys_are_public(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        assert await people.identity.bearer.jwks() == {"keys": []}
        await make(people)
        (key,) = (await people.identity.bearer.jwks())["keys"]
        assert sorted(key) == ["alg", "crv", "kid", "kty", "use", "x"]
        async with people.identity.store.session() as session:
            row = await session.get_one(SigningKey, key["kid"])
        private = json.loads(people.identity.secrets.unseal(row.private))["d"]
        for path in (deployments.root / "data").rglob("*"):
            assert not path.is_file() or private.encode() not in path.read_bytes()
        kept = await kept_in(deployment.product.platform.directory.database)
        assert private.encode() not in kept

    deployments(scenario)


def test_a_token_is_for_who_belongs_to_the_tenant(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        for tenant in ("aurora", "nowhere", "Ä"):
            with pytest.raises(Denied, match="You do not belong to this tenant"):
                await make(people, "zoe", tenant=tenant)
        with pytest.raises(InvalidInput, match="No action is called"):
            await make(people, actions=["pges.list"])
        key = await people.do("olga", "keys.create", name="Key", role="owner")
        with pytest.raises(Denied):
            await people.through(
                await people.identity.keys.find(key.key), "tokens.create", tenant="aurora"
            )

    deployments(scenario)


def test_a_token_makes_no_other_ones(deployments: Deployments) -> None:
    """Else who has one for a moment has one for ever, and one for less would be one for more."""

    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        told = {(): "a session has it", ("tokens.*",): "A token makes no other ones"}
        for actions, why in told.items():
            tokens = await make(people, actions=actions)
            principal = await people.identity.bearer.verify(tokens.access_token)
            assert principal is not None
            actor = await people.identity.actor_for(principal, None)
            scope = people.product.platform_scope(actor)
            with pytest.raises(Denied, match=why):
                await people.product.actions.perform("tokens.create", scope, {"tenant": "aurora"})

    deployments(scenario)


def test_a_token_ends_itself_whatever_it_is_for(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        whole, tokens = await make(people), await make(people, actions=["pages.*"])
        principal = await people.identity.bearer.verify(tokens.access_token)
        assert principal is not None
        scope = people.product.platform_scope(await people.identity.actor_for(principal, None))

        async def revoke(**given: Any) -> Any:
            return await people.product.actions.perform("tokens.revoke", scope, given)

        with pytest.raises(Denied, match="not for ending all"):
            await revoke()
        assert (await revoke(refresh_token=tokens.refresh_token)).ended == 1
        assert await people.identity.bearer.verify(tokens.access_token) is None
        assert await people.identity.bearer.verify(whole.access_token) is not None

    deployments(scenario)


# Who believes them


def test_what_we_did_not_sign_for_this_is_no_token(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        bearer = people.identity.bearer
        tokens = await make(people)
        token, claims = tokens.access_token, claims_of(tokens.access_token)
        kid, own = await people.identity.bearer.keys.current()
        public = json.dumps((await bearer.jwks())["keys"][0])
        head, body, signature = token.split(".")
        stranger = OKPKey.generate_key("Ed25519")
        octets = OctKey.import_key(public)

        def signed(claims: Any, key: Any = own, alg: str = ALGORITHM, **header: Any) -> str:
            header = {"alg": alg, "typ": "at+jwt", "kid": kid} | header
            return jwt.encode(header, claims, key, algorithms=[alg])

        def plain(**header: Any) -> str:
            text = json.dumps({"alg": ALGORITHM, "typ": "at+jwt", "kid": kid} | header)
            return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

        assert await bearer.verify(signed(claims)) is not None
        wrong = [
            signed(claims, stranger),
            signed(claims, octets, "HS256"),
            signed(claims, kid="another"),
            signed(claims, typ="JWT"),
            signed(claims, stranger, jwk=stranger.as_dict(private=False)),
            signed(claims | {"iss": "https://evil.example"}),
            signed(claims | {"aud": "https://mosaic.test"}),
            signed(claims | {"aud": [claims["aud"], "https://evil.example"]}),
            signed(claims | {"exp": claims["exp"] - 700}),
            signed(claims | {"sid": str(people.ids["edith"])}),
            f"{plain(alg='none')}.{body}.",
            f"{plain(alg='none')}.{body}.{signature}",
            f"{plain(alg='HS256')}.{body}.{signature}",
            f"{plain(kid=None)}.{body}.{signature}",
            f"{plain(kid=[])}.{body}.{signature}",
            f"{plain(crit=['b64'], b64=False)}.{body}.{signature}",
            f"{head}.{body}",
            f"{head}.{body}.",
            f"{head}.{body}.{signature}.{signature}",
            f"{head}.{body[:-2]}.{signature}",
            f"{head}..{signature}",
            f"W10.{body}.{signature}",
            f"bnVsbA.{body}.{signature}",
            "..",
            "",
            "a.b.c",
            "é.é.é",
            "\ud800.\ud800.\ud800",
            "\0",
            token + " ",
            "x" * 100_000,
            "." * 4_000,
        ]
        for text in wrong:
            assert await bearer.verify(text) is None, text[:80]
        assert await bearer.verify(token) is not None

    deployments(scenario)


def test_a_token_with_any_character_changed_is_none(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        token = (await make(people)).access_token
        for place in range(0, len(token) - 1, max(1, len(token) // 40)):
            other = "A" if token[place] != "A" else "B"
            for changed in (other, other * 50, ""):
                text = token[:place] + changed + token[place + 1 :]
                assert await people.identity.bearer.verify(text) is None
                assert "malformed" in people.identity.bearer.flaw(text)

    deployments(scenario)


# When they end


def test_a_token_ends_after_minutes_also_from_memory(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        with time_machine.travel(datetime(2031, 1, 1, tzinfo=UTC), tick=False) as clock:
            token = (await make(people)).access_token
            assert await people.identity.bearer.verify(token) is not None
            clock.shift(599)
            assert await people.identity.bearer.verify(token) is not None
            clock.shift(1)
            assert await people.identity.bearer.verify(token) is None
            assert people.identity.bearer.flaw(token) == "has expired"

    deployments(scenario)


Way = Callable[[People, Any], Awaitable[Any]]


@pytest.mark.parametrize(
    "way",
    [
        lambda p, t: p.own("edith", "tokens.revoke", refresh_token=t.refresh_token),
        lambda p, t: p.own("edith", "tokens.revoke"),
        lambda p, t: p.own("edith", "sessions.end_others"),
        lambda p, t: p.do("olga", "members.remove", account=p.ids["edith"]),
        lambda p, t: p.do("edith", "members.leave"),
        lambda p, t: set_account(p.product, p.ids["edith"], active=False),
    ],
    ids=["revoked", "all revoked", "signed out", "removed", "left", "deactivated"],
)
def test_a_token_ends_at_once_here_and_soon_elsewhere(deployments: Deployments, way: Way) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        tokens = await make(people)
        other_s = await make(people, "olga")
        async with opened(deployments.root) as other:
            elsewhere = other.product.identity.bearer
            assert await elsewhere.verify(tokens.access_token) is not None
            await way(people, tokens)
            assert await people.identity.bearer.verify(tokens.access_token) is None
            assert people.identity.bearer.flaw(tokens.access_token) == "does not count any more"
            await asyncio.sleep(people.product.platform.settings.platform.freshness)
            assert await elsewhere.verify(tokens.access_token) is None
            assert await elsewhere.verify(other_s.access_token) is not None
        with pytest.raises(Unauthenticated, match="Sign in again"):
            await renew(people, tokens.refresh_token)

    deployments(scenario)


def test_a_member_who_comes_back_finds_no_old_token_alive(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        tokens = await make(people)
        await people.do("olga", "members.remove", account=people.ids["edith"])
        await deployment.do("members.add", email="edith@example.com", role="owner")
        assert await people.identity.bearer.verify(tokens.access_token) is None

    deployments(scenario)


def test_nobody_ends_another_s_tokens(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        tokens = await make(people)
        for token in (tokens.refresh_token, "x", "\ud800"):
            with_token = people.own("zoe", "tokens.revoke", refresh_token=token)
            try:
                assert (await with_token).ended == 0
            except InvalidInput:
                assert token == "\ud800"
        assert await people.identity.bearer.verify(tokens.access_token) is not None

    deployments(scenario)


def test_of_too_many_sign_ins_the_oldest_ends(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        made = [await make(people) for _ in range(3)]
        verified = [await people.identity.bearer.verify(one.access_token) for one in made]
        assert [principal is not None for principal in verified] == [False, True, True]

    monkeypatch.setattr(refresh, "MOST", 2)
    deployments(scenario)


# Renewing them


def test_a_refresh_token_gets_new_ones_once(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        first = await make(people, actions=["pages.list"])
        second = await renew(people, first.refresh_token)
        assert second.scope == "pages.list"
        third = await renew(people, second.refresh_token)
        for tokens in (first, second, third):
            await use(people, tokens)
        with pytest.raises(Unauthenticated):  # somebody has a copy: all of it ends
            await renew(people, first.refresh_token)
        for tokens in (first, second, third):
            assert await people.identity.bearer.verify(tokens.access_token) is None
            with pytest.raises(Unauthenticated):
                await renew(people, tokens.refresh_token)

    deployments(scenario)


def test_of_two_who_renew_at_once_none_goes_on(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        tokens, other = await make(people), await make(people)
        async with opened(deployments.root) as process:
            elsewhere = People(process)
            elsewhere.ids = people.ids
            done = await asyncio.gather(
                *(renew(where, tokens.refresh_token) for where in (people, elsewhere)),
                return_exceptions=True,
            )
        kinds = sorted(type(outcome).__name__ for outcome in done)
        assert kinds == ["TokensView", "Unauthenticated"]
        (winner,) = (outcome for outcome in done if not isinstance(outcome, BaseException))
        with pytest.raises(Unauthenticated):
            await renew(people, winner.refresh_token)
        await renew(people, other.refresh_token)  # another sign-in is another family

    deployments(scenario)


def test_a_made_up_refresh_token_gets_nothing(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        for token in ("", "x", "x" * 43, "x" * 200, "\0", "ä", "\ud800", "x" * 201):
            with pytest.raises((Unauthenticated, InvalidInput)):
                await renew(people, token)

    deployments(scenario)


def test_a_refresh_token_ends_when_it_is_not_used(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        with time_machine.travel(datetime(2031, 1, 1, tzinfo=UTC), tick=False) as clock:
            tokens = await make(people)
            clock.shift(timedelta(days=29))
            tokens = await renew(people, tokens.refresh_token)
            clock.shift(timedelta(days=29))
            tokens = await renew(people, tokens.refresh_token)
            clock.shift(timedelta(days=30))
            with pytest.raises(Unauthenticated):
                await renew(people, tokens.refresh_token)

    deployments(scenario)


# The keys that sign


def test_signing_keys_take_turns_and_overlap(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        bearer, signing = people.identity.bearer, people.identity.bearer.keys

        async def published() -> list[str]:
            return [key["kid"] for key in (await bearer.jwks())["keys"]]

        with time_machine.travel(datetime(2031, 1, 1, tzinfo=UTC), tick=False) as clock:
            await make(people)
            (first,) = await published()
            clock.shift(timedelta(days=6, seconds=1))
            await make(people)
            _, second = await published()  # a day before it signs
            assert (await signing.current())[0] == first
            clock.shift(timedelta(days=1) - timedelta(seconds=2))
            last = await make(people)
            clock.shift(1)
            assert (await signing.current())[0] == second
            assert await bearer.verify(last.access_token) is not None
            clock.shift(timedelta(hours=2))
            assert await published() == [second]
            clock.shift(timedelta(days=30))
            await make(people)
            (third,) = await published()
            assert third not in {first, second}

    deployments(scenario)


def test_processes_that_need_a_key_at_once_make_one(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        async with opened(deployments.root) as other:
            both = (people.identity.bearer.keys, other.product.identity.bearer.keys)
            made = await asyncio.gather(*(signing.current() for signing in both * 2))
            assert len({kid for kid, _ in made}) == 1

    deployments(scenario)


def test_with_another_secret_old_tokens_count_no_more_and_new_ones_do(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        people = await staff(deployment)
        tokens = await make(people)
        async with opened(deployments.root) as other:
            elsewhere = People(other)
            elsewhere.ids = people.ids
            other.product.identity.__dict__["secrets"] = Secrets("another secret of this product")
            assert await elsewhere.identity.bearer.verify(tokens.access_token) is None
            new = await make(elsewhere)
            assert await elsewhere.identity.bearer.verify(new.access_token) is not None

    deployments(scenario)
