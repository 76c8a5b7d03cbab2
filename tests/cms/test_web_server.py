"""The server's protocol answers from the page cache, byte for byte as the application would."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from mosaic_cms.web import server as protocol
from mosaic_cms.web.responses import Finished
from mosaic_cms.web.server import Protocol
from tests.cms.deployment import Deployment, Deployments

GET = b"GET %s HTTP/1.1\r\nHost: aurora.mosaic.test\r\n%s\r\n"
LAST = b"Connection: close\r\n"


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
    """The port of a server with our protocol, in this process."""
    config = uvicorn.Config(
        app,
        port=0,
        http=Protocol,
        lifespan="off",
        log_level="critical",
        server_header=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    ticking = asyncio.create_task(server.main_loop())
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await ticking
        await server.shutdown()


async def ask(port: int, *requests: bytes) -> bytes:
    """All that comes back for some requests on one connection, the last of which closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(requests))
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer


def undated(answer: bytes) -> bytes:
    return re.sub(rb"date: [^\r]*\r\n", b"", answer)


def by_the_long_way(app: Any) -> Any:
    """The application, which nothing can be asked of but to answer."""

    async def only(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return only


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"Accept-Encoding: br, gzip\r\n",
        b"Accept-Encoding: gzip\r\n",
        b"If-None-Match: *\r\n",
        b'If-None-Match: "other"\r\n',
        b"Host: aurora.mosaic.test\r\n",
        b"Expect: 100-continue\r\n",
        b"Content-Length: 5\r\n",
    ],
)
def test_what_is_kept_is_what_the_application_sends(
    deployments: Deployments, headers: bytes
) -> None:
    async def scenario(deployment: Deployment) -> None:
        body = b"hello" if b"Content-Length" in headers else b""
        requests = GET % (b"/visit/?utm=1", headers) + body, GET % (b"/visit/", LAST)
        async with serving(by_the_long_way(deployment.app)) as port:
            expected = undated(await ask(port, *requests))
        async with serving(deployment.app) as port:
            assert undated(await ask(port, *requests)) == expected
        assert expected.count(b"HTTP/1.1 ") >= 2

    deployments(scenario, platform={"freshness": 60})


@pytest.mark.parametrize(
    "request_line", [b"GET /visit/ HTTP/1.0", b"HEAD /visit/ HTTP/1.1", b"GET /visit/ HTTP/1.1"]
)
def test_other_methods_and_versions_are_answered_as_ever(
    deployments: Deployments, request_line: bytes
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.get("/visit/")
        request = request_line + b"\r\nHost: aurora.mosaic.test\r\n" + LAST + b"\r\n"
        async with serving(by_the_long_way(deployment.app)) as port:
            expected = undated(await ask(port, request))
        async with serving(deployment.app) as port:
            assert undated(await ask(port, request)) == expected

    deployments(scenario, platform={"freshness": 60})


class _Kept:
    """An application with one page that is kept; anything else takes a while."""

    def __init__(self) -> None:
        self._page = Finished(200, "text/plain", b"kept\n", [])
        self.asked: list[str] = []

    def kept(self, scope: Any) -> tuple[bytes, bytes] | None:
        return self._page.wire("", None) if scope["path"] == "/kept" else None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        page = self._page
        if scope["path"] != "/kept":
            await asyncio.sleep(0.05)
            page = Finished(200, "text/plain", b"made\n", [])
        start, body = page.full("")
        await send(start)
        await send(body)


def test_what_is_kept_never_reaches_the_application() -> None:
    async def main() -> None:
        app = _Kept()
        async with serving(app) as port:
            answer = await ask(port, GET % (b"/kept", b""), GET % (b"/made", LAST))
        assert app.asked == ["/made"]
        assert answer.count(b"\r\ndate: ") == 2
        assert answer.index(b"kept\n") < answer.index(b"made\n")

    asyncio.run(main())


def test_requests_that_come_at_once_are_answered_in_their_order() -> None:
    """However many there are: the answer to one is not given from within that to the one before."""

    async def main() -> None:
        app = _Kept()
        many = [GET % (b"/kept", b"")] * 3000
        async with serving(app) as port:
            answer = await ask(port, GET % (b"/made", b""), *many, GET % (b"/kept", LAST))
        assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3002
        assert answer.index(b"made\n") < answer.index(b"kept\n")

    asyncio.run(main())


HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: aurora.mosaic.test\r\n\r\n"
#: Two readers of these could disagree about where the body ends and the next request begins.
AMBIGUOUS = {
    "a length and chunks": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, 0\r\n\r\n",
    "a sign": b"Content-Length: +0\r\n\r\n",
    "less than nothing": b"Content-Length: -1\r\n\r\n",
    "a number in hex": b"Content-Length: 0x0\r\n\r\n",
    "more than any": b"Content-Length: 99999999999999999999999\r\n\r\n",
    "another encoding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks inside another": b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a space in a name": b"Content-Length : 0\r\n\r\n",
    "a folded line": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a chunk of no size": b"Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n",
    "a line that ends in half": b"X: a\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("headers", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_no_request_hides_in_the_body_of_another(headers: bytes) -> None:
    async def main() -> None:
        app = _Kept()
        async with serving(app) as port:
            head = b"POST /first HTTP/1.1\r\nHost: aurora.mosaic.test\r\n"
            answer = await ask(port, head + headers + HIDDEN, HIDDEN)
        assert "/hidden" not in app.asked
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert answer.count(b"HTTP/1.1 ") == 1

    asyncio.run(main())


IGNORED = {
    "of a length": b"Content-Length: %d\r\n\r\n%s" % (len(HIDDEN), HIDDEN),
    "in chunks": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
}


@pytest.mark.parametrize("body", IGNORED.values(), ids=IGNORED)
def test_the_body_of_a_request_that_has_none_is_no_request(body: bytes) -> None:
    async def main() -> None:
        app = _Kept()
        async with serving(app) as port:
            head = b"GET /kept HTTP/1.1\r\nHost: aurora.mosaic.test\r\n"
            answer = await ask(port, head + body, GET % (b"/kept", LAST))
        assert set(app.asked) <= {"/kept"}
        assert answer.count(b"HTTP/1.1 200 OK") == 2

    asyncio.run(main())


UNENDING = {
    "one header": (b"GET / HTTP/1.1\r\nX: ", b"a" * 1000),
    "many headers": (b"GET / HTTP/1.1\r\n", b"X: a\r\n" * 150),
    "an address": (b"GET /", b"a" * 1000),
    "lines before a request": (b"", b"\r\n" * 500),
    "a name of a part": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a" * 1000),
    "headers behind a body": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ",
        b"a" * 1000,
    ),
}


@pytest.mark.parametrize(("begin", "more"), UNENDING.values(), ids=UNENDING)
def test_a_head_without_an_end_is_refused_before_it_fills_the_memory(
    begin: bytes, more: bytes
) -> None:
    async def main() -> None:
        async with serving(_Kept()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begin)
            sent = 0
            with contextlib.suppress(ConnectionError):
                while sent < 40_000_000 and not reader.at_eof():
                    writer.write(more)
                    await writer.drain()
                    sent += len(more)
                    await asyncio.sleep(0)
            assert sent < 10_000_000
            writer.close()
            assert b"kept\n" in await ask(port, GET % (b"/kept", LAST))

    asyncio.run(main())


async def trickled(port: int, begin: bytes, more: bytes) -> bytes:
    """What is answered until the server ends the connection, while more comes of it bit by bit.
    TimeoutError where it does not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = bytearray()

    async def read() -> None:
        with contextlib.suppress(ConnectionError):  # it was closed before all was read
            while part := await reader.read(65_536):
                answer.extend(part)

    reading = asyncio.create_task(asyncio.wait_for(read(), 10))
    writer.write(begin)
    while not reading.done():
        with contextlib.suppress(ConnectionError):
            writer.write(more)
            await writer.drain()
        await asyncio.sleep(0.05)
    await reading
    writer.close()
    return bytes(answer)


@pytest.mark.parametrize(
    "begin", [b"", b"GET / HTTP/1.1\r\nHost: au", GET % (b"/kept", b"") + b"GET /"]
)
def test_a_head_that_does_not_come_ends_its_connection(
    monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    """Also one whose bytes come one by one: what counts is when it is whole."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)

    async def main() -> None:
        async with serving(_Kept()) as port:
            answer = await trickled(port, begin, b"x" if begin else b"")
            *before, last = answer.split(b"HTTP/1.1 ")[1:]
            assert last.startswith(b"408 Request Timeout\r\n")
            assert len(before) == begin.count(b"/kept")

    asyncio.run(main())


def test_what_takes_long_to_answer_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(0.4)
        await _Kept()({**scope, "path": "/kept"}, receive, send)

    async def main() -> None:
        chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        async with serving(slow) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for part in (chunked, b"1\r\na\r\n", b"0\r\n", b"\r\n", b"GET / "):
                writer.write(part)
                await asyncio.sleep(0.02)
            assert b"kept\n" in await asyncio.wait_for(reader.readuntil(b"kept\n"), 10)
            writer.close()

    asyncio.run(main())


def test_who_asks_for_a_websocket_gets_the_page_and_no_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> bytes:
        upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\n"
        async with serving(_Kept()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET % (b"/kept", upgrade))
            answer = await asyncio.wait_for(reader.readuntil(b"kept\n"), 10)
            writer.close()
            return answer

    assert asyncio.run(main()).startswith(b"HTTP/1.1 200")
    assert not caplog.records


def test_a_header_cannot_end_before_its_end() -> None:
    split = Finished(200, "text/plain", b"x", [(b"x-said", b"a\r\nset-cookie: b")])
    with pytest.raises(ValueError, match="has an end in it"):
        split.wire("", None)


@pytest.mark.parametrize("protocol_name", [b"h2c", b"websocket"])
@pytest.mark.parametrize("request_line", [b"GET /kept HTTP/1.1\r\n", b"POST /first HTTP/1.1\r\n"])
def test_no_request_hides_in_the_body_of_one_that_asks_for_another_protocol(
    request_line: bytes, protocol_name: bytes
) -> None:
    asking = b"Host: a\r\nConnection: upgrade\r\nUpgrade: " + protocol_name
    length = b"\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN)

    async def main() -> None:
        app = _Kept()
        async with serving(app) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_line + asking + length)
            assert b" 501 Not Implemented" in await asyncio.wait_for(reader.read(), 10)
            with contextlib.suppress(ConnectionError):
                writer.write(HIDDEN)
                await writer.drain()
            writer.close()
            await ask(port, GET % (b"/kept", LAST))
        assert app.asked == ["/kept"]

    asyncio.run(main())


@pytest.mark.parametrize("path", [b"/kept", b"/made"])
def test_a_body_that_does_not_come_after_its_answer_ends_its_connection(
    monkeypatch: pytest.MonkeyPatch, path: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)

    async def main() -> None:
        async with serving(_Kept()) as port:
            begin = GET % (path, b"Content-Length: 1000\r\n")
            assert (await trickled(port, begin, b"x")).count(b"HTTP/1.1 ") == 1

    asyncio.run(main())
