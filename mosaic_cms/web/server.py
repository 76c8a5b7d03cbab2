"""uvicorn's HTTP protocol, which answers from the page cache before anything else happens.

A page that is kept costs less than the way to the application: a task, two messages and a dozen
headers that are checked again for each visitor. So the protocol asks the application first, and
writes what it has. Everything else goes the way of ASGI, which knows the page cache as well: served
by another server, the application is slower and the same.

The head of a request is bounded in bytes and in time: until it is whole, nothing else of ours has
seen it, and the parser would keep whatever comes.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

#: Bytes that a head may have before it ends; what comes with its last piece is not counted.
MOST_HEAD = 64 * 1024
#: Seconds that a head may take to come, also the first of a connection.
HEAD_SECONDS = 30.0

#: Headers of a request that has a body.
_BODY = frozenset({b"content-length", b"transfer-encoding"})
_TOO_LARGE = b"431 Request Header Fields Too Large", b"The head of the request is too long.\n"
_NO_UPGRADE = b"501 Not Implemented", b"There is no other protocol here.\n"
_TOO_LATE = b"408 Request Timeout", b"The request did not come in time.\n"


class Protocol(HttpToolsProtocol):
    """One connection. The application may have a method ``kept``, which takes a request's scope and
    returns the head of a response without its end, and its body; or None."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kept = getattr(self.app, "kept", None)
        #: Bytes since a head was whole, or a piece of a body.
        self._unread = 0
        #: There is more to come of a request whose head is whole.
        self._has_more = False
        #: It asked for another protocol. There is none, but the parser reads no further.
        self._upgrades = False
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._come()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._upgrades:
            return
        self._unread += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._unread > MOST_HEAD:
            self._refuse(*_TOO_LARGE)
        elif self._waiting is None and (self._unread or self._is_left_over()):
            self._wait()

    def on_headers_complete(self) -> None:
        self._come()
        self._has_more = True
        self._upgrades = self.parser.should_upgrade()
        if self._upgrades and any(name in _BODY for name, _ in self.headers):
            self._refuse(*_NO_UPGRADE)  # its body would be taken for another request
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        if not self._is_left_over():
            self._come()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._has_more = False
        self._come()
        if self.cycle is not None:
            super().on_message_complete()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEAD_SECONDS, self._late)

    def _come(self) -> None:
        """Something is whole, and whoever gets it sees to what comes of it."""
        self._unread = 0
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _late(self) -> None:
        if self._is_answering():  # what was asked before is answered however long that takes
            self._wait()
        elif self._has_more:
            self.transport.close()
        else:
            self._refuse(*_TOO_LATE)

    def _refuse(self, status: bytes, text: bytes) -> None:
        """Ends the connection; within another answer, nothing can be said."""
        if not self._is_answering():
            self.transport.write(
                b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\n"
                b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (status, len(text), text)
            )
        self.transport.close()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _is_left_over(self) -> bool:
        """What comes belongs to a request that was answered without it."""
        return self._has_more and not self._is_answering()

    def _unsupported_upgrade_warning(self) -> None:
        """There are no websockets: whoever asks for one gets the page, and no line in the log."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if self._upgrades:
            cycle.keep_alive = False
        if self._kept is not None and app is self.app and self._is_plain(cycle):
            found = self._kept(cycle.scope)
            if found is not None:
                head, body = found
                more = [b"%s: %s\r\n" % header for header in cycle.default_headers]
                cycle.response_started = cycle.response_complete = True
                self.transport.write(b"".join((head, *more, b"\r\n", body)))
                cycle.on_response()
                return
        super()._start_asgi_task(cycle, app)

    def _is_plain(self, cycle: RequestResponseCycle) -> bool:
        """Nothing has to be thought of but the response: the connection stays and takes it now, and
        no further request waits (it would be answered from within this one's answer)."""
        return (
            cycle.keep_alive
            and not cycle.waiting_for_100_continue
            and not self.flow.write_paused
            and not self.pipeline
            and not self.transport.is_closing()
        )
