"""Encrypted bundles: a bundle inside an age file (age-encryption.org/v1), for public keys.

Nothing is unlocked on the disk: the bundle passes through a pipe.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from mosaic_core.errors import BundleDamaged, BundleLocked, InvalidInput

_MAGIC = b"age-encryption.org/v1"


def is_locked(file: BinaryIO) -> bool:
    """Whether a file that can be sought, at its beginning, is an age file."""
    locked = file.read(len(_MAGIC)) == _MAGIC
    file.seek(0)
    return locked


def keys_of(recipients: Sequence[str]) -> list[Any]:
    """The keys that some texts are, for :func:`locked`.

    Raises:
        InvalidInput: one is no age public key.
    """
    if not recipients:
        return []
    import pyrage

    try:
        return [pyrage.x25519.Recipient.from_str(one) for one in recipients]
    except pyrage.RecipientError as error:
        raise InvalidInput(
            f"That is no age public key: {error}.", hint="It begins with 'age1'."
        ) from None


@contextmanager
def locked(file: BinaryIO, keys: Sequence[Any]) -> Iterator[BinaryIO]:
    """What is written into the result is encrypted into ``file``, for some age public keys."""
    import pyrage

    reading, writing = os.pipe()

    def encrypt() -> None:
        with os.fdopen(reading, "rb") as plain:
            pyrage.encrypt_io(plain, file, list(keys))

    with _beside(encrypt), os.fdopen(writing, "wb", buffering=1024 * 1024) as plain:
        yield plain


@contextmanager
def unlocked(file: BinaryIO, identity: str | None, subject: str) -> Iterator[BinaryIO]:
    """What an age file has in it.

    Raises:
        BundleLocked: no identity is given, it is none, or it does not unlock the file.
        BundleDamaged: the file is not what was encrypted.
    """
    import pyrage

    if identity is None:
        raise BundleLocked(f"{subject} is encrypted.", hint="Give the age identity for it.")
    try:
        key = pyrage.x25519.Identity.from_str(identity.strip())
    except pyrage.IdentityError:
        raise BundleLocked(
            "That is no age identity.", hint="It begins with 'AGE-SECRET-KEY-1'."
        ) from None
    reading, writing = os.pipe()

    def decrypt() -> None:
        try:
            with os.fdopen(writing, "wb") as plain:
                pyrage.decrypt_io(file, plain, [key])
        except BrokenPipeError:  # the reader has seen what it wanted: the rest goes nowhere
            return
        except (pyrage.DecryptError, OSError) as error:
            if "no matching keys" in str(error).lower():
                raise BundleLocked(
                    f"{subject} is encrypted for another key.", hint="Give its own identity."
                ) from None
            raise BundleDamaged(
                f"{subject} is damaged or cut off: it cannot be decrypted ({error}).",
                hint="Take another copy of the file.",
            ) from None

    with _beside(decrypt), os.fdopen(reading, "rb", buffering=1024 * 1024) as plain:
        yield plain


@contextmanager
def _beside(work: Callable[[], None]) -> Iterator[None]:
    """Runs in a thread beside the block. Its error counts more than that of the block, which only
    sees a pipe that ends."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=run, name="bundle", daemon=True)
    thread.start()
    try:
        yield
    except Exception:
        thread.join()
        if failed:
            raise failed[0] from None
        raise
    thread.join()
    if failed:
        raise failed[0]
