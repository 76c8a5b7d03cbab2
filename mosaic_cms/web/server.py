"""uvicorn's HTTP protocol, which answers from the page cache before anything else happens.

A page that is kept costs less than the way to the application: a task, two messages and a dozen
headers that are checked again for each visitor. So the protocol asks the application first, and
writes what it has. Everything else goes the way of ASGI, which knows the page cache as well: served
by another server, the application is slower and the same.
"""

from __future__ import annotations

from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


class Protocol(HttpToolsProtocol):
    """One connection. The application may have a method ``kept``, which takes a request's scope and
    returns the head of a response without its end, and its body; or None."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kept = getattr(self.app, "kept", None)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
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
