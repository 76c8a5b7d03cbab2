"""The mail contract: one mail to one address, sent in the platform's name.

A :class:`Mail` checks itself when it is made, so no implementation has to: nothing in it can end a
header or begin another, and its addresses are in the form of :func:`check_address`. A mail has one
recipient; so it is taken or refused as a whole, and nobody learns who else got it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Protocol, runtime_checkable

from mosaic_core.errors import InvalidHost, InvalidMail
from mosaic_core.resolution import normalise_host

#: Bytes of an address and of what stands before its @ (RFC 5321, 4.5.3.1, with its erratum 1690).
_ADDRESS, _LOCAL = 254, 64
#: Characters of a subject and of a name, and of a text.
SUBJECT, _NAME, _TEXT = 250, 100, 2_000_000
#: A dot-atom (RFC 5322, 3.2.3); what is not ASCII is looked at by its category.
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+")
_MESSAGE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,99}@[a-z0-9][a-z0-9.-]{0,252}")
#: Control characters, halves of surrogate pairs, and what ends a line or a paragraph.
_BREAKS = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: Characters that turn the direction of what follows, up to where they are undone.
_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
#: What no text has: control characters but for tab and line end, and halves of surrogate pairs.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
#: A reader takes this for the beginning of an encoded word, with whatever is encoded in it: also
#: line ends. Python's own parser does, on its way to writing a header.
_ENCODED = "=?"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address and the name that is shown for it.

    Raises:
        InvalidMail: the address or the name is none.
    """

    address: str
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", check_address(self.address))
        _check_line("name", self.name, _NAME)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, ready to be sent.

    Attributes:
        message_id: the same each time that this mail is sent, so that a repeat is recognised; as in
            the header, without the angle brackets.
        sender: the platform's, in the envelope too.
        at: when it was written, an aware time.
        text: the plain text. Lines may be of any length.
        html: the same as HTML, for those who prefer it.
        reply_to: who gets an answer; None for the sender.

    Raises:
        InvalidMail: saying which part cannot be in a mail, and why.
    """

    message_id: str
    sender: Mailbox
    to: str
    at: datetime
    subject: str
    text: str
    html: str | None = None
    reply_to: str | None = None

    def __post_init__(self) -> None:
        if not _MESSAGE_ID.fullmatch(self.message_id):
            raise InvalidMail(
                f"{_shown(self.message_id)} cannot be a message's id.",
                hint="Use letters, digits, dots and hyphens, an @ and a domain.",
            )
        object.__setattr__(self, "to", check_address(self.to))
        if self.reply_to is not None:
            object.__setattr__(self, "reply_to", check_address(self.reply_to))
        if self.at.tzinfo is None:
            raise InvalidMail("The time of a mail needs a zone.")
        _check_line("subject", self.subject, SUBJECT)
        if not self.subject.strip():
            raise InvalidMail("A mail needs a subject.")
        for part, text in (("text", self.text), ("html", self.html)):
            if text is not None:
                object.__setattr__(self, part, _checked_text(part, text))

    @property
    def needs_utf8(self) -> bool:
        """Whether an address is not ASCII before its @: not every server takes one (RFC 6531)."""
        return not all(a.isascii() for a in (self.sender.address, self.to, self.reply_to or ""))

    def as_bytes(self) -> bytes:
        """The mail as it goes out: lines of at most 998 bytes that end in CR LF, the bodies in
        ASCII, the headers too unless :attr:`needs_utf8`."""
        message = EmailMessage(SMTP.clone(cte_type="7bit", utf8=self.needs_utf8))
        message["From"] = _address(self.sender.address, self.sender.name)
        message["To"] = _address(self.to)
        if self.reply_to is not None:
            message["Reply-To"] = _address(self.reply_to)
        message["Subject"] = self.subject
        message["Date"] = self.at.astimezone(UTC)
        message["Message-ID"] = f"<{self.message_id}>"
        # Holiday notices and the like do not answer this (RFC 3834, 5).
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(self.text)
        if self.html is not None:
            message.add_alternative(self.html, subtype="html")
        return message.as_bytes()


@runtime_checkable
class Mailer(Protocol):
    """Sends mail. Safe to use from any number of tasks."""

    async def send(self, mail: Mail) -> None:
        """Hands a mail over to what delivers it; it went out when this returns.

        It may be sent again with the same ``message_id`` when nobody knows what came of the first
        time, also after this was cancelled.

        Raises:
            MailRefused: this mail will never be taken.
            MailDeferred: this mail is not taken now; others may be.
            MailUnavailable: no mail can be sent now: what sends it is not there, is not set up, or
                did not answer in time.
        """
        ...


def check_address(text: str) -> str:
    """A mail address in its one form: the domain in lower case and in IDNA's A-labels, and what
    stands before it as it is, in NFC.

    ``Dörte@BÜCHER.example`` becomes ``Dörte@xn--bcher-kva.example``.

    Raises:
        InvalidMail: it is none, or one of a kind that nobody has: quoted, with a comment, or at an
            IP address.
    """
    if len(text) > 4 * _ADDRESS:  # a row of combining marks takes time as its length squared
        raise _no_address(text)
    local, at, domain = unicodedata.normalize("NFC", text).rpartition("@")
    if not at or ":" in domain or "[" in domain or "_" in domain or _ENCODED in local:
        raise _no_address(text)
    try:
        domain = normalise_host(domain)
    except InvalidHost:
        raise _no_address(text) from None
    fits = (
        all(_DOT_ATOM.fullmatch(part) for part in local.split("."))
        and all(c.isascii() or unicodedata.category(c)[0] in "LMN" for c in local)
        and not domain.rpartition(".")[2].isdigit()
    )
    if not fits or len(local.encode()) > _LOCAL or len(f"{local}@{domain}".encode()) > _ADDRESS:
        raise _no_address(text)
    return f"{local}@{domain}"


def one_line(text: str, most: int = SUBJECT) -> str:
    """A text of any origin as it can stand in a header or a list: in one line, at most ``most``
    characters, which is shown by an ellipsis, and nothing in it that is taken for something else.
    """
    plain = "".join(
        " " if unicodedata.category(c) in _BREAKS else c for c in _TURNS.sub("", text[: 10 * most])
    )
    line = " ".join(plain.replace(_ENCODED, "= ?").split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _address(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


def _check_line(part: str, text: str, most: int) -> None:
    if len(text) > most:
        raise InvalidMail(f"The {part} of a mail has at most {most} characters, not {len(text)}.")
    if _ENCODED in text or any(unicodedata.category(c) in _BREAKS for c in text):
        raise InvalidMail(
            f"The {part} {_shown(text)} has a character that no header may have.",
            hint="Make one line of it, without control characters and without '=?'.",
        )


def _checked_text(part: str, text: str) -> str:
    if len(text) > _TEXT:
        raise InvalidMail(f"The {part} of a mail has at most {_TEXT} characters, not {len(text)}.")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _CONTROL.search(text):
        raise InvalidMail(f"The {part} of the mail has a control character, or half a pair.")
    return text


def _no_address(text: str) -> InvalidMail:
    return InvalidMail(
        f"{_shown(text)} is no mail address.", hint="Write it as in 'name@example.com'."
    )


def _shown(text: str) -> str:
    return repr(text[:80].encode("unicode_escape").decode("ascii"))
