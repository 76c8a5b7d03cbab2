"""Mail over a real connection: with and without TLS, with a password, and when things go wrong."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from mosaic_mail_smtp.plugin import mosaic_mail
from pydantic import ValidationError

from mosaic_core.errors import (
    ConfigurationError,
    MailDeferred,
    MailError,
    MailRefused,
    MailUnavailable,
)
from mosaic_core.mail import Mailer
from mosaic_core.testing.mail import make_mail, parsed, text_of
from mosaic_core.testing.services import make_services
from tests.mail_server import MailServer
from tests.processes import free_port

PASSWORD = "canary-Pässword-9d1c"
PROVIDER = mosaic_mail()
#: The server's, about itself: the tests do without TLS what it would have with TLS.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Made for these tests, and trusted by nobody else."""
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    """Settings that trust the authority."""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return {"ca_file": "authority.pem"}


@asynccontextmanager
async def opened(folder: Path, port: int, **values: Any) -> AsyncIterator[Mailer]:
    given = {"host": "127.0.0.1", "port": port, "security": "none", "timeout": 20.0}
    settings = PROVIDER.settings.model_validate(given | values)
    async with PROVIDER.open(settings, make_services(folder)) as mailer:
        yield mailer


def send(
    folder: Path, server: MailServer, *addresses: str, between: Any = None, **values: Any
) -> None:
    """Sends a mail to each address through one opened plugin."""

    async def main() -> None:
        async with opened(folder, server.port, **values) as mailer:
            for number, address in enumerate(addresses or ("ada@example.com",)):
                if number and between is not None:
                    await asyncio.to_thread(between)
                await mailer.send(make_mail(to=address))

    asyncio.run(main())


def refused(work: Callable[[], object], error: type[MailError]) -> MailError:
    with pytest.raises(error) as caught:
        work()
    assert type(caught.value) is error
    assert PASSWORD not in str(caught.value)
    return caught.value


# Over which connection


def test_a_mail_goes_out_in_the_sender_s_name(tmp_path: Path) -> None:
    with MailServer() as server:
        send(tmp_path, server)
        (arrived,) = server.arrived
        assert (arrived.sender, arrived.recipients) == (
            "noreply@mosaic.example",
            ("ada@example.com",),
        )
        assert not arrived.encrypted


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_it_goes_out_over_tls_after_a_sign_in(
    tmp_path: Path, certificate: ssl.SSLContext, trusted: dict[str, Any], security: str
) -> None:
    with MailServer(
        users={"mosaic": PASSWORD},
        tls=certificate,
        implicit=security == "tls",
        require_tls=security == "starttls",
    ) as server:
        trusted |= {"security": security, "username": "mosaic", "password": PASSWORD}
        send(tmp_path, server, **trusted)
        (arrived,) = server.arrived
        assert (arrived.encrypted, arrived.user) == (True, "mosaic")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_gets_nothing(
    tmp_path: Path, certificate: ssl.SSLContext, security: str
) -> None:
    with MailServer(
        users={"mosaic": PASSWORD}, tls=certificate, implicit=security == "tls"
    ) as server:
        values = {"security": security, "username": "mosaic", "password": PASSWORD}
        error = refused(lambda: send(tmp_path, server, **values), MailUnavailable)
        assert "certificate verify failed" in error.message
        assert server.arrived == []


def test_a_certificate_of_another_name_gets_nothing(
    tmp_path: Path, authority: trustme.CA, trusted: dict[str, Any]
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("mail.example.com").configure_cert(context)
    with MailServer(tls=context) as server:
        error = refused(
            lambda: send(tmp_path, server, security="starttls", **trusted), MailUnavailable
        )
        assert "certificate verify failed" in error.message
        assert server.arrived == []


def test_a_server_without_tls_gets_nothing_when_tls_is_wanted(tmp_path: Path) -> None:
    with MailServer() as server:
        error = refused(lambda: send(tmp_path, server, security="starttls"), MailUnavailable)
        assert "STARTTLS" in error.message
        assert "security" in error.hint
        assert server.arrived == []


def test_the_mails_of_a_batch_share_a_connection(tmp_path: Path) -> None:
    with MailServer({"nobody@example.com": "550 no"}) as server:

        async def main() -> None:
            async with opened(tmp_path, server.port, connections=1) as mailer:
                for number in range(5):
                    await mailer.send(make_mail(to=f"a{number}@example.com"))
                with pytest.raises(MailRefused):
                    await mailer.send(make_mail(to="nobody@example.com"))
                await asyncio.gather(*(mailer.send(make_mail()) for _ in range(5)))

        asyncio.run(main())
        assert {arrived.connection for arrived in server.arrived} == {1}
        assert (len(server.arrived), server.connections) == (10, 1)


def test_no_more_connections_than_it_may_have(tmp_path: Path) -> None:
    with MailServer() as server:

        async def main() -> None:
            async with opened(tmp_path, server.port, connections=3) as mailer:
                await asyncio.gather(*(mailer.send(make_mail()) for _ in range(30)))

        asyncio.run(main())
        assert len(server.arrived) == 30
        assert server.connections <= 3


def test_a_connection_that_the_server_ended_meanwhile_is_replaced(tmp_path: Path) -> None:
    with MailServer() as server:
        send(tmp_path, server, "a@example.com", "b@example.com", between=server.hang_up)
        assert [arrived.connection for arrived in server.arrived] == [1, 2]


def test_a_connection_is_not_kept_for_longer_than_it_is_to_be(tmp_path: Path) -> None:
    with MailServer() as server:
        gone = threading.Event()

        def wait() -> None:
            for _ in range(200):
                if not server._open:
                    gone.set()
                    return
                gone.wait(0.05)

        send(tmp_path, server, "a@example.com", "b@example.com", between=wait, keep=0)
        assert gone.is_set()
        assert server.connections == 2


# What the server says


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("550 5.1.1 No such user", MailRefused),
        ("553 5.1.3 Not an address", MailRefused),
        ("450 4.2.0 Greylisted", MailDeferred),
        ("452 4.2.2 Mailbox full", MailDeferred),
        ("421 4.3.2 Going down", MailUnavailable),
        ("530 5.7.0 Authentication required", MailUnavailable),
    ],
)
def test_an_answer_about_a_recipient_is_the_error_that_it_means(
    tmp_path: Path, answer: str, error: type[MailError]
) -> None:
    with MailServer({"ada@example.com": answer}) as server:
        found = refused(lambda: send(tmp_path, server), error)
        assert answer in found.message
        assert f"127.0.0.1:{server.port}" in found.message
        server.answers = {}
        send(tmp_path, server)
        assert len(server.arrived) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("554 5.6.0 Looks like spam", MailRefused),
        ("451 4.3.0 Try again", MailDeferred),
        ("421 4.3.2 Going down", MailUnavailable),
    ],
)
def test_an_answer_about_what_was_sent_is_the_error_that_it_means(
    tmp_path: Path, answer: str, error: type[MailError]
) -> None:
    with MailServer(after_data=answer) as server:
        assert answer in refused(lambda: send(tmp_path, server), error).message


def test_what_a_server_says_is_one_line_of_text(tmp_path: Path) -> None:
    with MailServer({"ada@example.com": "550 bad \x1b[31m\x00 \xff" + "x" * 600}) as server:
        error = refused(lambda: send(tmp_path, server), MailRefused)
        assert len(error.message) < 400
        assert "\x1b" not in error.message
        error.message.encode("utf-8")


def test_a_wrong_password_is_told_and_not_repeated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with MailServer(users={"mosaic": "another"}) as server:
        values = {"username": "mosaic", "password": PASSWORD}
        error = refused(lambda: send(tmp_path, server, **values), MailUnavailable)
        assert "does not accept the user name and password" in error.message
        assert error.__cause__ is None
        assert error.__suppress_context__
        ours = [r.getMessage() for r in caplog.records if not r.name.startswith("mail.")]
        assert PASSWORD not in "".join(ours)


def test_a_server_that_wants_a_sign_in_is_told_from_a_mail_that_it_does_not_want(
    tmp_path: Path,
) -> None:
    with MailServer(users={"mosaic": PASSWORD}) as server:
        error = refused(lambda: send(tmp_path, server), MailUnavailable)
        assert "530" in error.message
        assert "sign in" in error.hint


def test_an_address_that_the_server_cannot_take_is_refused(tmp_path: Path) -> None:
    with MailServer(utf8=False) as server:
        refused(lambda: send(tmp_path, server, "dörte@example.com"), MailRefused)
        send(tmp_path, server, "doerte@bücher.example")
        assert [arrived.recipients for arrived in server.arrived] == [
            ("doerte@xn--bcher-kva.example",)
        ]


def test_an_address_in_another_script_arrives_as_it_is(tmp_path: Path) -> None:
    with MailServer() as server:
        send(tmp_path, server, "dörte@example.com")
        (arrived,) = server.arrived
        assert arrived.recipients == ("dörte@example.com",)
        assert text_of(parsed(arrived.content)) == "It is lit.\n"


# Silence


def test_no_server_is_no_mail_now(tmp_path: Path) -> None:
    with MailServer() as server:
        pass
    error = refused(lambda: send(tmp_path, server), MailUnavailable)
    assert f"127.0.0.1:{server.port} cannot be reached" in error.message
    assert "host, port and security" in error.hint


def test_a_server_that_comes_back_is_used_again(tmp_path: Path) -> None:
    port = free_port()

    async def main() -> None:
        async with opened(tmp_path, port) as mailer:
            with MailServer(port=port):
                await mailer.send(make_mail())
            with pytest.raises(MailUnavailable):
                await mailer.send(make_mail())
            with MailServer(port=port) as server:
                await mailer.send(make_mail())
                assert len(server.arrived) == 1

    asyncio.run(main())


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_is_set(tmp_path: Path) -> None:
    with MailServer(silent=frozenset({"slow@example.com"})) as server:

        async def main() -> None:
            async with opened(tmp_path, server.port, timeout=0.5, connections=1) as mailer:
                with pytest.raises(MailUnavailable, match=r"did not answer within 0\.5 s"):
                    await mailer.send(make_mail(to="slow@example.com"))
            async with opened(tmp_path, server.port, connections=1) as mailer:
                await mailer.send(make_mail())

        asyncio.run(main())
        assert [arrived.recipients for arrived in server.arrived] == [("ada@example.com",)]


def test_what_is_no_mail_server_is_told_from_one(tmp_path: Path) -> None:
    async def main() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()

        other = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = other.sockets[0].getsockname()[1]
        async with other, opened(tmp_path, port) as mailer:
            with pytest.raises(MailUnavailable):
                await mailer.send(make_mail())

    asyncio.run(main())


# Settings


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "host"),
        ({"host": ""}, "host"),
        ({"host": "a b"}, "host"),
        ({"host": "a\r\nb"}, "host"),
        ({"host": "m.example", "port": 0}, "port"),
        ({"host": "m.example", "security": "ssl"}, "security"),
        ({"host": "m.example", "username": "a"}, "give both or neither"),
        ({"host": "m.example", "password": PASSWORD}, "give both or neither"),
        (
            {"host": "m.example", "security": "none", "username": "a", "password": PASSWORD},
            "not sent in the clear",
        ),
        ({"host": "m.example", "username": "a", "password": [PASSWORD]}, "password"),
        ({"host": "m.example", "username": "a", "password": 1.5}, "password"),
        ({"host": "m.example", "pasword": PASSWORD}, "pasword"),
    ],
)
def test_settings_that_cannot_be_are_refused_and_no_password_is_shown(
    values: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        PROVIDER.settings.model_validate(values)
    assert told in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_password_of_digits_is_a_password() -> None:
    values = {"host": "m.example", "username": 7, "password": 1234567}
    settings: Any = PROVIDER.settings.model_validate(values)
    assert (settings.username, settings.password.get_secret_value()) == ("7", "1234567")
    assert "1234567" not in repr(settings)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_told_at_the_start(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "authority.pem").write_text(content)

    async def main() -> None:
        async with opened(tmp_path, 25, ca_file="authority.pem"):
            raise AssertionError("it was opened")

    with pytest.raises(ConfigurationError, match=r"authority\.pem cannot be used"):
        asyncio.run(main())


def test_opening_connects_to_nothing(tmp_path: Path) -> None:
    with MailServer() as server:

        async def main() -> Awaitable[None] | None:
            async with opened(tmp_path, server.port):
                return None

        asyncio.run(main())
        assert server.connections == 0
