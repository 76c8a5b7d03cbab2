"""Names of files, folders and tags: made safe without losing what they say."""

from __future__ import annotations

import re
import unicodedata

from mosaic_cms.media.kinds import Kind, ending_of
from mosaic_core.errors import InvalidInput

#: Bytes of a name in UTF-8; a key has a folder before it.
_LONGEST = 120
#: Characters that some file system or shell takes for something else.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|#%&{}$!`]+')
_SPACE = re.compile(r"\s+")
#: Names that Windows keeps for devices.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)
#: Characters that are not seen: among them those that turn the direction of what follows.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
#: The same in texts, where some of them join letters.
_NO_TEXT = frozenset({"Cc", "Cs"})
_MOST_TAGS, _LONGEST_TAG = 50, 60
_DEEPEST, _LONGEST_FOLDER = 8, 300


def safe_name(name: str, kind: Kind) -> str:
    """A file's name: the last part of a path, without what is not seen or is not safe, and with an
    ending of its kind. ``../Çini  panosu.PNG`` becomes ``Çini panosu.png``."""
    # Not when it is longer than any: a row of combining marks takes time as its length squared.
    last = name[-2000:].replace("\\", "/").rstrip("/").rpartition("/")[2]
    text = unicodedata.normalize("NFC", _seen(last))
    ending = ending_of(text)
    stem = text[: len(text) - len(ending)] if ending in _ENDINGS or _looks(ending) else text
    if ending not in kind.endings:
        ending = kind.endings[0]
    stem = _SPACE.sub(" ", _UNSAFE.sub("-", stem)).strip(" .-_")
    stem = stem.encode()[: _LONGEST - len(ending)].decode("utf-8", "ignore").rstrip(" .-_")
    if not stem:
        stem = kind.group
    if _DEVICES.fullmatch(stem.partition(".")[0].strip()):
        stem = f"file-{stem}"
    return stem + ending


#: Endings that are no part of what a name says.
_ENDINGS = frozenset({".htm", ".html", ".php", ".exe", ".js", ".sh", ".bat", ".heic", ".tiff"})


def _looks(ending: str) -> bool:
    return 1 < len(ending) <= 5 and ending[1:].isascii() and ending[1:].isalnum()


def check_folder(folder: str) -> str:
    """A folder's one form: names with ``/`` between them; "" is the library itself.

    Raises:
        InvalidInput: it is none.
    """
    parts = [_line(part) for part in folder[:2000].replace("\\", "/").strip("/ ").split("/")]
    if parts == [""]:
        return ""
    whole = "/".join(parts)
    bad = any(part in {"", ".", ".."} or _UNSAFE.search(part) for part in parts)
    if bad or len(parts) > _DEEPEST or len(whole) > _LONGEST_FOLDER:
        raise InvalidInput(
            f"{folder[:80]!r} is no folder of a library.",
            hint=f"Use names with '/' between them, at most {_DEEPEST}, such as 'kilns/2024'.",
        )
    return whole


def check_tags(tags: tuple[str, ...] | list[str]) -> list[str]:
    """Tags in their one form, each once whatever its case, in the order in which they came.

    Raises:
        InvalidInput: one is empty or too long, or they are too many.
    """
    found = {(line := _line(tag)).casefold(): line for tag in reversed(tags)}
    if "" in found or len(found) > _MOST_TAGS or any(len(tag) > _LONGEST_TAG for tag in found):
        raise InvalidInput(
            "These are no tags of a file.",
            hint=f"Give at most {_MOST_TAGS}, of 1 to {_LONGEST_TAG} characters each.",
        )
    return list(reversed(found.values()))


def check_words(text: str, longest: int) -> str:
    """A text for people, on one line.

    Raises:
        InvalidInput: it is too long.
    """
    whole = "".join(c for c in _SPACE.sub(" ", text) if unicodedata.category(c) not in _NO_TEXT)
    line = unicodedata.normalize("NFC", whole).strip()
    if len(line) > longest:
        raise InvalidInput(
            f"A text has {len(line):,} characters; {longest:,} fit.", hint="Say it in fewer words."
        )
    return line


def _line(text: str) -> str:
    return unicodedata.normalize("NFC", _SPACE.sub(" ", _seen(_SPACE.sub(" ", text))).strip())


def _seen(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) not in _UNSEEN)


def plain_name(name: str) -> str:
    """The last part of a name as a key can have it, before it is known what the file is."""
    last = name[-2000:].replace("\\", "/").rstrip("/").rpartition("/")[2]
    text = _SPACE.sub(" ", _UNSAFE.sub("-", unicodedata.normalize("NFC", _seen(last))))
    text = text.strip(" .-_").encode()[-_LONGEST:].decode("utf-8", "ignore").strip(" .-_")
    if not text or _DEVICES.fullmatch(text.partition(".")[0].strip()):
        return f"file-{text}".strip("-")
    return text
