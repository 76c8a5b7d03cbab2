"""What is checked of a file: by what is in it, before anything of it is more than bytes."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from mosaic_cms.media.checks import Checked, Rules, check
from mosaic_cms.media.kinds import KINDS
from mosaic_cms.media.names import check_folder, check_tags, check_words
from mosaic_cms.pictures.library import ImageLibrary
from mosaic_core.errors import InvalidInput
from mosaic_core.storage import normalise_key
from mosaic_core.testing.hostile import HOSTILE_FILES, HostileFile
from mosaic_core.testing.hostile.documents import pdf, zipped
from mosaic_core.testing.hostile.recordings import box, film, flac, mp3, ogg, wave, webm
from tests.cms.media.hostile import EXPECTED, Refused, located
from tests.cms.pictures.files import encoded, moving, photograph


@pytest.fixture(scope="module")
def library() -> ImageLibrary:
    return ImageLibrary()


def checked(
    library: ImageLibrary, content: bytes, name: str = "a.jpg", rules: Rules | None = None
) -> Checked:
    digest = hashlib.sha256(content).hexdigest()
    file = io.BytesIO(content)
    return check(file, len(content), digest, name, rules or Rules(), library)


@pytest.mark.parametrize("file", HOSTILE_FILES, ids=str)
def test_what_is_hostile_is_refused_or_made_harmless(
    library: ImageLibrary, file: HostileFile
) -> None:
    content, expected = file.make(), EXPECTED[file.title]
    if isinstance(expected, Refused):
        with pytest.raises(InvalidInput, match=expected.why) as refusal:
            checked(library, content, file.name)
        assert file.name[-60:] in refusal.value.message
        return
    found = checked(library, content, file.name)
    stored = content if found.content is None else found.content
    assert (found.size, found.digest) == (len(stored), hashlib.sha256(stored).hexdigest())
    assert found.name == (expected.name or file.name)
    assert normalise_key(found.name) == found.name
    assert not file.gone or (file.gone in content and file.gone not in stored)
    assert expected.note in " ".join(found.notes)
    if found.kind.name not in {"svg"}:
        Image.open(io.BytesIO(stored)).load()
    again = checked(library, stored, found.name)
    assert (again.content, again.digest) == (None, found.digest), "nothing is left to be done"


def test_each_refusal_has_a_message_of_its_own(library: ImageLibrary) -> None:
    """Of different faults, the messages differ."""
    told: dict[str, set[str]] = {}
    for file in HOSTILE_FILES:
        expected = EXPECTED[file.title]
        if isinstance(expected, Refused):
            with pytest.raises(InvalidInput) as refusal:
                checked(library, file.make(), file.name)
            told.setdefault(refusal.value.message.partition(": ")[2], set()).add(expected.why)
    assert {what: faults for what, faults in told.items() if len(faults) > 1} == {}
    assert len(HOSTILE_FILES) == len(EXPECTED), "each has a title of its own"


def test_a_name_that_is_none_of_them_keeps_all_its_meaning(library: ImageLibrary) -> None:
    name = "Çini panosu, 16. yy.jpg"
    assert checked(library, photograph("JPEG", 60, 40), name).name == name


GOOD = {
    "jpeg": ("a.jpg", photograph("JPEG", 60, 40)),
    "png": ("a.png", photograph("PNG", 60, 40)),
    "webp": ("a.webp", photograph("WEBP", 60, 40)),
    "avif": ("a.avif", photograph("AVIF", 60, 40)),
    "gif": ("a.gif", moving("GIF")),
    "svg": ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"></svg>'),
    "mp4": ("a.mp4", film()),
    "mov": ("a.mov", film().replace(b"isom", b"qt  ")),
    "m4a": ("a.m4a", film().replace(b"isom", b"M4A ")),
    "webm": ("a.webm", webm()),
    "mp3": ("a.mp3", mp3()),
    "ogg": ("a.ogg", ogg()),
    "flac": ("a.flac", flac()),
    "wav": ("a.wav", wave()),
    "pdf": ("a.pdf", pdf()),
    "txt": ("a.txt", "Grüße\n".encode()),
    "csv": ("a.csv", b"a,b\n1,2\n"),
    "vtt": ("a.vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"),
    "docx": ("a.docx", zipped("[Content_Types].xml", "word/document.xml")),
    "xlsx": ("a.xlsx", zipped("[Content_Types].xml", "xl/workbook.xml")),
    "pptx": ("a.pptx", zipped("[Content_Types].xml", "ppt/presentation.xml")),
    "odt": ("a.odt", zipped("mimetype", content=b"application/vnd.oasis.opendocument.text")),
    "ods": ("a.ods", zipped("mimetype", content=b"application/vnd.oasis.opendocument.spreadsheet")),
    "odp": (
        "a.odp",
        zipped("mimetype", content=b"application/vnd.oasis.opendocument.presentation"),
    ),
    "epub": ("a.epub", zipped("mimetype", content=b"application/epub+zip")),
    "zip": ("a.zip", zipped("a.txt", "b/c.txt")),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_told_by_its_content_and_let_in_only_where_the_tenant_does(
    library: ImageLibrary, name: str
) -> None:
    sent, content = GOOD[name]
    assert checked(library, content, sent).kind is KINDS[name]
    if KINDS[name].group != "document" or name == "pdf":  # of text, nothing but the name tells
        assert checked(library, content, "a.xyz").kind is KINDS[name]
    others = Rules(frozenset(KINDS) - {name})
    with pytest.raises(InvalidInput, match=f"a {KINDS[name].title}, and no such files"):
        checked(library, content, sent, others)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_where_a_picture_was_taken_is_taken_out_and_nothing_of_the_picture(
    library: ImageLibrary, kind: str
) -> None:
    content = located(kind)
    assert b"4711" in content
    found = checked(library, content, f"a.{kind.lower()}")
    assert found.content is not None
    assert b"4711" not in found.content
    assert found.credit == "Ada Lens"
    assert b"Ada Lens" not in found.content
    before, after = (Image.open(io.BytesIO(each)) for each in (content, found.content))
    assert before.tobytes() == after.tobytes(), "to the bit"
    if kind != "AVIF":  # which has its turn elsewhere
        assert after.getexif()[0x0112] == 6
        assert list(after.getexif()) == [0x0112]
        assert (found.width, found.height) == (300, 400), "as it is looked at"
    else:
        assert not dict(after.getexif().get_ifd(0x8825))


def test_what_a_camera_noted_stays_where_it_is_kept_on_purpose(library: ImageLibrary) -> None:
    content = located("JPEG")
    found = checked(library, content, rules=Rules(keep_metadata=True))
    assert (found.content, found.notes) == (None, ())
    behind = checked(library, content + b"<script>", rules=Rules(keep_metadata=True))
    assert behind.content == content


def test_colours_are_kept(library: ImageLibrary) -> None:
    profile = b"\0" * 36 + b"acsp" + b"\0" * 88
    image = Image.new("RGB", (40, 30), "red")
    for kind in ("JPEG", "PNG", "WEBP"):
        content = encoded(image, kind, icc_profile=profile, comment=b"4711", exif=Image.Exif())
        found = checked(library, content, f"a.{kind.lower()}")
        stored = content if found.content is None else found.content
        assert Image.open(io.BytesIO(stored)).info["icc_profile"] == profile


def test_what_moves_goes_on_moving(library: ImageLibrary) -> None:
    for kind in ("GIF", "WEBP", "PNG"):
        content = moving(kind)
        found = checked(library, content, f"a.{kind.lower()}")
        stored = content if found.content is None else found.content
        shown = Image.open(io.BytesIO(stored))
        assert getattr(shown, "n_frames", 1) == 4
        assert (found.width, found.height) == (400, 300)


def test_a_drawing_s_size_is_what_it_says(library: ImageLibrary) -> None:
    head = 'xmlns="http://www.w3.org/2000/svg"'
    for said, size in (
        ('width="24px" height="12.4"', (24, 12)),
        ('viewBox="0 0 300 150"', (300, 150)),
        ('width="100%" viewBox="0,0,30,20"', (30, 20)),
        ('width="3em"', (None, None)),
    ):
        found = checked(library, f"<svg {head} {said}/>".encode(), "a.svg")
        assert (found.width, found.height) == size, said


def test_a_drawing_keeps_what_it_draws(library: ImageLibrary) -> None:
    inside = (
        '<title>Ö &amp; "o"</title><style>.a{fill:url(#g)}</style><defs>'
        '<linearGradient id="g"><stop offset="1" stop-color="#1e3a8a"/></linearGradient></defs>'
        '<g transform="scale(2)" class="a"><path d="M0 0h9" style="stroke:red"/></g>'
        '<image href="data:image/png;base64,iVBORw0KGgo="/><use href="#g" x="1"/>'
        '<animate attributeName="opacity" from="0" to="1" dur="2s"/>'
    )
    content = f'<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>'
    stored = checked(library, content.encode(), "a.svg").content
    assert stored is not None
    for piece in (
        "Ö &amp;",
        "url(#g)",
        "stop-color",
        "scale(2)",
        "M0 0h9",
        "base64",
        'x="1"',
        "2s",
    ):
        assert piece in stored.decode(), piece


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.webm", webm(known=False), id="a film that was recorded as it went"),
        pytest.param("a.webm", webm(b"\xec\x84" + bytes(4)), id="room in a film"),
        pytest.param("a.mp3", mp3(b"ID3\x03\0\0\0\0\0\x04" + bytes(4)), id="a tag in between"),
        pytest.param("a.mp3", mp3(bytes(90_000)), id="nothing in between"),
        pytest.param("a.mp3", mp3()[20:-200] + b"TAG" + bytes(125), id="an old tag at the end"),
        pytest.param(
            "a.mp3", mp3(b"APETAGEX" + b"\xd0\x07\0\0" + b"\x03\0\0\0" + bytes(19)), id="APE"
        ),
        pytest.param("a.wav", wave((b"fmt ", bytes(16)), (b"data", b"odd")), id="an odd length"),
        pytest.param(
            "a.wav", wave((b"fmt ", bytes(16)), (b"data", b"odd")) + b"\0", id="made even"
        ),
        pytest.param("a.pdf", pdf(b"%%EOF\r\n\0"), id="a PDF with space at its end"),
        pytest.param("a.pdf", pdf(b"%%EOF\nxref\nstartxref\n81\n%%EOF"), id="a PDF edited later"),
    ],
)
def test_what_is_unusual_and_whole_is_let_in(
    library: ImageLibrary, name: str, content: bytes
) -> None:
    found = checked(library, content, name)
    assert (found.name, found.content, found.notes) == (name, None, ())


def test_folders_tags_and_words_have_one_form() -> None:
    assert check_folder(" /kilns\\2024/ ") == "kilns/2024"
    assert check_folder("/") == ""
    for bad in ("a/../b", "a//b", "a/" * 9 + "b", "x" * 301, "a:b"):
        with pytest.raises(InvalidInput, match="no folder"):
            check_folder(bad)
    assert check_tags(["Kiln", " kiln ", "Çini\u200b"]) == ["Kiln", "Çini"]
    for tags in ([""], ["x" * 61], [str(n) for n in range(51)]):
        with pytest.raises(InvalidInput, match="no tags"):
            check_tags(tags)
    assert check_words("a\n b\0", 10) == "a b"
    with pytest.raises(InvalidInput, match="11 characters; 10 fit"):
        check_words("x" * 11, 10)


def test_a_file_is_looked_at_without_being_in_memory(library: ImageLibrary, tmp_path: Path) -> None:
    """A film of a gigabyte, of which a few boxes are read."""
    path = tmp_path / "film.mp4"
    head = film(box(b"moov", box(b"trak")))
    with path.open("wb") as file:
        file.write(head + (2**30).to_bytes(4, "big") + b"mdat")
        file.truncate(len(head) + 2**30)
    with path.open("rb", buffering=0) as raw:
        counted = _Counted(raw)
        found = check(counted, path.stat().st_size, "0" * 64, "film.mp4", Rules(), library)  # type: ignore[arg-type]
    assert found.kind.name == "mp4"
    assert counted.read_bytes < 200_000


class _Counted:
    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file
        self.read_bytes = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(size) or b""
        self.read_bytes += len(found)
        return found
