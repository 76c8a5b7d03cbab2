"""What part of a file a request asks for: RFC 9110, section 14, one range of bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE = re.compile(rb"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes from ``start`` up to but not including ``end``; none is what cannot be given."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return max(self.end - self.start, 0)

    def told(self, size: int) -> bytes:
        """The ``Content-Range`` of a file of a size."""
        if self.start >= self.end:
            return f"bytes */{size}".encode()
        return f"bytes {self.start}-{self.end - 1}/{size}".encode()


def part_of(size: int, asked: bytes | None, if_range: bytes | None, etag: bytes) -> Part | None:
    """The part that ``Range`` and ``If-Range`` ask for; None is the whole file.

    So is what is no range of bytes, more than one of them (they may be ignored), and a part of what
    the client had before the file changed.
    """
    if asked is None or (if_range is not None and if_range.strip() != etag):
        return None
    found = _ONE.fullmatch(asked.strip())
    first, last = found.groups() if found else (b"", b"")
    if first:
        if last and int(last) < int(first):
            return None
        start = min(int(first), size)
        return Part(start, min(int(last) + 1, size) if last else size)
    if not last:
        return None
    if size == 0 and int(last):  # all of nothing, which no Content-Range can say
        return None
    return Part(max(size - int(last), 0), size)
