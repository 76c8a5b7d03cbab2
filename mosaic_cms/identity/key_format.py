"""How an API key looks: ``mosaic_<prefix>_<secret><checksum>``.

The checksum tells a real key from what only looks like one, without asking anybody: so scanners
find leaked keys without false alarms, and an invented one costs no query. It is that of GitHub's
tokens: the CRC-32 of what stands before it, in six characters of base 62.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib

#: What scanners look for; what it finds is a key when its checksum fits.
PATTERN = r"\bmosaic_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}\b"
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIX, _SECRET, _CHECKSUM = 8, 32, 6
_KEY = re.compile(PATTERN, re.ASCII)


def make_key() -> tuple[str, str]:
    """A new key with 190 random bits, and how it begins, by which people tell keys apart."""
    prefix = f"mosaic_{_random(_PREFIX)}"
    body = f"{prefix}_{_random(_SECRET)}"
    return body + checksum(body), prefix


def is_key(text: str) -> bool:
    """Whether a text has the form of a key and its checksum."""
    return bool(_KEY.fullmatch(text)) and checksum(text[:-_CHECKSUM]) == text[-_CHECKSUM:]


def checksum(body: str) -> str:
    """The CRC-32 of the ASCII text, six characters, the most significant first."""
    rest, digits = zlib.crc32(body.encode("ascii")), ""
    for _ in range(_CHECKSUM):
        rest, digit = divmod(rest, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits


def _random(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))
