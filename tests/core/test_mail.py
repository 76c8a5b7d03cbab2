"""What a mail can be: addresses in one form, and headers that nothing can break out of."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_core.errors import InvalidMail
from mosaic_core.mail import SUBJECT, Mailbox, check_address, one_line
from mosaic_core.testing.mail import HEADERS, make_mail, parsed, text_of

LONG = "b" * 60
ADDRESSES = {
    "ada@example.com": "ada@example.com",
    "Ada.B+tag@Example.COM": "Ada.B+tag@example.com",
    "o'neil%x@b.example": "o'neil%x@b.example",
    "noreply@localhost": "noreply@localhost",
    "desk@BÜCHER.example": "desk@xn--bcher-kva.example",
    "desk@xn--bcher-kva.example.": "desk@xn--bcher-kva.example",
    "dörte@b.example": "dörte@b.example",
    "do\u0308rte@b.example": "dörte@b.example",
    "用户@例え.jp": "用户@xn--r8jz45g.jp",
    f"{'a' * 64}@b.example": f"{'a' * 64}@b.example",
    f"{'a' * 64}@{LONG}.{LONG}.{LONG}.museum": f"{'a' * 64}@{LONG}.{LONG}.{LONG}.museum",
}
NO_ADDRESSES = (
    "",
    "@",
    "ada",
    "ada@",
    "@example.com",
    " ada@example.com",
    "ada@example.com ",
    "ada @example.com",
    "ada@exam ple.com",
    "ada@example..com",
    "ada@-example.com",
    "ada@ex_ample.com",
    "ada@192.0.2.1",
    "ada@[192.0.2.1]",
    "ada@[::1]",
    "ada@example.com:25",
    "ada@example.com,eve@example.com",
    "ada@example.com;eve@example.com",
    "ada@example.com>",
    "<ada@example.com>",
    "Ada <ada@example.com>",
    '"a b"@example.com',
    "(a)ada@example.com",
    ".ada@example.com",
    "ada.@example.com",
    "a..da@example.com",
    "ada@example.com\r\nBcc: eve@example.com",
    "ada\r\nBcc: eve@example.com",
    "ada\n@example.com",
    "ada\0@example.com",
    "ada\x85@example.com",
    "ada\u2028@example.com",
    "ada\u202e@example.com",
    "ada\ud800@example.com",
    "ada@exam\ud800ple.com",
    "ada\u037eeve@example.com",  # becomes a semicolon in NFC
    "=?utf-8?q?a=0ABcc=3Aeve=40x.example?=@example.com",
    f"{'a' * 65}@example.com",
    f"{'ö' * 33}@example.com",
    f"{'a' * 64}@{LONG}.{LONG}.{LONG}.example",
    f"ada@{LONG}.{LONG}.{LONG}.{LONG}.{LONG}.example",
    "a" * 100_000 + "@example.com",
    "\u0301" * 100_000,
)


@pytest.mark.parametrize("given", ADDRESSES)
def test_an_address_has_one_form(given: str) -> None:
    found = check_address(given)
    assert found == ADDRESSES[given]
    assert check_address(found) == found


@pytest.mark.parametrize("given", NO_ADDRESSES, ids=lambda text: ascii(text)[:40])
def test_what_is_no_address_is_refused_and_named(given: str) -> None:
    with pytest.raises(InvalidMail) as caught:
        check_address(given)
    assert "is no mail address" in caught.value.message
    assert "name@example.com" in caught.value.hint
    assert caught.value.message.isprintable()
    for part in ("to", "reply_to"):
        with pytest.raises(InvalidMail):
            make_mail(**{part: given})
    with pytest.raises(InvalidMail):
        Mailbox(given)


@pytest.mark.parametrize(
    "line",
    [
        "a\r\nBcc: eve@example.com",
        "a\nb",
        "a\rb",
        "a\0b",
        "a\x0bb",
        "a\x0cb",
        "a\x1cb",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "a\ud800b",
        "=?utf-8?q?a=0ABcc:eve@example.com?=",
        "a =?utf-8?b?Cg==?= b",
        "x" * 251,
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_a_line_that_could_be_more_than_one_is_no_header(line: str) -> None:
    with pytest.raises(InvalidMail):
        make_mail(subject=line)
    with pytest.raises(InvalidMail):
        Mailbox("noreply@mosaic.example", line)
    assert make_mail(subject=one_line(line)).subject == one_line(line)


@pytest.mark.parametrize(
    "values",
    [
        {"subject": ""},
        {"subject": "  "},
        {"message_id": "a"},
        {"message_id": "<a@b.example>"},
        {"message_id": "a b@c.example"},
        {"message_id": "a@b.example\r\nX: y"},
        {"message_id": "ä@b.example"},
        {"at": datetime(2026, 1, 1)},
        {"text": "a\0b"},
        {"text": "a\x1bb"},
        {"text": "a\ud800b"},
        {"html": "<p>\x00</p>"},
        {"text": "x" * 2_000_001},
        {"html": "x" * 2_000_001},
    ],
    ids=lambda values: ascii(values)[:40],
)
def test_a_mail_checks_each_of_its_parts(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidMail):
        make_mail(**values)


def test_lines_end_in_one_way_in_a_text() -> None:
    mail = make_mail(text="a\r\nb\rc\nd", html="<p>\r\n</p>")
    assert (mail.text, mail.html) == ("a\nb\nc\nd", "<p>\n</p>")


def test_what_goes_out_is_short_lines_of_ascii() -> None:
    mail = make_mail(subject="ü" * 250, text="ö" * 5_000, html="x" * 5_000, reply_to=f"a@{LONG}.de")
    content = mail.as_bytes()
    assert content.isascii()
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert not mail.needs_utf8


def test_an_address_in_another_script_makes_the_headers_utf8() -> None:
    for part in ("to", "reply_to"):
        mail = make_mail(**{part: "dörte@example.com"}, subject="Grüße")
        assert mail.needs_utf8
        assert "dörte@example.com".encode() in mail.as_bytes()
        assert parsed(mail.as_bytes())["Subject"] == "Grüße"


def test_the_time_of_a_mail_is_an_instant() -> None:
    at = datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=2)))
    assert parsed(make_mail(at=at).as_bytes())["Date"].datetime == at.astimezone(UTC)


@given(
    subject=st.text(max_size=400),
    name=st.text(max_size=120),
    text=st.text(max_size=400),
    html=st.text(max_size=400),
)
def test_whatever_somebody_wrote_stays_where_it_was_put(
    subject: str, name: str, text: str, html: str
) -> None:
    def plain(body: str) -> str:
        return "".join(c for c in body if unicodedata.category(c) not in {"Cc", "Cs"})

    mail = make_mail(
        sender=Mailbox("noreply@mosaic.example", one_line(name, 100)),
        subject=one_line(subject) or "Nothing",
        text=plain(text),
        html=plain(html),
    )
    found = parsed(mail.as_bytes())
    assert set(found.keys()) == HEADERS
    assert len(found.keys()) == len(HEADERS)
    (sender,) = found["From"].addresses
    assert sender.addr_spec == "noreply@mosaic.example"
    assert "".join(sender.display_name.split()) == "".join(mail.sender.name.split())
    assert str(found["To"]) == mail.to
    assert "".join(str(found["Subject"]).split()) == "".join(mail.subject.split())
    assert (text_of(found) or "").removesuffix("\n") == mail.text
    assert (text_of(found, "html") or "").removesuffix("\n") == mail.html


@given(st.text(max_size=600), st.integers(1, SUBJECT))
def test_one_line_is_one_and_not_too_long(text: str, most: int) -> None:
    line = one_line(text, most)
    assert len(line) <= most
    assert len(line.splitlines()) <= 1
    assert "=?" not in line
    assert one_line(line, most) == line
