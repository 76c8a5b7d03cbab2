"""Nothing that signs anybody in is in a log, in the database, in an outbox or in an answer."""

from __future__ import annotations

import logging
import re
from typing import Any

import pyotp
import pytest
from sqlalchemy import select

from mosaic_core.errors import MosaicError
from mosaic_core.head import PLATFORM
from tests.cms.identity.authenticator import Authenticator
from tests.cms.identity.people import ADA, ELSEWHERE, HOME, Meet, People
from tests.platforms import kept_in

PASSWORD = "canary-Zug-Wolke-4711"
NEW = "canary-Berg-Fluss-4712"
WRONG = "canary-falsch-4713"


async def a_life(people: People) -> tuple[list[str], list[Any]]:
    """Somebody does all there is with an account, also wrongly; their secrets, and the answers."""
    answers: list[Any] = []

    async def ask(action: str, actor: Any = HOME, /, **given: Any) -> Any:
        try:
            answer = await people.ask(action, actor, **given)
        except MosaicError as error:
            answer = str(error)
        answers.append(answer)
        return answer

    secrets = [PASSWORD, NEW, WRONG]
    await ask("accounts.sign_up", email=ADA, name="Ada", password=PASSWORD)
    verify = await people.token()
    await ask("accounts.verify", token=verify, password=WRONG)
    await ask("accounts.verify", token=verify, password=PASSWORD)
    await ask("accounts.verify", token=verify, password=PASSWORD)
    await ask("sessions.create", email=ADA, password=WRONG)
    await ask("sessions.create", email=ADA, password=[PASSWORD])
    ada, cookie = await people.browser(password=PASSWORD)
    await ask("accounts.change_password", ada, old=PASSWORD, new=f"{NEW}\ud800")
    factor = await people.ask("accounts.totp_begin", ada, password=PASSWORD)
    code = pyotp.TOTP(factor.secret).now()
    codes = (await people.ask("accounts.totp_confirm", ada, code=code)).codes
    pending = (await ask("sessions.create", ELSEWHERE, email=ADA, password=PASSWORD)).pending
    answers.pop()
    await ask("sessions.second_step", pending=pending, code=WRONG)
    signed = await ask("sessions.second_step", pending=pending, code=codes[0])
    device = Authenticator()
    begun = await people.ask("passkeys.begin", ada, password=PASSWORD)
    await ask("passkeys.add", ada, name="Phone", credential=device.make(begun.options))
    await ask("accounts.request_reset", email=ADA)
    reset = await people.token()
    await ask("accounts.reset", token=reset, password=NEW)
    await ask("accounts.request_reset", email=ADA)  # its letter is still in the outbox
    secrets += [verify, reset, factor.secret, *codes, *(c.replace("-", "") for c in codes)]
    secrets += [pending, *cookie.split(".")[1:], signed.cookie.get_secret_value()]
    return secrets, answers


def test_nothing_that_signs_in_is_anywhere_but_with_its_owner(
    meet: Meet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario(people: People) -> None:
        secrets, answers = await a_life(people)
        said = "\n".join(str(answer) + repr(answer) for answer in answers)
        said += "\n".join(str(a.model_dump(mode="json")) for a in answers if hasattr(a, "id"))
        logged = "\n".join(record.getMessage() for record in caplog.records)
        logged += caplog.text
        kept = await files_of(people)
        for secret in secrets:
            assert secret not in said
            assert secret not in logged
            assert secret.encode() not in kept
        assert ADA.encode() in kept

    meet(scenario)


def test_the_change_log_says_what_was_changed_and_has_no_hash(meet: Meet) -> None:
    async def scenario(people: People) -> None:
        await people.signed_up(password=PASSWORD)
        ada, _ = await people.browser(password=PASSWORD)
        await people.ask("accounts.change_password", ada, old=PASSWORD, new=NEW)
        log = PLATFORM.changes.c
        async with people.product.identity.store.session() as session:
            rows = list(await session.execute(select(log.action, log.actor, log.image)))
            images = "".join(str(row.image) for row in rows)
        done = {(row.action, row.actor) for row in rows}
        assert ("accounts.change_password", f"account:{ada.name}") in done
        assert ADA in images
        assert not re.search(r"argon2|password", images)

    meet(scenario)


async def files_of(people: People) -> bytes:
    """The platform's database, whose log is in it."""
    return await kept_in(people.product.platform.directory.database)
