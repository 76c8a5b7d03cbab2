"""The server's answers, and its silence, as MOSAIC's errors: the one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from mosaic_core.errors import MailDeferred, MailError, MailRefused, MailUnavailable
from mosaic_core.mail import one_line

#: Answers that are about this deployment, not about a mail (RFC 5321, 4.2.3; RFC 4954, 6): the
#: server is going down; sign in first, in another way, with TLS.
_NOT_THE_MAIL = frozenset({421, 454, 530, 534, 535, 538})
#: The mail is too large: the server says so when it hears of the sender.
_TOO_LARGE = 552
_SHOWN = 300


@contextmanager
def translated(server: str, seconds: float) -> Iterator[None]:
    """Raises what goes wrong with a server as our errors."""
    try:
        yield
    except SMTPAuthenticationError as error:
        # Without the answer's text and without a cause: a server may repeat what it was sent.
        raise MailUnavailable(
            f"The mail server {server} does not accept the user name and password ({error.code}).",
            hint="Set username and password in [plugins.mail_smtp].",
        ) from None
    except (SMTPTimeoutError, TimeoutError) as error:
        raise MailUnavailable(
            f"The mail server {server} did not answer within {seconds:g} s.",
            hint="Look whether it is overloaded; mails are sent again later.",
        ) from error
    except (SMTPConnectError, SMTPServerDisconnected) as error:
        raise MailUnavailable(
            f"The mail server {server} cannot be reached: {_line(error)}.",
            hint="Check host, port and security in [plugins.mail_smtp], and the server itself.",
        ) from error
    except SMTPRecipientsRefused as error:
        first = error.recipients[0]  # a mail has one
        raise _answered(server, first.code, first.message) from error
    except SMTPSenderRefused as error:
        if error.code != _TOO_LARGE:
            raise MailUnavailable(
                f"The mail server {server} takes no mail from {error.sender}: {_line(error)}.",
                hint="Set address in [mail] to one that this server sends for, or sign in.",
            ) from error
        raise _answered(server, error.code, error.message) from error
    except SMTPDataError as error:
        raise _answered(server, error.code, error.message) from error
    except SMTPNotSupported as error:
        raise MailRefused(
            f"The mail server {server} does not take an address like this one: {_line(error)}."
        ) from error
    except (SMTPException, OSError) as error:
        raise MailUnavailable(
            f"The mail server {server} cannot be used: {_line(error)}.",
            hint="Check host, port and security in [plugins.mail_smtp].",
        ) from error
    except ValueError as error:
        raise MailRefused(f"The mail cannot be sent by SMTP: {_line(error)}.") from error


def _answered(server: str, code: int, message: str) -> MailError:
    """What an answer other than the one hoped for means for the mail."""
    said = f"The mail server {server} answered {code} {one_line(message, _SHOWN)}"
    if code in _NOT_THE_MAIL:
        return MailUnavailable(said, hint="Check the settings in [plugins.mail_smtp].")
    return MailRefused(said) if code >= 500 else MailDeferred(said)


def _line(error: Exception) -> str:
    code = f"{error.code} " if isinstance(error, SMTPResponseException) else ""
    text = getattr(error, "message", "") or str(error) or type(error).__name__
    return code + one_line(str(text), _SHOWN).rstrip(".")
