"""A device that makes and uses passkeys, as a browser hands over what it says."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import encode_cbor

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


class Authenticator:
    """One key. ``verifies``: it recognises its user."""

    def __init__(self, origin: str = "https://mosaic.test", *, verifies: bool = True) -> None:
        self.origin = origin
        self.id = os.urandom(32)
        self.count = 0
        self.handle = b""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._flags = _PRESENT | (_VERIFIED if verifies else 0)

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """A new passkey: ``RegistrationResponseJSON``."""
        self.handle = unshown(options["user"]["id"])
        numbers = self._key.public_key().public_numbers()
        key = {
            1: 2,
            3: -7,
            -1: 1,
            -2: numbers.x.to_bytes(32, "big"),
            -3: numbers.y.to_bytes(32, "big"),
        }
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + encode_cbor(key)
        said = self._said(options["rp"]["id"], _ATTESTED) + attested
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": said})
        client = self._client("webauthn.create", options)
        return self._answer(clientDataJSON=shown(client), attestationObject=shown(attestation))

    def sign(self, options: dict[str, Any]) -> dict[str, Any]:
        """Signs a challenge: ``AuthenticationResponseJSON``."""
        self.count += 1
        client = self._client("webauthn.get", options)
        said = self._said(options["rpId"])
        signature = self._key.sign(said + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            clientDataJSON=shown(client),
            authenticatorData=shown(said),
            signature=shown(signature),
            userHandle=shown(self.handle),
        )

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        told = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps(told).encode()

    def _said(self, domain: str, more: int = 0) -> bytes:
        flags = (self._flags | more).to_bytes(1, "big")
        return hashlib.sha256(domain.encode()).digest() + flags + self.count.to_bytes(4, "big")

    def _answer(self, **response: str) -> dict[str, Any]:
        return {
            "id": shown(self.id),
            "rawId": shown(self.id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": response,
        }


def shown(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def unshown(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
