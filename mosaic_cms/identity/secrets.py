"""What the platform's secret is for: sealing what has to be read back, signing what comes back.

Each use has a key of its own, derived from the secret, so that nothing made for one counts for
another (RFC 5869).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mosaic_core.errors import ConfigurationError
from mosaic_core.settings import Settings

#: Characters that a secret has at least.
SHORTEST = 32
#: Different characters that it has at least: fewer are no secret, such as "changemechangeme…".
_DIFFERENT = 12
#: Words of secrets that stand in examples. In one that was drawn by lot none is by chance.
_PLACEHOLDERS = (
    *("change", "secret", "passw0rd", "password", "default", "insecure", "example", "sample"),
    *("placeholder", "development", "production", "replace", "supersecure", "mosaic_", "do-not"),
)
#: Rows of characters, of which so many in a row are none that was drawn by lot.
_ROWS = tuple(
    way
    for row in ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")
    for way in (row, row[::-1])
)
_RUN = 8
_FILE = "development.secret"


def digest_of(token: str) -> bytes:
    """What is kept of a token that somebody else has. Tokens are too long to be guessed, so their
    digest needs no salt and no time."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class Secrets:
    """The keys that are derived from the platform's secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._fernet = Fernet(base64.urlsafe_b64encode(self._key("seal")))
        self._keys: dict[str, bytes] = {}

    def seal(self, content: bytes) -> bytes:
        """Content that only the platform can read."""
        return self._fernet.encrypt(content)

    def unseal(self, sealed: bytes) -> bytes:
        """Content that was sealed.

        Raises:
            ConfigurationError: with another secret.
        """
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise ConfigurationError(
                "What was sealed with another secret cannot be read.",
                hint="Set [identity] secret to what it was, or reset what was sealed.",
            ) from error

    def token(self, purpose: str, of: str) -> str:
        """A token that nobody else can make, and that is the same each time.

        Args:
            purpose: what it is for; of: the row that it belongs to.
        """
        made = hmac.digest(self._derived(purpose), of.encode(), "sha256")
        return base64.urlsafe_b64encode(made).decode().rstrip("=")

    def signature(self, purpose: str, message: str) -> str:
        """Short proof that the platform made a message: 22 characters for 128 bits."""
        return self.token(purpose, message)[:22]

    def signed(self, purpose: str, message: str, signature: str) -> bool:
        """Whether a message has its signature; takes as long for any."""
        return hmac.compare_digest(
            self.signature(purpose, message).encode(), signature.encode("utf-8", "replace")
        )

    def _derived(self, purpose: str) -> bytes:
        key = self._keys.get(purpose)
        if key is None:
            key = self._keys[purpose] = self._key(purpose)
        return key

    def _key(self, purpose: str) -> bytes:
        made = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"mosaic {purpose}".encode())
        return made.derive(self._secret)


def open_secrets(settings: Settings) -> Secrets:
    """The secrets of a deployment.

    In development, a deployment without one makes its own, in its data folder; elsewhere that is
    an error.

    Raises:
        ConfigurationError: there is none where one is needed, or it can be guessed.
    """
    given = settings.identity.secret.get_secret_value()
    if given:
        problem = weakness(given)
        if problem is None:
            return Secrets(given)
        raise ConfigurationError(f"[identity] secret {problem}.", hint=_HOW)
    if settings.platform.environment != "development":
        raise ConfigurationError(
            f"A {settings.platform.environment} deployment needs a secret of its own.", hint=_HOW
        )
    path = settings.data_dir / _FILE
    try:
        own = _own(path)
    except OSError as error:
        raise ConfigurationError(
            f"The secret of this deployment cannot be kept in {path}: {error.strerror}.",
            hint=f"Give this user the right to write the data folder. {_HOW}",
        ) from error
    if len(own) < SHORTEST:  # such as an empty file, of which anybody would know what it makes
        raise ConfigurationError(
            f"The secret of this deployment in {path} is damaged.",
            hint=f"Remove the file, and another is made. {_HOW}",
        )
    return Secrets(own)


_HOW = (
    "Put one into the environment as MOSAIC_IDENTITY__SECRET; "
    "'openssl rand -base64 48' makes a good one."
)


def weakness(secret: str) -> str | None:
    """Why a secret is none; None when it is good enough."""
    if len(secret) < SHORTEST:
        return f"has {len(secret)} characters; it needs {SHORTEST}"
    if len(set(secret)) < _DIFFERENT:
        return f"has {len(set(secret))} different characters; it needs {_DIFFERENT}"
    lower = secret.lower()
    word = next((word for word in _PLACEHOLDERS if word in lower), None)
    if word is not None:
        return f"has the word {word!r} in it, as those have that are to be replaced"
    if secret in (secret + secret)[1:-1]:
        return "is the same over and over again"
    if any(lower[at : at + _RUN] in row for row in _ROWS for at in range(len(lower) - _RUN + 1)):
        return "has a row of letters or digits in it that everybody knows"
    return None


def _own(path: Path) -> str:
    """What is in the file, which is made when it is not there. Of several processes that start at
    once, one makes it."""
    while True:
        try:
            return path.read_text("ascii")
        except FileNotFoundError:
            draft = path.with_suffix(f".{os.getpid()}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
