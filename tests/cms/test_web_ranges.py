"""Parts of stored files, as RFC 9110 has them: what a film needs to be wound forward."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_cms.web.ranges import Part, part_of
from tests.cms.deployment import Deployment, Deployments
from tests.cms.test_web_files import FOREVER, store

ETAG = b'"abc"'
FILM = bytes(range(256)) * 4_000
SIZE = len(FILM)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        (b"bytes=0-0", Part(0, 1)),
        (b"bytes=0-99", Part(0, 100)),
        (b"bytes=100-", Part(100, 1000)),
        (b"bytes=-100", Part(900, 1000)),
        (b"bytes=-5000", Part(0, 1000)),
        (b"bytes=990-5000", Part(990, 1000)),
        (b"Bytes= 1-2 ", Part(1, 3)),
        (b"bytes=999-999", Part(999, 1000)),
        # What cannot be given.
        (b"bytes=1000-", Part(1000, 1000)),
        (b"bytes=5000-6000", Part(1000, 1000)),
        (b"bytes=-0", Part(1000, 1000)),
        # What is ignored.
        (b"bytes=5-4", None),
        (b"bytes=-", None),
        (b"bytes=", None),
        (b"bytes", None),
        (b"", None),
        (b"pages=1-2", None),
        (b"bytes=0-1,5-6", None),
        (b"bytes=a-b", None),
        (b"bytes=1-2-3", None),
        (b"bytes=+1-2", None),
        (b"bytes=\xb2-3", None),
        (b"bytes=0-" + b"9" * 5_000, None),
    ],
)
def test_a_range_is_a_part_of_the_file(asked: bytes, part: Part | None) -> None:
    found = part_of(1000, asked, None, ETAG)
    assert (None if found is None else (found.length, found.told(1000))) == (
        None if part is None else (part.length, part.told(1000))
    )


def test_a_part_is_of_what_the_client_has() -> None:
    assert part_of(9, b"bytes=1-2", b'"abc"', ETAG) == Part(1, 3)
    for other in (b'"abd"', b'W/"abc"', b"Sat, 29 Oct 1994 19:43:31 GMT", b"", b"abc", b"*"):
        assert part_of(9, b"bytes=1-2", other, ETAG) is None


def test_a_file_without_a_byte_has_no_part() -> None:
    assert part_of(0, b"bytes=-5", None, ETAG) is None
    for asked in (b"bytes=0-", b"bytes=0-5", b"bytes=-0"):
        found = part_of(0, asked, None, ETAG)
        assert found is not None
        assert found.told(0) == b"bytes */0"


@given(st.binary(max_size=30), st.integers(0, 10**12))
def test_whatever_is_asked_the_part_is_inside_the_file(asked: bytes, size: int) -> None:
    for header in (asked, b"bytes=" + asked):
        part = part_of(size, header, None, ETAG)
        assert part is None or 0 <= part.start <= part.end <= size


def test_a_part_is_streamed(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        path = await store(deployment, "aurora", "film.mp4", FILM, "video/mp4")
        whole = await deployment.get(path)
        assert whole.headers["accept-ranges"] == "bytes"
        etag = whole.headers["etag"]
        for start, end in ((0, 1), (7, 300_000), (SIZE - 5, SIZE), (0, SIZE)):
            answer = await deployment.get(path, range=f"bytes={start}-{end - 1}")
            assert answer.status_code == 206
            assert answer.content == FILM[start:end]
            assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
            assert answer.headers["content-length"] == str(end - start)
            assert answer.headers["content-type"] == "video/mp4"
            assert answer.headers["cache-control"] == FOREVER
            assert answer.headers["etag"] == etag
            assert answer.headers["x-content-type-options"] == "nosniff"
        again = await deployment.get(path, range="bytes=0-9", if_range=etag)
        assert (again.status_code, again.content) == (206, FILM[:10])

    deployments(scenario)


def test_what_cannot_be_given_is_416(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        path = await store(deployment, "aurora", "film.mp4", FILM, "video/mp4")
        answer = await deployment.get(path, range=f"bytes={SIZE}-")
        assert (answer.status_code, answer.content) == (416, b"")
        assert answer.headers["content-range"] == f"bytes */{SIZE}"
        assert answer.headers["cache-control"] == "no-store"
        empty = await store(deployment, "aurora", "empty.txt", b"", "text/plain")
        assert (await deployment.get(empty, range="bytes=0-")).status_code == 416
        assert (await deployment.get(empty, range="bytes=-5")).status_code == 200

    deployments(scenario)


def test_what_is_no_part_gets_the_whole_file(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        path = await store(deployment, "aurora", "film.mp4", FILM, "video/mp4")
        etag = (await deployment.get(path, method="HEAD")).headers["etag"]
        for headers in (
            {"range": "bytes=0-1,4-5"},
            {"range": "lines=1-2"},
            {"range": "bytes=0-1", "if_range": '"another"'},
        ):
            answer = await deployment.get(path, **headers)
            assert (answer.status_code, answer.content) == (200, FILM)
            assert "content-range" not in answer.headers
        head = await deployment.get(path, method="HEAD", range="bytes=0-1")
        assert (head.status_code, head.headers["content-length"]) == (200, str(SIZE))
        known = await deployment.get(path, range="bytes=0-1", if_none_match=etag)
        assert (known.status_code, known.content) == (304, b"")

    deployments(scenario)


def test_a_page_has_no_parts(deployments: Deployments) -> None:
    """It may be made anew from one request to the next."""

    async def scenario(deployment: Deployment) -> None:
        whole = await deployment.get("/visit/")
        for encoding in ("identity", "gzip"):
            asked = {"range": "bytes=0-9", "accept_encoding": encoding}
            for _ in range(2):
                answer = await deployment.get("/visit/", **asked)
                assert (answer.status_code, answer.text) == (200, whole.text)
                assert "content-range" not in answer.headers
                assert "accept-ranges" not in answer.headers

    deployments(scenario)


def test_a_part_of_a_file_that_is_gone_is_503(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        path = await store(deployment, "aurora", "film.mp4", FILM, "video/mp4")
        for file in deployments.root.rglob("film.mp4"):
            file.unlink()
        assert (await deployment.get(path, range="bytes=0-1")).status_code == 503

    deployments(scenario)
