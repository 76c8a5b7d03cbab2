"""A real mail server on the loopback that does as it is told, in a thread of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True, slots=True)
class Arrived:
    """A mail that the server took."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    #: Which connection it came over, counted from 1, and whether that was encrypted.
    connection: int
    encrypted: bool
    user: str | None


@dataclass
class MailServer:
    """What it takes is in ``arrived``, in the order in which it came.

    Args:
        answers: what it says to a recipient; changed while it runs. To others it says yes.
        users: names and passwords. With any, nobody else may send.
        tls: the server's certificate.
        implicit: TLS from the first byte on; else it offers STARTTLS, when it has a certificate.
        require_tls: nothing is taken in the clear.
        silent: says nothing once it is asked to send a mail to these.
        utf8: takes addresses that are not ASCII.
        port: where it listens; a free one by default.
    """

    answers: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    require_tls: bool = False
    silent: frozenset[str] = frozenset()
    utf8: bool = True
    port: int = 0
    arrived: list[Arrived] = field(default_factory=list)
    connections: int = 0
    #: What it answers once a mail has been sent; None for yes. And what is done just before that.
    after_data: str | None = None
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _open: set[asyncio.BaseTransport] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        started = threading.Event()
        self._loop.call_soon(started.set)
        self._thread.start()
        started.wait(10)
        self._server = self._soon(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exc: object) -> None:
        self._soon(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def hang_up(self) -> None:
        """Ends every connection without a word."""
        self._soon(self._cut())

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _soon(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(
            self._session, "127.0.0.1", self.port, ssl=self.tls if self.implicit else None
        )

    async def _cut(self) -> None:
        for transport in list(self._open):
            transport.abort()  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    async def _stop(self) -> None:
        self._server.close()
        await self._cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _session(self) -> SMTP:
        self.connections += 1
        return _Protocol(
            _Handler(self, self.connections),
            loop=self._loop,
            hostname="mail.example",
            enable_SMTPUTF8=self.utf8,
            decode_data=False,
            tls_context=None if self.implicit else self.tls,
            require_starttls=self.require_tls,
            auth_required=bool(self.users),
            auth_require_tls=self.tls is not None and not self.implicit,
            authenticator=partial(_authenticated, self.users) if self.users else None,
        )


class _Protocol(SMTP):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.event_handler.server._open.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.server._open.discard(self.transport)
        super().connection_lost(error)


class _Handler:
    def __init__(self, server: MailServer, connection: int) -> None:
        self.server = server
        self._connection = connection

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.server.silent:
            await asyncio.Event().wait()
        answer = self.server.answers.get(address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.server.after_data is not None:
            return self.server.after_data
        content = envelope.original_content
        assert content is not None
        user = getattr(session.auth_data, "login", None)
        self.server.arrived.append(
            Arrived(
                envelope.mail_from or "",
                tuple(envelope.rcpt_tos),
                content,
                self._connection,
                session.ssl is not None or self.server.implicit,
                None if user is None else user.decode(),
            )
        )
        return "250 OK"


def _authenticated(
    users: Mapping[str, str],
    server: SMTP,
    session: Session,
    envelope: Envelope,
    kind: str,
    data: Any,
) -> AuthResult:
    assert isinstance(data, LoginPassword)
    known = users.get(data.login.decode()) == data.password.decode()
    # A careless server repeats what it was sent.
    said = None if known else f"535 5.7.8 {data.password.decode()} is wrong"
    return AuthResult(success=known, auth_data=data, handled=False, message=said)
