"""What becomes of hostile files in the media library; and pictures and films that tell of their
makers."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from PIL import Image

from mosaic_core.testing.hostile.recordings import box
from tests.cms.pictures.files import encoded, photograph


@dataclass(frozen=True, slots=True)
class Refused:
    """It is not let in; ``why`` are words of the error."""

    why: str


@dataclass(frozen=True, slots=True)
class Harmless:
    """It is let in, with another name perhaps; ``note`` are words of what its sender is told."""

    name: str = ""
    note: str = ""


#: By the files' titles.
EXPECTED: dict[str, Refused | Harmless] = {
    "nothing": Refused("empty"),
    "a JPEG cut off": Refused("cut off"),
    "a JPEG without its last byte": Refused("cut off"),
    "a PNG cut off": Refused("cut off"),
    "a WebP cut off": Refused("cut off"),
    "an AVIF cut off": Refused("cut off"),
    "a GIF cut off": Refused("cut off"),
    "a picture's first bytes alone": Refused("cut off"),
    "a PDF cut off": Refused("PDF that is cut off"),
    "a film cut off": Refused("film that is cut off"),
    "a ZIP cut off": Refused("ZIP archive that is cut off"),
    "a text in the middle of a character": Refused("middle of a character"),
    "a pixel bomb": Refused("too large to be decoded: 60,000 × 60,000"),
    "a claim of pixels": Refused("damaged|too large"),
    "frames without end": Refused("too large to be decoded: "),
    "a decompression bomb": Refused("decompression bomb: [0-9,]+ bytes would"),
    "an archive with another directory": Refused("for very large ones"),
    "entries over one another": Refused("lie over one another"),
    "a billion laughs": Refused("declares entities"),
    "uses of uses": Refused("more than 200,000 elements"),
    "a drawing in a drawing": Refused("too deep"),
    "a web page": Refused("a web page"),
    "a program": Refused("a program for Windows"),
    "a script": Refused("a script"),
    "PHP": Refused("a script"),
    "a packed drawing": Refused("compressed file"),
    "a style sheet": Refused("files with .css are not"),
    "bytes": Refused("no kind that is let in"),
    "text that is no text": Refused("no kind that is let in"),
    "Latin-1": Refused("no kind that is let in"),
    "a HEIC": Refused("HEIC picture"),
    "a PNG called JPEG": Harmless(name="a.png", note="PNG"),
    "a page's ending": Harmless(name="a.jpg", note="It is a JPEG picture"),
    "two endings": Harmless(name="a.php.jpg"),
    "a WAVE cut off": Refused("a sound that is cut off"),
    "a WAVE and a page": Refused("chunks do not lead"),
    "a WAVE of a page": Refused("chunks do not lead"),
    "a FLAC's first bytes": Refused("FLAC sound that is cut off"),
    "a FLAC of a page": Refused("its metadata is none"),
    "a FLAC and a page": Refused("a FLAC sound without a sound"),
    "an Ogg's first bytes": Refused("its pages do not lead"),
    "an Ogg cut off": Refused("Ogg sound that is cut off"),
    "an Ogg and a page": Refused("its pages do not lead"),
    "an Ogg of a page": Refused("a damaged Ogg"),
    "an ID3 of a page": Refused("an MP3 sound that is cut"),
    "an MP3 and a page": Refused("something else stands in it"),
    "an MP3's first bytes": Refused("MP3 sound without"),
    "a tag cut off": Refused("an MP3 sound that is cut"),
    "a WebM's first bytes": Refused("WebM film that is cut off"),
    "a WebM cut off": Refused("WebM film that is cut off"),
    "a WebM of a page": Refused("no film's"),
    "a WebM and a page": Refused("stands behind the WebM"),
    "a recorded WebM and a page": Refused("no film's"),
    "a WebM of nothing": Refused("a WebM film without a film"),
    "a JPEG and a ZIP": Harmless(note="cut"),
    "a GIF and a script": Harmless(note="taken out"),
    "a PNG with scripts": Harmless(note="cut off"),
    "a PDF and a ZIP": Refused("stands where it ends"),
    "a PDF and a page": Refused("stands where it ends"),
    "a PDF of a page": Refused("stands where it ends"),
    "a PDF of nothing": Refused("no table of"),
    "a film of nothing": Refused("without a track"),
    "a PDF behind a page": Refused("a web page"),
    "a film and a ZIP": Refused("behind the film"),
    "a sound and a ZIP": Refused("once"),
    "a ZIP behind a program": Refused("a program for Windows"),
    "a ZIP that leads out": Refused("leads out of it"),
    "a script in it": Harmless(),
    "an event in it": Harmless(),
    "a page in it": Harmless(),
    "another file": Harmless(),
    "another's use": Harmless(),
    "a link": Harmless(),
    "a style's file": Harmless(),
    "an escaped style": Harmless(),
    "a file behind what only looks like a comment": Harmless(),
    "comments without end": Refused("files with .svg are not"),
    "a paint": Harmless(),
    "an animated link": Harmless(),
    "data that run": Harmless(),
    "no drawing": Refused("first element is another"),
    "a broken drawing": Refused("no proper SVG"),
    "a way out": Harmless(name="passwd.jpg"),
    "a way out of Windows": Harmless(name="a.jpg"),
    "a hidden file": Harmless(name="htaccess.jpg"),
    "a device": Harmless(name="file-CON.jpg"),
    "a device without ending": Harmless(name="file-lpt1.jpg"),
    "text that turns": Harmless(name="invoicegpj.jpg"),
    "letters that are not seen": Harmless(name="ab.jpg"),
    "a letter of two": Harmless(name="Café.jpg"),
    "lines": Harmless(name="aSet-Cookie- x.jpg"),
    "characters of a shell": Harmless(name="(rm -rf)-x-;.jpg"),
    "nothing but dots": Harmless(name="picture.jpg"),
    "no name that is left": Harmless(name="picture.jpg"),
    "a long name": Harmless(name="ä" * 58 + ".jpg"),
    "half a character": Harmless(name="ab.jpg"),
}


def photo() -> bytes:
    return photograph("JPEG", 400, 300)


def located(kind: str) -> bytes:
    """A photograph that says who took it, where, with which camera, and how it is turned."""
    image = Image.open(io.BytesIO(photo()))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x013B] = "Ada Lens"
    exif[0xA431] = "SERIAL-4711"
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 28.0, 40.0), 3: "E", 4: (0.0, 0.0, 5.0)})
    exif.get_ifd(0x8825)[27] = b"GPS-METHOD-4711"
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>exif:GPSLatitude=51,28.4711N</x:xmpmeta>"
    return encoded(image, kind, exif=exif, xmp=xmp)


def located_film() -> bytes:
    """A film that says in each way where it was taken and with what, before what it shows."""
    place = b"+41.0082+028.4711/"
    track = box(
        b"trak", box(b"tkhd", bytes(8)), box(b"meta", place), box(b"mdia", box(b"udta", place))
    )
    xmp = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac"), b"<4711/>")
    wide = struct.pack(">I4sQ", 1, b"meta", 16 + len(place)) + place
    noted = box(b"udta", box(b"\xa9xyz", place), box(b"loci", place), bytes(4))
    moov = box(b"moov", box(b"mvhd", bytes(16)), track, noted, wide)
    head = struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0)
    return head + moov + xmp + box(b"uuid", bytes(16), b"DRM") + box(b"mdat", b"4712" * 50_000)
