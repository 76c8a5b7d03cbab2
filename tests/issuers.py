"""Issuers on the loopback that do as they are told: GitHub's side of OAuth, and an OpenID provider
that can say anything, in a thread of their own."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwk

Answer = tuple[int, Any]


class Served:
    """Answers requests by a method for each path. ``asked`` has what was asked for.

    Args:
        tls: its certificate; without one it answers in the clear.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.asked: list[str] = []
        self.paths: dict[str, Callable[[dict[str, str], dict[str, str]], Answer]] = {}

    def __enter__(self) -> Self:
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                self._answer(dict(parse_qsl(self.rfile.read(length).decode())))

            def _answer(self, form: dict[str, str]) -> None:
                parts = urlsplit(self.path)
                served.asked.append(parts.path)
                given = dict(parse_qsl(parts.query)) | form
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, content = 404, {}
                if parts.path in served.paths:
                    status, content = served.paths[parts.path](given, headers)
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                if status in {301, 302, 307}:
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def address(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._server.server_address[1]}"


class GitHubStandIn(Served):
    """GitHub: authorisation, tokens for codes with PKCE, and what its API says of a user."""

    client_id, client_secret = "github-client", "only for tests"

    def __init__(self) -> None:
        super().__init__()
        self.user: dict[str, Any] = {"id": 583231, "login": "ada", "name": "Ada Lovelace"}
        self.emails: Any = [
            {"email": "old@example.com", "primary": False, "verified": True},
            {"email": "ada@example.com", "primary": True, "verified": True},
        ]
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: set[str] = set()
        self.paths = {
            "/login/oauth/access_token": self._token,
            "/api/v3/user": lambda given, headers: self._api(headers, self.user),
            "/api/v3/user/emails": lambda given, headers: self._api(headers, self.emails),
            "/api/v3/meta": lambda given, headers: (200, {}),
        }

    def comes_back(self, address: str, *, declines: bool = False) -> dict[str, str]:
        """What a browser comes back with that was sent to an address."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["client_id"] == self.client_id
        assert asked["code_challenge_method"] == "S256"
        if declines:
            return {"error": "access_denied", "state": asked["state"]}
        code = secrets.token_hex(10)
        self._codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def _token(self, given: dict[str, str], headers: dict[str, str]) -> Answer:
        """GitHub says 200 whatever it thinks of it."""
        if (given.get("client_id"), given.get("client_secret")) != (
            self.client_id,
            self.client_secret,
        ):
            return 200, {"error": "incorrect_client_credentials"}
        asked = self._codes.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if asked is None or asked["code_challenge"] != challenge:
            return 200, {"error": "bad_verification_code"}
        token = secrets.token_hex(10)
        self._tokens.add(token)
        return 200, {"access_token": token, "token_type": "bearer", "scope": "read:user"}

    def _api(self, headers: dict[str, str], content: Any) -> Answer:
        known = headers.get("authorization", "").removeprefix("Bearer ") in self._tokens
        return (200, content) if known and headers.get("user-agent") else (401, {})


@dataclass
class Said:
    """What a hostile issuer says in place of what it should. A claim that is None is left out, and
    one that is a timedelta so long from now."""

    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    token: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    answers: dict[str, Answer] = field(default_factory=dict)


class HostileIssuer(Served):
    """An OpenID provider that says whatever ``said`` has."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.said = Said()
        self.nonce = ""
        self.rotate()
        for name in ("token", "jwks", "userinfo", "description"):
            path = "/.well-known/openid-configuration" if name == "description" else f"/{name}"
            self.paths[path] = lambda given, headers, name=name: (  # type: ignore[misc]
                self.said.answers.get(name) or (200, getattr(self, f"_{name}")())
            )

    def rotate(self) -> None:
        """Another key, which is the only one from now on."""
        self.key = jwk.ECKey.generate_key("P-256", {"kid": secrets.token_hex(4), "use": "sig"})
        self.keys = [self.key.as_dict(private=False)]

    def comes_back(self, address: str) -> dict[str, str]:
        asked = dict(parse_qsl(urlsplit(address).query))
        self.nonce = asked["nonce"]
        return {"code": "code", "state": asked["state"]}

    def claims(self) -> dict[str, Any]:
        now = int(time.time())
        whole = {
            "iss": self.address,
            "sub": "ada",
            "aud": "mosaic",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada",
        }
        said = {
            k: now + int(v.total_seconds()) if isinstance(v, timedelta) else v
            for k, v in self.said.claims.items()
        }
        return {k: v for k, v in (whole | said).items() if v is not None}

    def _description(self) -> dict[str, Any]:
        whole = {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/jwks",
            "userinfo_endpoint": f"{self.address}/userinfo",
        }
        return {k: v for k, v in (whole | self.said.metadata).items() if v is not None}

    def _jwks(self) -> dict[str, Any]:
        return {"keys": self.keys}

    def _userinfo(self) -> dict[str, Any]:
        return self.said.userinfo or {"sub": "ada"}

    def _token(self) -> dict[str, Any]:
        header = {"alg": "ES256", "kid": self.key.kid} | self.said.header
        header = {k: v for k, v in header.items() if v is not None}
        make = self.said.token or self._signed
        made = make(header, self.claims())
        return {"access_token": "token", "token_type": "Bearer", "id_token": made}

    def _signed(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """A token with any header at all: a library makes none that is wrong."""
        signing = f"{coded(header)}.{coded(claims)}"
        der = self.key.private_key.sign(signing.encode(), ec.ECDSA(SHA256()))
        numbers = utils.decode_dss_signature(der)
        signature = b"".join(number.to_bytes(32) for number in numbers)
        return f"{signing}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def coded(part: dict[str, Any]) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
