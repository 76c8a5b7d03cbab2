"""Whether a WebM film is one from its beginning to its end (EBML, RFC 8794; Matroska, RFC 9559)."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from mosaic_core.errors import InvalidInput

#: Elements that are looked at.
_MOST = 5_000_000
_HEADER, _KIND, _SEGMENT = 0x1A45DFA3, 0x4282, 0x18538067
_TRACKS, _CLUSTER = 0x1654AE6B, 0x1F43B675
#: What may stand anywhere: nothing, and a checksum.
_ANYWHERE = frozenset({0xEC, 0xBF})
#: What a segment is made of: seeking, facts, tracks, clusters, cues, files, chapters, tags.
_IN_SEGMENT = _ANYWHERE | {
    *(0x114D9B74, 0x1549A966, _TRACKS, _CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367)
}
#: What a cluster is made of: its time, silence, place, size, and blocks of several kinds.
_IN_CLUSTER = _ANYWHERE | {0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF}


class _Element(NamedTuple):
    """An element: its id, where its content begins, and its length; None where it is not said."""

    id: int
    inside: int
    length: int | None


def require_webm(file: BinaryIO, size: int) -> None:
    """A header that says so, and one segment up to the very end, with tracks and what they show.

    A film that was recorded as it went says neither how long its segment is nor its clusters: these
    end where another element follows.

    Raises:
        InvalidInput: it is another.
    """
    header = _element(file, 0)
    if header is None or header.id != _HEADER or not header.length or header.length > 4096:
        raise _improper()
    file.seek(header.inside)
    if b"\x42\x82\x84webm" not in _short(file.read(header.length)):
        raise _improper()
    segment = _element(file, header.inside + header.length)
    if segment is None:
        raise _cut_off()
    if segment.id != _SEGMENT:
        raise _improper()
    if segment.length is not None and segment.inside + segment.length < size:
        raise InvalidInput("Something else stands behind the WebM film in the file.")
    if segment.length is not None and segment.inside + segment.length > size:
        raise _cut_off()
    at, names, in_cluster = segment.inside, set(), False
    for _ in range(_MOST):
        if at == size:
            break
        element = _element(file, at)
        if element is None:
            raise _cut_off()
        in_cluster = in_cluster and element.id in _IN_CLUSTER
        if not in_cluster and element.id not in _IN_SEGMENT:
            raise _improper()
        names.add(element.id)
        if element.length is None:
            if element.id != _CLUSTER:
                raise _improper()
            in_cluster, at = True, element.inside
        else:
            at = element.inside + element.length
        if at > size:
            raise _cut_off()
    else:
        raise InvalidInput(f"It is no film that anybody makes: it has over {_MOST:,} elements.")
    if not {_TRACKS, _CLUSTER} <= names:
        raise InvalidInput("It is a WebM film without a film.", hint="Send it again.")


def _element(file: BinaryIO, at: int) -> _Element | None:
    """The element at a place; None where the file ends before it says what it is."""
    file.seek(at)
    head = file.read(12)
    wide = _width(head)
    if not 1 <= wide <= 4:
        if head:
            raise _improper()
        return None
    long = _width(head[wide:])
    if not long or len(head) < wide + long:
        return None
    name = int.from_bytes(head[:wide], "big")
    length = int.from_bytes(head[wide : wide + long], "big") & (1 << 7 * long) - 1
    unknown = length == (1 << 7 * long) - 1
    return _Element(name, at + wide + long, None if unknown else length)


def _width(content: bytes) -> int:
    """The bytes of the number that content begins with: one for each leading zero bit, and one."""
    return 9 - content[0].bit_length() if content and content[0] else 0


def _short(header: bytes) -> bytes:
    """A header with the length of its kind in one byte, however it is written."""
    return header.replace(b"\x42\x82\x01\0\0\0\0\0\0\x04", b"\x42\x82\x84")


def _improper() -> InvalidInput:
    return InvalidInput(
        "It is no proper WebM film: its elements are no film's.", hint="Save it again."
    )


def _cut_off() -> InvalidInput:
    return InvalidInput("It is a WebM film that is cut off.", hint="Send it again.")
